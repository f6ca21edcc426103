/** Programs of today in contexts on older Nodes: real ones, as `npm run nodes` gets them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Context, Router, self } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { needsNodes, nodeBinary } from '../support/nodes.ts';

const MODERN = pathToFileURL(join(process.cwd(), 'test/fixtures/raw/editions/modern.js')).href;

interface Modern {
  all(): Promise<object>;
  callback(value: unknown): unknown;
  fails(): never;
  letters(text: string): boolean;
}

const modern = (await import(MODERN)) as Modern;
const flags = (await import(MODERN.replace('modern', 'flags'))) as Modern;

class Counter {
  #value = 0;
  #add(more: number | undefined): number {
    return (this.#value += more ?? 1);
  }
  count(options?: { by?: number }): number {
    return this.#add(options?.by);
  }
}

function counts(): { node: string; values: number[] } {
  const counter = new Counter();
  return { node: process.versions.node, values: [counter.count(), counter.count({ by: 3 })] };
}

function alsoCounts(by: number): number {
  return new Counter().count({ by });
}

/** Starts a Node below and has it run something: from what this context was sent. */
async function below(node: string): Promise<unknown[]> {
  const child = await self().router.local({ node });
  const results = [await child.call(counts), await child.call(modern.all)];
  await child.shutdown();
  return results;
}

const requestsOf = async (router: Router, call: () => Promise<unknown>): Promise<number> => {
  const before = router.stats().requests;
  await call();
  return router.stats().requests - before;
};

for (const name of ['12', '14', '16', '18']) {
  testWithOracle(`On Node ${name}, newer syntax runs; the first call asks once, later ones ask for nothing`, needsNodes(name), async () => {
    await using router = new Router();
    const node = nodeBinary(name) as string;
    const context: Context = await router.local({ node });
    const { node: version } = await context.info();
    assert.equal(version.split('.')[0], name);
    // The master knows the Node of a context that is up.
    assert.equal(await requestsOf(router, async () => assert.deepEqual((await context.call(counts)).values, [1, 4])), 0);
    assert.equal(await requestsOf(router, async () => assert.equal(await context.call(alsoCounts, 2), 2)), 0);
    const near = { ...(await modern.all()), counter: 0 };
    assert.equal(await requestsOf(router, async () => assert.deepEqual({ ...(await context.call(modern.all)), counter: 0 }, near)), 0);

    const early = router.local({ node });
    assert.equal(await requestsOf(router, async () => assert.deepEqual((await early.call(counts)).values, [1, 4])), name === '18' ? 0 : 1);
    assert.equal(await requestsOf(router, async () => assert.equal(await early.call(alsoCounts, 2), 2)), 0);
    const first = await early.call(modern.all);
    assert.equal(
      ((await early.call(modern.all)) as { counter: number }).counter,
      (first as { counter: number }).counter + 1,
      'one instance',
    );
  });
}

testWithOracle(
  'A context on an old Node and those below it on other Nodes each get what they can read',
  needsNodes('12', '16'),
  async () => {
    await using router = new Router();
    const near = { ...(await modern.all()), counter: 1 };
    const [old, newer] = [nodeBinary('12') as string, nodeBinary('16') as string];
    for (const [above, under] of [
      [process.execPath, old],
      [old, newer],
      [newer, old],
      [old, process.execPath],
    ] as const) {
      const [counted, all] = await router.local({ node: above }).call(below, under);
      assert.deepEqual((counted as { values: number[] }).values, [1, 4]);
      assert.deepEqual(all, near);
    }
  },
);

testWithOracle('Stacks from an old Node show the file, line and column', needsNodes('12'), async () => {
  await using router = new Router();
  const context = router.local({ node: nodeBinary('12') as string });
  const error = await context.call(modern.fails).then(assert.fail, (thrown: Error) => thrown);
  assert.match(String(error.stack), /fails \([^\n]*editions\/modern\.js:\d\d:20\)/);
});

testWithOracle('A function made in an old context can be handed on', needsNodes('12'), async () => {
  await using router = new Router();
  const context = router.local({ node: nodeBinary('12') as string });
  assert.deepEqual(await context.call(handsOn, nodeBinary('12') as string), [5, 7]);
});

async function handsOn(node: string): Promise<unknown[]> {
  const child = await self().router.local({ node });
  const results = [await child.call(modern.callback, { x: 5 }), await child.call((value: { y?: number }) => value?.y ?? 0, { y: 7 })];
  await child.shutdown();
  return results;
}

testWithOracle(
  'What cannot be written for the Node there is refused before anything runs, with the way out',
  needsNodes('12'),
  async () => {
    await using router = new Router();
    const node = nodeBinary('12') as string;
    const expected = {
      code: 'ERR_MITOS_MODULE_SYNTAX',
      message: /flags\.js:4 for Node 12: .*flag "v".*Node 20 has/,
      hint: /runtime: 'push'/,
    };
    // Asked by the context itself, then known to the master.
    await assert.rejects(router.local({ node }).call(flags.letters, 'a'), expected);
    const context = await router.local({ node });
    await assert.rejects(context.call(flags.letters, 'a'), expected);
  },
);
