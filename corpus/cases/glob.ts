import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { glob, hasMagic } from 'glob';

export const about = { package: 'glob', covers: 'files of the target; dual package with nested conditions' };

export async function run(): Promise<unknown> {
  const cwd = mkdtempSync(join(tmpdir(), 'mitos-corpus-'));
  try {
    for (const name of ['a.ts', 'b.ts', 'c.js']) writeFileSync(join(cwd, name), '');
    return { found: (await glob('*.{ts,js}', { cwd, ignore: 'b.*' })).sort(), magic: hasMagic('a*') };
  } finally {
    rmSync(cwd, { recursive: true });
  }
}
