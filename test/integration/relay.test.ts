/** Modules in deep and wide trees: what has crossed a link does not cross it again, and what many ask for is asked once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Context, ContextPromise, Router } from 'mitos';
import { errorOf, MODES, pidOf, rejectsWith, THREADED, THREADLESS, treeTest } from '../fixtures/programs/harness.js';

/** A program of 21 modules, one of which needs several frames; `ask` imports what nobody can foresee. */
interface Program {
  sum(): number;
  size(): number;
  ask(name: string): Promise<{ late: number }>;
  lead(context: Context): Promise<number>;
}

const PARTS = 19;
const folder = mkdtempSync(join(tmpdir(), 'relayed-program-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
mkdirSync(join(folder, 'node_modules'));
put('package.json', '{"type":"module","name":"program"}');
for (let n = 0; n < PARTS; n++) put(`part${n}.mjs`, `export const part${n} = ${n};`);
put('big.mjs', `export const big = '${randomBytes(150_000).toString('hex')}';`);
put('late.mjs', 'export const late = 7;');
put(
  'main.mjs',
  `${Array.from({ length: PARTS }, (_, n) => `import { part${n} } from './part${n}.mjs';`).join('\n')}
import { big } from './big.mjs';
export const sum = () => ${Array.from({ length: PARTS }, (_, n) => `part${n}`).join(' + ')};
export const size = () => big.length;
export const ask = (name) => import(name);`,
);
put(
  'lead.mjs',
  `import { sum } from './main.mjs';
export const lead = async (context) => (await context.call(sum)) + (await context.call(sum));`,
);
const FROM = pathToFileURL(join(folder, 'start.mjs')).href;
const SUM = (PARTS * (PARTS - 1)) / 2;

const program = (context: Context | ContextPromise, name = './main.mjs') => context.import<Program>(name, { from: FROM });

/** How often each module was sent over a link of the master. */
function watch(router: Router): Map<string, number> {
  const times = new Map<string, number>();
  router.on('module', ({ url, batch }) => {
    if (batch !== undefined && url.startsWith('file:')) times.set(url.replace(/.*\//, ''), (times.get(url.replace(/.*\//, '')) ?? 0) + 1);
  });
  return times;
}

async function pair(context: Context | ContextPromise): Promise<number> {
  const { sum, size } = await program(context);
  assert.equal(await size(), 300_000);
  return sum();
}

for (const mode of MODES) {
  treeTest(`A second ${mode.name} child of a hop costs no byte of modules on the link to the hop`, {}, async ({ router }) => {
    const hop = await mode.open(router);
    const times = watch(router);
    const first = mode.open(hop);
    assert.equal(await pair(first), SUM);
    assert.deepEqual(new Set(times.values()), new Set([1]));
    assert.equal(times.size, PARTS + 2);
    const { modules, moduleBytes, requests } = router.stats();
    assert.ok(moduleBytes > 150_000, `${moduleBytes} bytes`);
    assert.equal(await pair(mode.open(hop)), SUM);
    // What the hop has got for others it does not get again for itself.
    assert.equal(await pair(hop), SUM);
    assert.equal(await pair(first), SUM);
    const { modules: then, moduleBytes: bytes, requests: asked } = router.stats();
    assert.deepEqual({ modules: then, bytes, asked }, { modules, bytes: moduleBytes, asked: requests });
  });

  treeTest(`What a ${mode.name} hop has been sent itself does not cross its link again for its children`, {}, async ({ router }) => {
    // In the write that starts it, and after it has come up.
    for (const isUp of [false, true]) {
      const hop = mode.open(router);
      if (isUp) await hop;
      assert.equal(await pair(hop), SUM);
      const { moduleBytes, requests } = router.stats();
      assert.equal(await pair(mode.open(hop)), SUM);
      assert.deepEqual([router.stats().moduleBytes, router.stats().requests], [moduleBytes, requests]);
    }
  });
}

treeTest(
  'The master sends each module once to each of four hops, whatever number of leaves is behind them',
  { test: { timeoutMs: 60_000 } },
  async ({ router }) => {
    const LEAVES = 10;
    const times = watch(router);
    const results: PromiseLike<number>[] = [];
    for (let n = 0; n < 4; n++) {
      // One hop more on the way of every other: hops pass on to hops.
      let hop = THREADLESS.open(router, { name: `hop-${n}` });
      if (n % 2) hop = THREADLESS.open(hop, { name: `second-${n}` });
      for (let leaf = 0; leaf < LEAVES; leaf++) results.push(pair(THREADLESS.open(hop, { name: `leaf-${n}-${leaf}` })));
    }
    assert.deepEqual(
      await Promise.all(results),
      results.map(() => SUM),
    );
    assert.equal(times.size, PARTS + 2);
    assert.deepEqual(new Set(times.values()), new Set([4]));
    assert.equal(router.stats().requests, 0);
  },
);

treeTest('What ten children of a hop ask for at once is one question to the master, and none later', {}, async ({ router }) => {
  const hop = await THREADED.open(router);
  const children = await Promise.all(Array.from({ length: 10 }, () => THREADLESS.open(hop)));
  const programs = await Promise.all(children.map((child) => program(child)));
  const times = watch(router);
  const asks = (name: string) => Promise.all(programs.map(({ ask }) => errorOf(ask(name).then(({ late }) => Promise.reject(late)))));
  const start = router.stats().requests;
  assert.deepEqual(
    await asks('./late.mjs'),
    Array.from(programs, () => 7),
  );
  assert.deepEqual([router.stats().requests - start, times.get('late.mjs')], [1, 1]);

  // The same for what cannot be had, with the reason.
  for (let time = 0; time < 2; time++) {
    for (const error of await asks('./nowhere.mjs')) {
      assert.equal((error.cause as { code?: string } | undefined)?.code ?? error.code, 'ERR_MITOS_MODULE_NOT_FOUND');
      assert.match(error.message, /nowhere\.mjs.*main\.mjs/);
    }
    assert.equal(router.stats().requests - start, 2);
  }
  // A child that comes later hears it from the hop.
  const { ask } = await program(THREADLESS.open(hop));
  assert.match((await errorOf(ask('./nowhere.mjs'))).message, /nowhere\.mjs/);
  assert.equal((await ask('./late.mjs')).late, 7);
  assert.deepEqual([router.stats().requests - start, times.get('late.mjs')], [2, 1]);
});

for (const mode of MODES) {
  treeTest(
    `A function in a ${mode.name} context that calls its own children needs nothing of the master for them`,
    {},
    async ({ router }) => {
      const hop = await mode.open(router);
      const { lead } = await program(hop, './lead.mjs');
      const times = watch(router);
      for (let n = 0; n < 2; n++) {
        const child = await mode.open(hop);
        assert.equal(await lead(child), 2 * SUM);
        const grandchild = await mode.open(child);
        assert.equal(await lead(grandchild), 2 * SUM);
      }
      assert.deepEqual(new Set(times.values()), new Set([1]));
    },
  );
}

treeTest('A first call through three hops that do not exist yet brings its modules in the same flight', {}, async ({ router }) => {
  let at: ContextPromise = THREADED.open(router);
  for (let n = 0; n < 2; n++) at = THREADED.open(at);
  const times = watch(router);
  assert.equal(await pair(at), SUM);
  assert.deepEqual(new Set(times.values()), new Set([1]));
  assert.equal(router.stats().requests, 0);
});

treeTest('A hop killed while modules pass ends the calls behind it with the reason, and others go on', {}, async ({ router }) => {
  const hop = await THREADED.open(router);
  const leaves = await Promise.all(Array.from({ length: 3 }, () => THREADLESS.open(hop)));
  const other = await THREADED.open(router);
  const pid = await pidOf(hop);
  const calls = leaves.map((leaf) => errorOf(pair(leaf)));
  process.kill(pid, 'SIGKILL');
  for (const error of await Promise.all(calls)) {
    assert.ok(['ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED'].includes(error.code), `${error.code}: ${error.message}`);
  }
  assert.equal(await pair(other), SUM);
  assert.equal(await pair(THREADED.open(other)), SUM);
  await rejectsWith(leaves[0]?.call(process.cwd) as Promise<unknown>, 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED');
});
