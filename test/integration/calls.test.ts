/** Calls: what runs where, when, and what comes back. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { self } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

/** What the functions below keep in the context they run in. */
const state: { list: number[]; open: (() => void)[]; produced: number; ended: Promise<string>; end(text: string): void } = {
  list: [],
  open: [],
  produced: 0,
  ended: Promise.resolve('never begun'),
  end: () => {},
};

function reset(): void {
  state.ended = new Promise((resolve) => (state.end = resolve));
}

function note(value: number): number {
  return state.list.push(value);
}

function pause(): Promise<void> {
  return new Promise((resolve) => state.open.push(resolve));
}

function release(): number {
  const waiting = state.open.splice(0);
  for (const resolve of waiting) resolve();
  return waiting.length;
}

function* count(to: number): Generator<number> {
  reset();
  try {
    for (let i = 0; i < to; i++) yield i;
  } finally {
    state.end('generator ended');
  }
}

async function* countLater(to: number): AsyncGenerator<number> {
  reset();
  try {
    for (let i = 0; i < to; i++) yield await Promise.resolve(i);
  } finally {
    state.end('async generator ended');
  }
}

async function* produceChunks(): AsyncGenerator<Uint8Array> {
  reset();
  try {
    for (;;) {
      state.produced++;
      yield new Uint8Array(16384);
    }
  } finally {
    state.end('producer ended');
  }
}

function streamOf(to: number): ReadableStream<number> {
  let next = 0;
  reset();
  return new ReadableStream<number>({
    pull: (controller) => (next < to ? controller.enqueue(next++) : controller.close()),
    cancel: () => state.end('stream cancelled'),
  });
}

async function untilAborted(): Promise<never> {
  reset();
  const { signal } = self();
  const reason = await new Promise<unknown>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));
  state.end(`aborted: ${(reason as Error).message}`);
  throw reason;
}

function spin(): never {
  for (;;);
}

/** Lets everything run that can run in the context. */
async function turns(): Promise<number> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  return state.produced;
}

inEveryMode('a call gives what a function, or the promise of an asynchronous one, gives', async ({ open }) => {
  const context = open();
  assert.equal(await context.call(os.hostname), os.hostname());
  assert.equal(await context.call((n: number) => os.cpus().length * n, 2), os.cpus().length * 2);
  assert.equal(await context.call(async (text: string) => Promise.resolve(`${text}!`), 'hello'), 'hello!');
  assert.equal(await context.call(() => undefined), undefined);
});

inEveryMode('calls start in the order they are made, also when modules or builtins are new', async ({ open }) => {
  const context = open();
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 50; i++) calls.push(i % 10 === 5 ? context.call(os.hostname) : context.call(note, i));
  calls.push(context.call((value: number) => state.list.push(value), 50));
  await Promise.all(calls);
  const list = await context.call(() => state.list);
  assert.deepEqual(
    list,
    Array.from({ length: 51 }, (_, i) => i).filter((i) => i === 50 || i % 10 !== 5),
  );
});

inEveryMode('asynchronous calls overlap: a later one can end an earlier one', async ({ open }) => {
  const context = await open();
  const paused = Promise.all([context.call(pause), context.call(pause)]);
  assert.equal(await context.call(release), 2);
  await paused;
});

inEveryMode('generators, async generators and streams arrive as async iterables', async ({ open }) => {
  const context = await open();
  for (const fn of [count, countLater, streamOf]) {
    const seen: number[] = [];
    for await (const value of await context.call(fn, 5)) seen.push(value);
    assert.deepEqual(seen, [0, 1, 2, 3, 4], fn.name);
  }
});

inEveryMode('leaving the loop over a generator runs its finally block', async ({ open }) => {
  const context = await open();
  for (const [fn, text] of [
    [count, 'generator ended'],
    [countLater, 'async generator ended'],
    [streamOf, 'stream cancelled'],
  ] as const) {
    for await (const value of await context.call(fn, 1e9)) if (value === 3) break;
    assert.equal(await context.call(() => state.ended), text);
  }
});

inEveryMode('a generator is held back while nobody reads', async ({ open }) => {
  const context = await open();
  const items = (await context.call(produceChunks))[Symbol.asyncIterator]();
  await items.next();
  const produced = await context.call(turns);
  assert.ok(produced <= 20, `${produced} chunks of 16 KiB for a window of 256 KiB`);
  for (let i = 0; i < 100; i++) assert.equal((await items.next()).value.length, 16384);
  assert.ok((await context.call(turns)) > 100);
  await items.return?.();
  assert.equal(await context.call(() => state.ended), 'producer ended');
});

