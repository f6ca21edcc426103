import { dump, load, YAMLException } from 'js-yaml';

export const about = { package: 'js-yaml', covers: 'parser, dual package' };

export function run(): unknown {
  const value = load('a: &x [1, 2]\nb: *x\nc: {d: null, e: 2026-01-01}\n') as object;
  let failed = '';
  try {
    load('a: [1');
  } catch (error) {
    failed = error instanceof YAMLException ? error.reason : String(error);
  }
  return { value, text: dump({ list: [{ a: 1 }], text: 'x\ny' }), failed };
}
