/** Live values handed from context to context. */
import assert from 'node:assert/strict';
import { type Context, type Receiver, type Sender, self } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

const kept: { item?: unknown } = {};

async function collect(items: AsyncIterable<number>): Promise<number[]> {
  const list: number[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function* numbers(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

inEveryMode('a Context arrives as the same object wherever it is known', async ({ open, router }) => {
  const [a, b] = await Promise.all([open(), open()]);
  assert.equal(await a.call((context: Context) => context, b), b);
  assert.equal(await a.call((context: Context) => context === self().context, a), true);
  assert.equal(await a.call((context: Context) => context === self().parent, router.self), true);
  assert.deepEqual(await a.call((list: Context[]) => list.map(({ id, name }) => [id, name]), [a, b]), [
    [a.id, a.name],
    [b.id, b.name],
  ]);
  assert.deepEqual(await a.call(({ x }: { x: Map<string, Context> }) => x.get('b')?.name, { x: new Map([['b', b]]) }), b.name);
});

inEveryMode('the right to call a Context is given by those above it only: a sibling cannot hand it on', async ({ open }) => {
  const [a, b, c] = await Promise.all([open(), open(), open()]);
  const error = await rejection(
    a.call(
      async (second: Context, third: Context) => second.call(async (last: Context) => last.call(() => self().context.id), third),
      b,
      c,
    ),
  );
  assert.equal(((error.cause as Error).cause as { code?: string }).code, 'ERR_MITOS_POLICY');
});

inEveryMode('a Sender that was handed on can be handed further', async ({ open, router }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const receiver = router.receiver<number>();
  await a.call(
    async (next: Context, sender: Sender<number>) =>
      next.call(async (to: Sender<number>) => {
        await to.send(1);
        await to.send(2);
        to.close();
      }, sender),
    b,
    receiver.sender(),
  );
  assert.deepEqual(await collect(receiver), [1, 2]);
});

inEveryMode('a Receiver can be handed over: what comes is read there', async ({ open, router }) => {
  const context = await open();
  const receiver = router.receiver<number>();
  const sender = receiver.sender();
  const got = context.call(async (items: Receiver<number>) => {
    const list: number[] = [];
    for await (const item of items) list.push(item);
    return list;
  }, receiver);
  for (let i = 0; i < 5; i++) await sender.send(i);
  sender.close();
  assert.deepEqual(await got, [0, 1, 2, 3, 4]);
});

inEveryMode('iterables and streams flow between siblings, through the caller', async ({ open }) => {
  const [a, b] = await Promise.all([open(), open()]);
  assert.deepEqual(
    await b.call(collect, await a.call(numbers, 100)),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

inEveryMode('an iterable made in a child of a child reaches the master', async ({ open }) => {
  const context = await open();
  const items = await context.call(async () => {
    const below = await self().router.worker();
    return below.call(async function* () {
      for (let i = 0; i < 3; i++) yield `item ${i}`;
    });
  });
  const list: string[] = [];
  for await (const item of items) list.push(item);
  assert.deepEqual(list, ['item 0', 'item 1', 'item 2']);
});

inEveryMode('an AbortSignal is passed on to a call of a sibling', async ({ open }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const controller = new AbortController();
  const began = new Promise<void>((resolve) => {
    b.on('log', ({ text }) => text === 'began' && resolve());
  });
  const call = a.call(
    async (sibling: Context, signal: AbortSignal) => {
      try {
        await sibling.with({ signal }).call(async () => {
          console.log('began');
          const inner = self().signal;
          await new Promise<void>((resolve) => inner.addEventListener('abort', () => resolve()));
          kept.item = 'aborted';
        });
        return 'not aborted';
      } catch (error) {
        return (error as Error).message;
      }
    },
    b,
    controller.signal,
  );
  await began;
  controller.abort(new Error('all of it'));
  assert.equal(await call, 'all of it');
  while ((await b.call(() => kept.item)) !== 'aborted');
});

withRouter('contexts that were handed each other from above call each other in a ring', async ({ router }) => {
  const ring = await Promise.all([router.local(), router.local(), router.worker()]);
  await Promise.all(ring.map((context) => context.call((all: Context[]) => all.length, ring)));
  const seen = await (ring[0] as Context).call(
    async function step(contexts: Context[], left: number): Promise<string[]> {
      const [next, ...rest] = contexts as [Context, ...Context[]];
      if (left === 0) return [self().context.name];
      return [self().context.name, ...(await next.call(step, [...rest, next], left - 1))];
    },
    [...ring.slice(1), ring[0] as Context],
    6,
  );
  assert.deepEqual(
    seen,
    [0, 1, 2, 0, 1, 2, 0].map((i) => ring[i]?.name),
  );
});
