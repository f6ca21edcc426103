/** Streams, iterables and signals as arguments and results. */
import assert from 'node:assert/strict';
import { inEveryMode, rejection } from './modes-table.js';

const seen: { values: number[]; aborted: Promise<unknown>; tell(value: unknown): void } = {
  values: [],
  aborted: Promise.resolve(),
  tell: () => {},
};

async function sum(items: AsyncIterable<number>): Promise<number> {
  let total = 0;
  for await (const item of items) total += item;
  return total;
}

async function* numbers(to: number): AsyncGenerator<number> {
  for (let i = 1; i <= to; i++) yield i;
}

function readable(to: number): ReadableStream<number> {
  let next = 1;
  return new ReadableStream({ pull: (controller) => (next <= to ? controller.enqueue(next++) : controller.close()) });
}

function sink(): WritableStream<number> {
  seen.aborted = new Promise((resolve) => (seen.tell = resolve));
  return new WritableStream({
    write: (value) => void seen.values.push(value),
    close: () => seen.tell('closed'),
    abort: (reason) => seen.tell(reason instanceof Error ? reason.message : reason),
  });
}

inEveryMode('an AsyncIterable or a ReadableStream can be an argument', async ({ open }) => {
  const context = await open();
  assert.equal(await context.call(sum, numbers(1000)), 500_500);
  assert.equal(await context.call(sum, readable(100)), 5050);
});

inEveryMode(
  'a ReadableStream that is an argument is one there',
  async ({ open }) => {
    const context = await open();
    assert.equal(await context.call((stream: ReadableStream<number>) => stream instanceof ReadableStream, readable(0)), true);
  },
  { since: 18 },
);

inEveryMode('an argument is read only as fast as the function there reads', async ({ open }) => {
  const context = await open();
  let produced = 0;
  let ended = '';
  const closed = new Promise<void>((resolve) => {
    void context.call(
      async (items: AsyncIterable<Uint8Array>) => {
        let count = 0;
        for await (const _item of items) if (++count === 3) break;
        return count;
      },
      (async function* () {
        try {
          for (;;) {
            produced++;
            yield new Uint8Array(16384);
          }
        } finally {
          ended = 'finally';
          resolve();
        }
      })(),
    );
  });
  await closed;
  assert.equal(ended, 'finally');
  assert.ok(produced < 60, `${produced} chunks`);
});

inEveryMode('an error of an iterable that is an argument is thrown in the loop there', async ({ open }) => {
  const context = await open();
  const items = (async function* () {
    yield 1;
    throw new RangeError('source broke');
  })();
  const error = await rejection(context.call(sum, items));
  assert.equal(error.message, 'source broke');
});

inEveryMode(
  'a ReadableStream as a result is read to its end, cancelled, or fails',
  async ({ open }) => {
    const context = await open();
    assert.equal(await sum(await context.call(readable, 10)), 55);
    const failing = await context.call(
      () => new ReadableStream<number>({ pull: (controller) => controller.error(new TypeError('stream broke')) }),
    );
    assert.equal((await rejection(sum(failing))).message, 'stream broke');
  },
  { since: 18 },
);

inEveryMode(
  'a WritableStream as an argument or a result takes what is written',
  async ({ open }) => {
    const context = await open();
    const got: number[] = [];
    const done = new Promise<void>((resolve) => {
      const stream = new WritableStream<number>({ write: (value) => void got.push(value), close: () => resolve() });
      void context.call(async (there: WritableStream<number>) => {
        const writer = there.getWriter();
        for (let i = 0; i < 5; i++) await writer.write(i);
        await writer.close();
      }, stream);
    });
    await done;
    assert.deepEqual(got, [0, 1, 2, 3, 4]);
    const result = await context.call(sink);
    assert.ok(result instanceof WritableStream);
    const writer = result.getWriter();
    await writer.write(7);
    await writer.close();
    assert.equal(await context.call(() => seen.aborted), 'closed');
    assert.deepEqual(await context.call(() => seen.values), [7]);
    const other = (await context.call(sink)).getWriter();
    await other.abort(new Error('no more'));
    assert.equal(await context.call(() => seen.aborted), 'no more');
  },
  { since: 18 },
);

inEveryMode('streams nest in other values', async ({ open }) => {
  const context = await open();
  const back = await context.call(({ list }: { list: AsyncIterable<number>[] }) => ({ again: list.map((item) => item) }), {
    list: [numbers(3), readable(4)],
  });
  assert.deepEqual(await Promise.all(back.again.map(sum)), [6, 10]);
});

inEveryMode('an AbortSignal as an argument aborts there when it aborts here, with its reason', async ({ open }) => {
  const context = await open();
  const controller = new AbortController();
  const call = context.call(
    (signal: AbortSignal) => new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve(String(signal.reason)))),
    controller.signal,
  );
  controller.abort(new Error('enough'));
  assert.equal(await call, 'Error: enough');
  const untilAborted = async (signal: AbortSignal): Promise<boolean> => {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return signal.aborted;
  };
  assert.equal(await context.call(untilAborted, AbortSignal.abort()), true);
});

inEveryMode(
  'an AbortSignal can be a result',
  async ({ open }) => {
    const context = await open();
    const signal = await context.call(() => {
      const controller = new AbortController();
      (globalThis as { abortIt?: () => void }).abortIt = () => controller.abort(new Error('from there'));
      return controller.signal;
    });
    assert.equal(signal.aborted, false);
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await context.call(() => (globalThis as { abortIt?: () => void }).abortIt?.());
    await aborted;
    assert.equal((signal.reason as Error).message, 'from there');
  },
  { since: 16 },
);

inEveryMode('an iterable ends with an error when the context that produces it ends', async ({ open }) => {
  const context = await open();
  const items = (
    await context.call(async function* () {
      yield 1;
      await new Promise<void>(() => {});
    })
  )[Symbol.asyncIterator]();
  assert.equal((await items.next()).value, 1);
  const next = rejection(items.next());
  await context.shutdown({ graceMs: 0 });
  assert.match(String((await next).code), /^ERR_MITOS_(SHUTDOWN|DISCONNECTED)$/);
});
