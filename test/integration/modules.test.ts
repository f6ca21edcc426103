/** Modules that run elsewhere: what is imported there is what is imported here. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Remote } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

const FOLDER = new URL('../../../test/fixtures/raw/programs-api/modules/', import.meta.url);
const from = import.meta.url;
const at = (path: string): URL => new URL(path, FOLDER);

type Loose = Record<string, (...args: unknown[]) => unknown>;
type Far = Remote<Loose>;

async function here(path: string): Promise<Loose> {
  const module = (await import(at(path).href)) as Loose & { default?: Loose };
  return path.endsWith('.cjs') && module.default ? module.default : module;
}

/** Asserts that functions give there what they give here. */
async function assertSame(far: Far, near: Loose, calls: readonly [string, ...unknown[]][]): Promise<void> {
  for (const [name, ...args] of calls) {
    const result: unknown = await far[name]?.(...args);
    assert.deepEqual(result, await near[name]?.(...args), name);
  }
}

inEveryMode('TypeScript is imported as it is: enums, namespaces, decorators, JSX, path aliases', async ({ open, router }) => {
  const context = await open();
  const far = await context.import<Loose>(at('ts/main.ts'), { from });
  assert.deepEqual(await far['colors']?.(), [0, 'Red', 'green', 10_000]);
  assert.deepEqual(await far['decorated']?.('me'), ['account of me', ['describe']]);
  assert.deepEqual(await far['view']?.('you'), { tag: 'p', class: 'greeting', children: ['hello ', 'you'] });
  assert.equal(await far['later']?.('x'), 'x');
  assert.equal(await far['default']?.(), 'the default');
  assert.equal(router.stats().requests, 0);
});

inEveryMode('an error in an imported module shows its own file and line', async ({ open }) => {
  const context = await open();
  const far = await context.import<Loose>(at('ts/main.ts'), { from });
  const error = await rejection(far['failHere']?.() as Promise<unknown>);
  const lines = readFileSync(at('ts/main.ts'), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('throw new RangeError')) + 1;
  assert.equal(error.message, 'failed in typescript');
  assert.ok(error.stack?.includes(`${fileURLToPath(at('ts/main.ts'))}:${line}:`), error.stack);
});

inEveryMode('ES modules keep their rules: live bindings, export *, cycles, top-level await, import.meta', async ({ open, router }) => {
  const context = await open();
  const far = await context.import<Loose>(at('esm/main.mjs'), { from });
  const near = await here('esm/main.mjs');
  assert.deepEqual(await far['live']?.(), [0, 1, 'default value', ['fromA', 'fromB', 'own'], 'a']);
  await assertSame(far, near, [['cycles'], ['json'], ['topLevelAwait'], ['itself'], ['meta']]);
  assert.equal(router.stats().requests, 0);
  const list: number[] = [];
  for await (const item of (await (far['stream'] as (count: number) => unknown)(3)) as AsyncIterable<number>) list.push(item);
  assert.deepEqual(list, [0, 1, 2]);
  await assertSame(far, near, [['dynamic', 'one']]);
  assert.equal(router.stats().requests, 1, 'a computed specifier is asked for');
});

inEveryMode('CommonJS keeps its rules: cycles, conditions, JSON, optional packages, require.resolve', async ({ open }) => {
  const context = await open();
  const far = await context.import<Loose>(at('cjs/main.cjs'), { from });
  const near = await here('cjs/main.cjs');
  await assertSame(far, near, [
    ['cycle'],
    ['json'],
    ['optional'],
    ['conditional', false],
    ['conditional', true],
    ['computed', 'late'],
    ['resolved'],
    ['filename'],
    ['same'],
  ]);
});

inEveryMode('packages, CommonJS and ES modules mix as they do here', async ({ open }) => {
  const context = await open();
  const far = await context.import<Loose>(at('mix/main.mjs'), { from });
  await assertSame(far, await here('mix/main.mjs'), [['chunks'], ['mixed']]);
  assert.match(String(await far['hidden']?.()), /^ERR_/);
});

