import { parse, v5, v7, validate, version } from 'uuid';

export const about = { package: 'uuid', covers: 'ES module only with the condition "node"' };

export function run(): unknown {
  return [v5('name', v5.DNS), validate(v7()), version(v7()), parse('6ba7b810-9dad-11d1-80b4-00c04fd430c8').length];
}
