import protobuf from 'protobufjs';

export const about = { package: 'protobufjs', covers: 'code made at run time, optional requires by eval' };

export function run(): unknown {
  const { root } = protobuf.parse('syntax = "proto3"; message P { string name = 1; repeated int32 n = 2; map<string, double> m = 3; }');
  const type = root.lookupType('P');
  const bytes = type.encode(type.create({ name: 'x', n: [1, 300], m: { a: 0.5 } })).finish();
  return { hex: Buffer.from(bytes).toString('hex'), back: type.toObject(type.decode(bytes)), wrong: type.verify({ name: 1 }) };
}