withRouter('a large package runs there as it does here', async ({ router }) => {
  const context = await router.local();
  const far = await context.import<Loose>(at('mix/packages.mjs'), { from });
  await assertSame(far, await here('mix/packages.mjs'), [['sample', 7]]);
  assert.equal(router.stats().requests, 0);
});

withRouter('import() takes a specifier, a URL or a relative path, as seen from `from`', async ({ router }) => {
  const context = await router.local();
  const seen = fileURLToPath(at('mix/main.mjs'));
  const url = pathToFileURL(seen).href;
  const tiny = await context.import<Loose>('tiny-lodash', { from: url });
  assert.deepEqual(await tiny['chunk']?.([1, 2, 3], 2), [[1, 2], [3]]);
  const relative = await context.import<Loose>('./required.cjs', { from: url });
  assert.equal(await relative['kind']?.(), 'required');
  const os = await context.import<typeof import('node:os')>('node:os', { from: url });
  assert.equal(await os.hostname(), (await context.info()).hostname);
  const path = await context.import<typeof import('node:path')>('path', { from: url });
  assert.equal(await path.basename('/a/b'), basename('/a/b'));
  const byUrl = await context.import<Loose>(at('cjs/late.cjs').href, { from });
  assert.equal(byUrl['then'], undefined);
});

withRouter('what is not there is told by name', async ({ router }) => {
  const context = await router.local();
  const missing = await rejection(context.import('no-such-package', { from }));
  assert.equal(missing.code, 'ERR_MITOS_MODULE_NOT_FOUND');
  assert.match(missing.message, /no-such-package/);
  const far = await context.import<Loose>(at('esm/main.mjs'), { from });
  const dynamic = await rejection(far['missing']?.() as Promise<unknown>);
  assert.equal((dynamic.cause as { code?: string }).code, 'ERR_MITOS_MODULE_NOT_FOUND');
  assert.match(dynamic.message, /does-not-exist/);
  const noFunction = await rejection(far['nothing']?.() as Promise<unknown>);
  assert.equal(noFunction.code, 'ERR_MITOS_NOT_CALLABLE');
  const ts = await context.import<Loose>(at('ts/main.ts'), { from });
  assert.equal((await rejection(ts['notAFunction']?.() as Promise<unknown>)).code, 'ERR_MITOS_NOT_CALLABLE');
});

withRouter('a module is evaluated once in a context, however it is reached', async ({ router }) => {
  const context = await router.local();
  const one = await context.import<Loose>(at('esm/counter.mjs'), { from });
  await one['increment']?.();
  const other = await context.import<Loose>(at('esm/main.mjs'), { from });
  const [before, after] = (await (other['live'] as () => unknown)()) as number[];
  assert.deepEqual([before, after], [1, 2]);
});

inEveryMode('a require() that has to be fetched blocks only the thread that calls it', async ({ open }) => {
  const context = await open();
  const below = await open(context);
  const far = await context.import<Loose>(at('cjs/main.cjs'), { from });
  const [late, pid] = await Promise.all([far['computed']?.('late'), below.call(() => process.pid)]);
  assert.equal(late, 'late');
  assert.equal(typeof pid, 'number');
});

inEveryMode('code that blocks a context with an I/O thread does not stop what goes through it', async ({ open, hasOwnThread }) => {
  if (!hasOwnThread) return;
  const context = await open();
  const below = await open(context);
  const order: string[] = [];
  const busy = context
    .call(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
    })
    .then(() => order.push('blocked'));
  await Promise.all([busy, below.call((n: number) => n + 1, 1).then(() => order.push('behind it'))]);
  assert.deepEqual(order, ['behind it', 'blocked']);
});

withRouter('modules reach grandchildren from a child that calls them', async ({ router }) => {
  const context = await router.local();
  const path = join(fileURLToPath(FOLDER), 'mix/main.mjs');
  const far = await context.local().import<Loose>(pathToFileURL(path), { from });
  await assertSame(far, await here('mix/main.mjs'), [['chunks'], ['mixed']]);
});
