/** What few calls need is sent when it is needed: rare types of values, live values, large messages. */
import assert from 'node:assert/strict';
import { Router, self } from 'mitos';
import type { TraceEvent } from '#src/master/trace.js';
import * as testing from '#src/testing/index.js';
import { inEveryMode, rejection } from './modes-table.js';

const echo = (...values: unknown[]): unknown => values;
const newDate = (): Date => new Date(0);
const started: string[] = [];
const start = (name: string): number => started.push(name);
const startedSoFar = (): string[] => started;
const ofLength = (count: number): string => 'x'.repeat(count);
const lengthOf = (text: string): number => text.length;
async function lengthBelow(count: number): Promise<number> {
  const below = await self().router.local({ threadless: true });
  return below.call(lengthOf, 'x'.repeat(count));
}
const fail = (): never => {
  throw new RangeError('too far');
};
async function* count(): AsyncGenerator<number> {
  yield 1;
  yield 2;
}

/** Needs the module `mitos`, and more modules than fit into a frame. */
const useMuch = (): unknown[] => [typeof Router, typeof testing.Simulation];

/** How often the master was asked for a module. */
let questions = 0;
const watched = {
  router: { trace: ({ direction, handle }: TraceEvent) => void (questions += direction === 'in' && handle === 'GET_MODULE' ? 1 : 0) },
};

interface Watched {
  router: { on(event: 'module', listener: (module: { url: string }) => void): unknown };
}

function sentOf({ router }: Watched): () => number {
  let sent = 0;
  router.on('module', ({ url }) => url === 'mitos:extra' && sent++);
  return () => sent;
}

inEveryMode('calls with plain values never bring the rare parts of the core', async ({ router, open }) => {
  const sent = sentOf({ router });
  const context = await open();
  const values = [1, -0, NaN, 'ü', true, null, undefined, { $: 1, a: [undefined] }, []];
  assert.deepStrictEqual(await context.call(echo, ...values), values);
  const shared = [1];
  const [a, b] = (await context.call(echo, shared, shared)) as unknown[];
  assert.equal(a, b);
  assert.equal(sent(), 0);
});

inEveryMode(
  'an argument of a rare type brings them in front of the call, once and unasked',
  async ({ router, open }) => {
    const sent = sentOf({ router });
    questions = 0;
    const context = await open();
    const values = [new Date(1), new Map([[1, new Set([2n])]]), new Uint8Array(3)];
    assert.deepStrictEqual(await context.call(echo, ...values), values);
    assert.equal(await context.call(lengthOf, 'y'.repeat(200_000)), 200_000);
    assert.deepStrictEqual(await context.call(newDate), new Date(0));
    assert.equal(sent(), 1);
    assert.equal(questions, 0);
  },
  watched,
);

for (const [what, first] of [
  ['a date', newDate],
  ['an error', fail],
  ['a large text', ofLength],
  ['a generator', count],
] as const) {
  inEveryMode(
    `a child that has to give ${what} first asks for them, and results keep their order`,
    async ({ router, open }) => {
      const sent = sentOf({ router });
      questions = 0;
      const context = await open();
      const settled: number[] = [];
      const calls = [
        context.call(echo, 1),
        context.call(first as (count: number) => unknown, 70_000),
        context.call(echo, 2),
        context.call(newDate),
        context.call(echo, 3),
      ];
      const note = (at: number) => () => void settled.push(at);
      await Promise.all(calls.map((call, at) => call.then(note(at), note(at))));
      assert.deepEqual(settled, [0, 1, 2, 3, 4]);
      assert.equal(sent(), 1);
      assert.equal(questions, 1);
      assert.equal(router.stats().requests, 0);
      if (first === fail) assert.ok(((await rejection(calls[1] as Promise<unknown>)).cause as Error) instanceof RangeError);
      if (first === ofLength) assert.equal(((await calls[1]) as string).length, 70_000);
      if (first === count) {
        const items: number[] = [];
        for await (const item of (await calls[1]) as AsyncIterable<number>) items.push(item);
        assert.deepEqual(items, [1, 2]);
      }
    },
    watched,
  );
}

inEveryMode('a child that gets a large message from another child asks for them', async ({ open }) => {
  const context = await open();
  assert.equal(await context.call(lengthBelow, 3_000_000), 3_000_000);
});

inEveryMode('calls of the first write start before those that come while the first one waits for them', async ({ open }) => {
  const context = open();
  const calls: PromiseLike<unknown>[] = [context.call(newDate), context.call(start, 'a'), context.call(start, 'b')];
  await new Promise((resolve) => setImmediate(resolve));
  calls.push(context.call(start, 'c'), context.call(start, 'd'));
  await Promise.all(calls);
  assert.deepEqual(await context.call(startedSoFar), ['a', 'b', 'c', 'd']);
});

inEveryMode('the first call may need more modules than fit into a frame, the rare parts of the core among them', async ({ open }) => {
  assert.deepEqual(await open().call(useMuch), ['function', 'function']);
});