inEveryMode('an error in a generator reaches the loop', async ({ open }) => {
  const context = await open();
  const items = await context.call(async function* () {
    yield 1;
    throw Object.assign(new RangeError('broken'), { code: 'E_BROKEN' });
  });
  const seen: number[] = [];
  const error = await rejection(
    (async () => {
      for await (const item of items) seen.push(item);
    })(),
  );
  assert.deepEqual(seen, [1]);
  assert.equal(error.message, 'broken');
  assert.equal(error.code, 'E_BROKEN');
});

inEveryMode('with({ timeoutMs }) gives up, and the function there is told by its signal', async ({ open }) => {
  const context = await open();
  const error = await rejection(context.with({ timeoutMs: 40 }).call(untilAborted));
  assert.equal(error.code, 'ERR_MITOS_TIMEOUT');
  assert.match(await context.call(() => state.ended), /^aborted: /);
  assert.equal(await context.with({ timeoutMs: 10_000 }).call(os.hostname), os.hostname());
});

inEveryMode('with({ signal }) rejects with the reason of the signal, and the function there is told', async ({ open }) => {
  const context = await open();
  const controller = new AbortController();
  const call = context.with({ signal: controller.signal }).call(untilAborted);
  await context.call(os.hostname);
  const reason = new Error('changed my mind');
  controller.abort(reason);
  assert.equal(await rejection(call), reason);
  assert.equal(await context.call(() => state.ended), 'aborted: changed my mind');
});

inEveryMode('an aborted signal rejects before anything is sent', async ({ open, router }) => {
  const context = await open();
  const before = router.stats().framesOut;
  const reason = new Error('not today');
  assert.equal(await rejection(context.with({ signal: AbortSignal.abort(reason) }).call(os.hostname)), reason);
  const sent = router.stats().framesOut - before;
  assert.ok(sent <= 1, `${sent} frames`);
});

inEveryMode('a function that spins does not stop shutdown()', async ({ open }) => {
  const context = await open();
  const call = rejection(context.call(spin));
  const start = performance.now();
  await context.shutdown({ graceMs: 50 });
  assert.ok(performance.now() - start < 3000);
  assert.match(String((await call).code), /^ERR_MITOS_(SHUTDOWN|DISCONNECTED|CHILD_EXIT)$/);
  assert.equal(context.connected, false);
});

inEveryMode('shutdown() aborts what runs, waits graceMs for it, and settles closed', async ({ open }) => {
  const context = await open();
  const call = context.call(async () => {
    const { signal } = self();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return 'ended in time';
  });
  const ended = context.shutdown({ graceMs: 5000 });
  assert.equal(await call, 'ended in time');
  await ended;
  assert.equal((await context.closed).code, 'ERR_MITOS_SHUTDOWN');
  assert.equal((await rejection(context.call(os.hostname))).code, 'ERR_MITOS_SHUTDOWN');
  await context.shutdown();
});

inEveryMode('notify() runs a function without a reply; its error is logged here', async ({ open, router }) => {
  const context = await open();
  const logged = new Promise<{ context: unknown; source: string; level: string; text: string }>((resolve) =>
    router.on('log', (record) => {
      if (record.source === 'mitos' && record.level === 'error') resolve(record);
    }),
  );
  context.notify(note, 7);
  context.notify(() => {
    throw new TypeError('nobody waits for this');
  });
  const record = await logged;
  assert.match(record.text, /TypeError: nobody waits for this/);
  assert.equal(record.context, context);
  assert.deepEqual(await context.call(() => state.list), [7]);
});

inEveryMode('after one call of a chain fails the rest fail with its error and do not run, until reset()', async ({ open }) => {
  const context = await open();
  const chain = context.chain();
  const first = chain.call(note, 1);
  const failed = rejection(
    chain.call(() => {
      throw Object.assign(new Error('link broke'), { code: 'E_LINK' });
    }),
  );
  const rest = [rejection(chain.call(note, 2)), rejection(chain.call(note, 3))];
  const [a, b] = await Promise.all(rest);
  assert.equal(await first, 1);
  assert.equal((await failed).message, 'link broke');
  for (const error of [a, b])
    assert.deepEqual([error?.message, (error?.cause as { code?: string } | undefined)?.code], ['link broke', 'E_LINK']);
  assert.deepEqual(await context.call(() => state.list), [1]);
  assert.equal((await rejection(chain.call(note, 4))).message, 'link broke');
  chain.reset();
  assert.equal(await chain.call(note, 5), 2);
});

inEveryMode('calls of a chain run one after the other', async ({ open }) => {
  const context = await open();
  const chain = context.chain();
  const results = [chain.call(pause), chain.call(note, 1), chain.call(note, 2)];
  assert.deepEqual(await context.call(() => state.list), []);
  while ((await context.call(release)) === 0);
  assert.deepEqual(await Promise.all(results), [undefined, 1, 2]);
});

