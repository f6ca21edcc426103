import * as pako from 'pako';

export const about = { package: 'pako', covers: 'compression in JavaScript' };

export function run(): unknown {
  const packed = pako.deflate(new TextEncoder().encode('text '.repeat(50)));
  return { size: packed.length, back: new TextDecoder().decode(pako.inflate(packed)).length };
}
