/** Files that change while the program runs, seen from contexts. The rules themselves are tested in `unit/modules/hot-change`. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ContextPromise } from 'mitos';
import { MODES, rejectsWith, treeTest } from '../fixtures/programs/harness.js';

const base = mkdtempSync(join(tmpdir(), 'hot-'));
after(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

type Program = Record<'versions' | 'wait', (...args: unknown[]) => Promise<string>>;

/** `main.ts <- middle.mjs <- leaf.cjs`; each tells its version. */
function program(): { url: string; edit(version: number, ...names: string[]): void } {
  const folder = mkdtempSync(join(base, `${count++}-`));
  const texts: Record<string, (version: number) => string> = {
    'package.json': () => '{"type":"module"}',
    'leaf.cjs': (v) => `exports.leaf = ${v};`,
    'middle.mjs': (v) => `import { leaf } from './leaf.cjs'; export const middle = () => '${v} ' + leaf;`,
    'main.ts': (v) =>
      `import { middle } from './middle.mjs';
export const versions = (): string => '${v} ' + middle();
export const wait = async (): Promise<string> => { await new Promise((resolve) => process.once('go', resolve)); return versions(); };`,
  };
  const edit = (version: number, ...names: string[]): void => {
    for (const name of names) {
      writeFileSync(join(folder, `${name}~`), texts[name]?.(version) ?? '');
      renameSync(join(folder, `${name}~`), join(folder, name));
    }
  };
  edit(1, ...Object.keys(texts));
  return { url: pathToFileURL(join(folder, 'main.ts')).href, edit };
}

treeTest('without reload, all contexts get what was sent first, whatever has been changed since', {}, async ({ router }) => {
  const { url, edit } = program();
  const first = await router.local().import<Program>(url, { from: url });
  assert.equal(await first.versions(), '1 1 1');
  edit(2, 'leaf.cjs', 'main.ts');
  for (const mode of MODES) {
    const far = await mode.open(router).import<Program>(url, { from: url });
    assert.equal(await far.versions(), '1 1 1', mode.name);
  }
  assert.equal(await first.versions(), '1 1 1');
});

treeTest(
  'with reload, all contexts run the new code after a change, and calls that run still the old one',
  { reload: true },
  async ({ router }) => {
    const { url, edit } = program();
    const nested = router.local();
    const contexts = [...MODES.map((mode) => mode.open(router)), nested.local({ name: 'below' })];
    const far = await Promise.all(contexts.map((context) => context.import<Program>(url, { from: url })));
    const all = (): Promise<string[]> => Promise.all(far.map((one) => one.versions()));
    assert.deepEqual(new Set(await all()), new Set(['1 1 1']));
    const [one] = far as [(typeof far)[0]];
    const waiting = one.wait();
    waiting.catch(() => {});
    // Files are looked at once for all calls of one turn.
    await Promise.resolve();
    edit(2, 'leaf.cjs');
    assert.deepEqual(new Set(await all()), new Set(['1 1 2']));
    await (contexts[0] as ContextPromise).call(() => process.emit('go' as never));
    assert.equal(await waiting, '1 1 1');
    const { modules } = router.stats();
    assert.deepEqual(new Set(await all()), new Set(['1 1 2']));
    assert.equal(router.stats().modules, modules, 'nothing is sent when nothing has changed');
    edit(3, 'main.ts', 'middle.mjs', 'leaf.cjs');
    assert.deepEqual(new Set(await all()), new Set(['3 3 3']));
  },
);

treeTest(
  'with reload, a function of the program runs as its file has it now, and a syntax error is told until it is mended',
  { reload: true },
  async ({ router }) => {
    const folder = mkdtempSync(join(base, 'fn-'));
    const file = join(folder, 'tools.mjs');
    writeFileSync(file, 'export function tool(n) { return n + 1; }');
    const { tool } = (await import(pathToFileURL(file).href)) as { tool(n: number): number };
    const context = router.local();
    assert.equal(await context.call(tool, 1), 2);
    writeFileSync(file, '// moved\n\nexport function tool(n) { return n + 10; }');
    assert.equal(await context.call(tool, 1), 11);
    assert.equal(tool(1), 2, 'the own instance stays what it is');
    writeFileSync(file, 'export function tool(n) { return');
    for (const _ of [1, 2]) await rejectsWith(context.call(tool, 1), 'ERR_MITOS_MODULE_SYNTAX');
    writeFileSync(file, 'export function other(n) { return n; }');
    await rejectsWith(context.call(tool, 1), 'ERR_MITOS_NOT_CALLABLE');
    writeFileSync(file, 'export const tool = (n) => n + 100;');
    assert.equal(await context.call(tool, 1), 101);
  },
);