withRouter('a call in a chain that cannot be sent fails the rest of the chain', async ({ router }) => {
  const context = await router.local();
  const chain = context.chain();
  const bad = rejection(chain.call(note, Symbol('nothing') as unknown as number));
  const after = rejection(chain.call(note, 1));
  assert.equal((await bad).code, 'ERR_MITOS_NOT_SENDABLE');
  assert.equal((await after).code, 'ERR_MITOS_NOT_SENDABLE');
  assert.deepEqual(await context.call(() => state.list), []);
});

withRouter('wrong arguments throw TypeError or RangeError at once', async ({ router }) => {
  const context = router.local();
  // oxlint-disable-next-line typescript/no-explicit-any -- that is the point
  const wrong = (value: unknown): any => value;
  const typeErrors = [
    () => context.call(wrong(3)),
    () => context.call(wrong(null)),
    () => context.notify(wrong('x')),
    () => context.chain().call(wrong({})),
    () => context.with({ signal: wrong({}) }),
    () => context.with(wrong(null)),
    () => context.with(wrong(5)),
    () => router.local({ name: wrong(3) }),
    () => router.local({ name: 'a\nb' }),
    () => router.local({ node: wrong(3) }),
    () => router.local({ env: wrong({ A: 1 }) }),
    () => router.local({ cwd: wrong(1) }),
    () => router.local(wrong(null)),
    () => router.local(wrong('web')),
    () => context.import(wrong(5), { from: import.meta.url }),
    () => context.import('node:os', wrong(undefined)),
  ];
  for (const [i, act] of typeErrors.entries()) assert.throws(act, TypeError, `type error ${i}: ${String(act)}`);
  const rangeErrors = [
    () => context.with({ timeoutMs: -1 }),
    () => context.with({ timeoutMs: Number.NaN }),
    () => router.local({ connectTimeoutMs: 0 }),
    () => router.local({ connectTimeoutMs: wrong('1') }),
    () => context.shutdown({ graceMs: -1 }),
  ];
  for (const act of rangeErrors) assert.throws(act, RangeError, String(act));
  await context;
});

withRouter('a context calls itself by the same rules', async ({ router }) => {
  assert.equal(await router.call(note, 1), 1);
  const local = 41;
  assert.equal(await router.self.call(() => local + 1), 42);
  const error = await rejection(
    router.call(() => {
      throw new RangeError('here');
    }),
  );
  assert.deepEqual([error.name, error.code, (error.cause as Error).name], ['CallError', 'ERR_MITOS_CALL', 'RangeError']);
  assert.equal((await rejection(router.with({ timeoutMs: 5 }).call(untilAborted))).code, 'ERR_MITOS_TIMEOUT');
  const reason = new Error('stop');
  assert.equal(await rejection(router.with({ signal: AbortSignal.abort(reason) }).call(pause)), reason);
  const seen: number[] = [];
  for await (const value of await router.call(count, 3)) seen.push(value);
  assert.deepEqual(seen, [0, 1, 2]);
  const far = await router.import<typeof import('node:os')>('node:os', { from: import.meta.url });
  assert.equal(await far.hostname(), os.hostname());
  const chain = router.chain();
  const broken = rejection(chain.call(() => Promise.reject(new Error('link'))));
  const rest = rejection(chain.call(note, 9));
  assert.equal((await broken).message, 'link');
  assert.equal((await rest).message, 'link');
  chain.reset();
  assert.equal(await chain.call(note, 2), 2);
  const logged = new Promise<string>((resolve) => router.on('log', (record) => resolve(record.text)));
  router.notify(() => {
    throw new TypeError('unheard');
  });
  assert.match(await logged, /TypeError: unheard/);
});

inEveryMode('a child calls itself by the same rules', async ({ open }) => {
  const context = await open();
  const result = await context.call(async () => {
    const { context: own } = self();
    const path = await own.import<typeof import('node:path')>('node:path', { from: import.meta.url });
    const error = (await own.call(() => Promise.reject(new RangeError('inside'))).catch((thrown: unknown) => thrown)) as Error;
    return [await own.call(note, 5), await path.basename('/a/b'), error.name, error.message];
  });
  assert.deepEqual(result, [1, 'b', 'CallError', 'inside']);
});

inEveryMode('a thousand calls at once all come back', async ({ open }) => {
  const context = await open();
  const results = await Promise.all(Array.from({ length: 1000 }, (_, i) => context.call(async (n: number) => n * 2, i)));
  assert.deepEqual(
    results,
    Array.from({ length: 1000 }, (_, i) => i * 2),
  );
});
