/** Modules that are too large, too many, never ready or not to be had: a clear end, and the context lives on. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';

// Thousands of files: in memory, where that can be had.
const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bad-modules-'));
const from = pathToFileURL(join(base, 'test.mjs')).href;
after(() => rmSync(base, { recursive: true, force: true }));

interface Made {
  run(...args: unknown[]): Promise<unknown>;
  length(): number;
}

function file(name: string, text: string): string {
  const path = join(base, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return `./${name}`;
}

function add(a: number, b: number): number {
  return a + b;
}

treeTest('A missing package is an error that says who asked, from where and what was searched', {}, async ({ router }) => {
  file('node_modules/there/package.json', '{"name":"there","exports":"./index.js"}');
  file('node_modules/there/index.js', '');
  file('asks/deep.mjs', 'import "left-out/lib"; export const run = () => 1;');
  const main = file('asks/main.mjs', 'export { run } from "./deep.mjs";');
  const child = await router.local();
  const error = await rejectsWith(
    child.import<Made>(main, { from }).then((module) => module.run()),
    'ERR_MITOS_MODULE_NOT_FOUND',
  );
  assert.ok(error.message.includes(`'left-out/lib', imported by ${base}/asks/deep.mjs <- ${base}/asks/main.mjs`), error.message);
  assert.ok(error.message.includes(`searched ${base}/node_modules`), error.message);
  const forbidden = file('forbidden.mjs', 'export const run = async () => (await import("there/index.js")).run;');
  const far = await child.import<Made>(forbidden, { from });
  const cause = (await rejectsWith(far.run(), 'ERR_MITOS_CALL')).cause as { code?: string; message: string };
  assert.equal(cause.code, 'ERR_PACKAGE_PATH_NOT_EXPORTED');
  assert.match(cause.message, /"\.\/index\.js" is not exported .* from package .*node_modules\/there/);
  assert.equal(await child.call(add, 1, 2), 3);
});

treeTest('A module that throws at import is evaluated once, and gives the same error each time', {}, async ({ router }) => {
  const name = file('throws.mjs', 'globalThis.badRuns = (globalThis.badRuns || 0) + 1; throw new RangeError(`run ${globalThis.badRuns}`);');
  const main = file('throws-main.mjs', `export const run = () => import(${JSON.stringify(name)});`);
  const child = await router.local();
  const far = await child.import<Made>(main, { from });
  for (let n = 0; n < 3; n++) assert.equal((await rejectsWith(far.run(), 'ERR_MITOS_CALL')).message, 'run 1');
});

treeTest('A top-level await that never ends is ended by the deadline of the call', {}, async ({ router }) => {
  // Here it is ready at once: only the title of a context begins like this.
  file('never.mjs', 'if (process.title.startsWith("mitos:")) await new Promise(() => {});\nexport const run = async () => 1;');
  const { run } = (await import(pathToFileURL(join(base, 'never.mjs')).href)) as Made;
  assert.equal(await run(), 1);
  const child = await router.local();
  for (let n = 0; n < 2; n++) await rejectsWith(child.with({ timeoutMs: 200 }).call(run), 'ERR_MITOS_TIMEOUT');
  assert.equal(await child.call(add, 1, 2), 3);
});

treeTest(
  'A module of 50 MB is sent and run; a larger one than is read is refused by name',
  { test: { timeoutMs: 60_000 } },
  async ({ router }) => {
    const child = await router.local();
    const large = file(
      'large.mjs',
      `const text = ${JSON.stringify('0123456789abcdef'.repeat(50 * 65_536))};\nexport const length = () => text.length;`,
    );
    assert.equal(await (await child.import<Made>(large, { from })).length(), 50 * 1_048_576);
    const larger = file('larger.mjs', '');
    // Holes take no time.
    truncateSync(join(base, larger), 64 * 1_048_576 + 1);
    const error = await rejectsWith(child.import<Made>(larger, { from }), 'ERR_MITOS_MODULE_DENIED');
    assert.match(error.message, /larger\.mjs: it has \d+ bytes, the limit is 67108864/);
    assert.equal(await child.call(add, 1, 2), 3);
  },
);

treeTest('5,000 modules arrive with the call, without a question', { test: { timeoutMs: 60_000 } }, async ({ router }) => {
  const count = 5000;
  for (let n = 0; n < count; n++) {
    const next = [2 * n + 1, 2 * n + 2].filter((one) => one < count);
    const imports = next.map((one) => `import { sum as s${one} } from "./m${one}.mjs";`).join('');
    file(
      `many/m${n}.mjs`,
      `${imports}export const sum = () => ${[n, ...next.map((one) => `s${one}()`)].join('+')};\nexport const run = sum;`,
    );
  }
  const child = await router.local();
  assert.equal(await (await child.import<Made>('./many/m0.mjs', { from })).run(), (count * (count - 1)) / 2);
  const { requests, modules } = router.stats();
  assert.equal(requests, 0);
  assert.ok(modules >= count);
});
