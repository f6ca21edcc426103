/** Chains of contexts: ten hops deep, in either mode, and what happens to the two halves when the middle dies. */
import assert from 'node:assert/strict';
import { type Context, type ContextPromise, type Router, self } from 'mitos';
import { errorOf, MASTERS, type Mode, pidOf, pidsGone, rejectsWith, THREADED, THREADLESS, treeTest } from '../fixtures/programs/harness.js';

const DEPTH = 10;

function whereAmI(): { pid: number; name: string } {
  return { pid: process.pid, name: self().context.name };
}

function hang(): Promise<never> {
  return new Promise(() => {});
}

function add(a: number, b: number): number {
  return a + b;
}

function boom(): never {
  throw new TypeError('ten hops away');
}

/** Opens a chain in one flight: nothing is awaited in between. */
function openChain(router: Router, modes: readonly Mode[]): ContextPromise[] {
  const chain: ContextPromise[] = [];
  for (const [index, mode] of modes.entries()) chain.push(mode.open(chain.at(-1) ?? router, { name: `hop-${index + 1}` }));
  return chain;
}

const SHAPES: [string, Mode[]][] = [
  ['threaded', Array.from({ length: DEPTH }, () => THREADED)],
  ['threadless', Array.from({ length: DEPTH }, () => THREADLESS)],
  ['threaded and threadless', Array.from({ length: DEPTH }, (_, index) => (index % 2 ? THREADED : THREADLESS))],
];

for (const [shape, modes] of SHAPES) {
  for (const master of shape.includes('and') ? MASTERS : MASTERS.slice(0, 1)) {
    treeTest(
      `A chain of ten ${shape} contexts below ${master.name} works, and loses only its lower half when the middle is killed`,
      { ...master.options, test: { timeoutMs: 60_000 } },
      async ({ router }) => {
        const chain = openChain(router, modes);
        assert.equal(await (chain.at(-1) as ContextPromise).call(add, 1, 2), 3);
        const contexts: Context[] = await Promise.all(chain);
        const pids = await Promise.all(contexts.map(pidOf));
        assert.equal(new Set(pids).size, DEPTH);
        const places = await Promise.all(contexts.map((context) => context.call(whereAmI)));
        assert.deepEqual(
          places,
          contexts.map(({ name }, index) => ({ pid: pids[index], name })),
        );
        const error = await rejectsWith((contexts.at(-1) as Context).call(boom), 'ERR_MITOS_CALL');
        assert.deepEqual(
          error.via,
          contexts.map(({ name }) => name),
        );

        const middle = DEPTH / 2;
        const pending = contexts.map((context) => errorOf(context.call(hang)));
        await Promise.all(contexts.map((context) => context.call(add, 0, 0)));
        const start = performance.now();
        process.kill(pids[middle] as number, 'SIGKILL');
        for (const lost of await Promise.all(pending.slice(middle))) {
          assert.equal(lost.code, 'ERR_MITOS_CHILD_EXIT');
          assert.equal(lost['signal'], 'SIGKILL');
          assert.match(lost.message, /"hop-6"/);
        }
        assert.ok(performance.now() - start < 1000, `pending calls ended after ${performance.now() - start} ms`);
        await pidsGone(pids.slice(middle), 2000 - (performance.now() - start));
        for (const context of contexts.slice(0, middle)) assert.equal(await context.call(add, 20, 1), 21);
        for (const context of contexts.slice(middle)) await rejectsWith(context.call(add, 1, 1), 'ERR_MITOS_CHILD_EXIT');
        assert.deepEqual(router.contexts().slice(1), contexts.slice(0, middle));
        const again = contexts[middle - 1] as Context;
        assert.equal(await again.local().call(add, 2, 2), 4);
      },
    );
  }
}
