import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver } from '#src/core/channel.js';
import { Dispatcher, starting } from '#src/core/dispatcher.js';
import { Endpoint } from '#src/core/endpoint.js';
import { MitosError } from '#src/core/errors.js';
import { CALL, CANCEL, DROP_CHAIN, FIRST_CHANNEL } from '#src/core/handles.js';
import { DEFAULT_LIMITS, type Limits } from '#src/core/limits.js';
import { LiveValues } from '#src/core/live.js';
import { DEAD, ERROR, HEADER, handleOf, jsonFrame, jsonOf, makeFrame, NORMAL } from '#src/core/wire.js';
import '#src/core/whole.js';

const MASTER = 0;
const SELF = 5;

interface Reply {
  call: number;
  kind: 'value' | 'threw' | 'not run' | 'dead';
  value: unknown;
}

interface Bench {
  endpoint: Endpoint;
  dispatcher: Dispatcher;
  functions: Map<string, unknown>;
  replies: Reply[];
  /** Makes a call; gives the handle of its reply. */
  call(ref: string, args?: unknown[], head?: object, from?: number, auth?: number): number;
  notify(ref: string): void;
  cancel(call: number, reason?: string, from?: number): void;
  dropChain(chain: number): void;
  settle(): Promise<void>;
}

function setUp(limits: Partial<Limits> = {}): Bench {
  const replies: Reply[] = [];
  const all = { ...DEFAULT_LIMITS, ...limits };
  const endpoint = new Endpoint(SELF, [3, MASTER], all, (frame) => {
    const flags = frame[2] as number;
    const call = handleOf(frame);
    if (call >= FIRST_CHANNEL) return; // credit of what a reply brought
    if (flags & DEAD) replies.push({ call, kind: 'dead', value: (jsonOf(frame) as { code: string }).code });
    else {
      const value = live.decode(frame);
      if (!(flags & ERROR)) replies.push({ call, kind: 'value', value });
      else replies.push({ call, kind: (value as [number])[0] ? 'threw' : 'not run', value: (value as [number, unknown])[1] });
    }
  });
  const live = new LiveValues(endpoint);
  const functions = new Map<string, unknown>();
  const dispatcher = new Dispatcher(endpoint, live, {
    resolveRef: (ref) => {
      if (!functions.has(ref)) throw new Error(`no ${ref}`);
      return functions.get(ref);
    },
  });
  let next = 100_000;
  const post = (ref: string, args: unknown[], head: object | undefined, from: number, auth: number, replyTo: number): void => {
    const text = head ? `${ref}\n${JSON.stringify(head)}` : ref;
    const message = live.encode(args, 'args', SELF, 2 + text.length);
    message.writeUInt16BE(text.length, HEADER);
    message.write(text, HEADER + 2);
    const frame = makeFrame(NORMAL, SELF, from, CALL, replyTo, message.subarray(HEADER));
    frame.writeUInt32BE(auth, 12);
    endpoint.receive(frame);
  };
  return {
    endpoint,
    dispatcher,
    functions,
    replies,
    call: (ref, args = [], head, from = MASTER, auth = from) => {
      post(ref, args, head, from, auth, ++next);
      return next;
    },
    notify: (ref) => post(ref, [], undefined, MASTER, MASTER, 0),
    cancel: (call, reason = 'enough', from = MASTER) => endpoint.receive(jsonFrame(NORMAL, SELF, from, CANCEL, 0, { call, reason })),
    dropChain: (chain) => endpoint.receive(jsonFrame(NORMAL, SELF, MASTER, DROP_CHAIN, 0, chain)),
    settle: async () => {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    },
  };
}

const codeOf = (error: unknown): string | undefined => (MitosError.is(error) ? error.code : undefined);

/** A promise with its ends. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

test('A call replies with the value, at once or later', async () => {
  const bench = setUp();
  bench.functions.set('add', (a: number, b: number) => a + b);
  bench.functions.set('later', async (value: unknown) => value);
  bench.functions.set('nothing', () => {});
  const calls = [bench.call('add', [1, 2]), bench.call('nothing'), bench.call('later', ['x'])];
  await bench.settle();
  assert.deepEqual(bench.replies, [
    { call: calls[0], kind: 'value', value: 3 },
    { call: calls[1], kind: 'value', value: undefined },
    { call: calls[2], kind: 'value', value: 'x' },
  ]);
  assert.equal(bench.dispatcher.running, 0);
});

test('A reply tells what was thrown from what kept the function from running', async () => {
  const bench = setUp();
  bench.functions.set('throws', () => {
    throw new RangeError('no');
  });
  bench.functions.set('rejects', () => Promise.reject(new RangeError('no')));
  bench.functions.set('object', { not: 'a function' });
  bench.functions.set('unsendable', () => /x/);
  for (const ref of ['throws', 'rejects', 'missing', 'object', 'unsendable']) bench.call(ref);
  await bench.settle();
  assert.deepEqual(
    bench.replies.map((reply) => reply.kind),
    ['threw', 'not run', 'not run', 'not run', 'threw'],
  );
  assert.equal(bench.dispatcher.running, 0);
});

test('Whatever is thrown, the call ends', async () => {
  const bench = setUp({ maxMessageBytes: 100_000 });
  const thrown: unknown[] = [
    undefined,
    null,
    5,
    Symbol('s'),
    () => {},
    Object.create(null),
    new (class {
      toString(): string {
        throw new Error('not even this');
      }
    })(),
    new Error('x'.repeat(200_000)),
    new Proxy({}, { get: () => assert.fail('touched'), getPrototypeOf: () => assert.fail('touched') }),
  ];
  thrown.forEach((value, at) =>
    bench.functions.set(`sync${at}`, () => {
      throw value;
    }),
  );
  thrown.forEach((value, at) => bench.functions.set(`async${at}`, () => Promise.reject(value)));
  for (const ref of bench.functions.keys()) bench.call(ref);
  await bench.settle();
  assert.equal(bench.replies.length, 2 * thrown.length);
  assert.ok(bench.replies.every((reply) => reply.kind === 'threw'));
  assert.equal(bench.dispatcher.running, 0);
});

test('A thenable of any kind counts once', async () => {
  const bench = setUp();
  bench.functions.set('twice', () => ({
    then: (resolve: (value: number) => void, reject: (error: unknown) => void) => {
      resolve(1);
      resolve(2);
      reject(new Error('3'));
    },
  }));
  bench.functions.set('bad', () => ({
    then: () => {
      throw new Error('bad then');
    },
  }));
  bench.call('twice');
  bench.call('bad');
  await bench.settle();
  assert.deepEqual(
    bench.replies.map((reply) => reply.kind),
    ['value', 'threw'],
  );
});

test('A call without the authority of an ancestor is refused, and nothing runs', async () => {
  const bench = setUp();
  let ran = 0;
  bench.functions.set('f', () => ran++);
  for (const auth of [1, 4, 6, 7]) bench.call('f', [], undefined, 7, auth);
  for (const auth of [MASTER, 3, SELF]) bench.call('f', [], undefined, 7, auth);
  await bench.settle();
  assert.equal(ran, 3);
  assert.deepEqual(
    bench.replies.slice(0, 4).map((reply) => reply.value),
    Array(4).fill('ERR_MITOS_POLICY'),
  );
});

test('A call that cannot be read is refused', () => {
  const bench = setUp();
  bench.functions.set('a', () => 1);
  const unreadable = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0xff, 0xff, 1]), Buffer.from([0, 3, 0x61, 0x0a, 0x7b])];
  for (const data of unreadable) bench.endpoint.receive(makeFrame(NORMAL, SELF, MASTER, CALL, 70000, data));
  assert.deepEqual(
    bench.replies.map((reply) => reply.value),
    Array(unreadable.length).fill('ERR_MITOS_PROTOCOL'),
  );
});

test('Calls of one caller start in the order they were made, also when modules have to be fetched first', async () => {
  const bench = setUp();
  const started: string[] = [];
  const note = (name: string) => () => void started.push(name);
  const first = deferred<unknown>();
  const third = deferred<unknown>();
  bench.functions.set('a', first.promise);
  bench.functions.set('b', note('b'));
  bench.functions.set('c', third.promise);
  bench.functions.set('d', note('d'));
  for (const ref of ['a', 'b', 'c', 'd', 'b']) bench.call(ref);
  bench.call('d', [], undefined, 3);
  await bench.settle();
  assert.deepEqual(started, ['d'], 'another caller does not wait');
  third.resolve(note('c'));
  await bench.settle();
  assert.deepEqual(started, ['d']);
  first.resolve(note('a'));
  await bench.settle();
  assert.deepEqual(started, ['d', 'a', 'b', 'c', 'd', 'b']);
  assert.equal(bench.dispatcher.running, 0);
});

test('A module that cannot be fetched fails its call and holds up no other', async () => {
  const bench = setUp();
  bench.functions.set('a', Promise.reject(new Error('no such module')));
  bench.functions.set('b', () => 'b');
  bench.call('a');
  bench.call('b');
  await bench.settle();
  assert.deepEqual(
    bench.replies.map((reply) => reply.kind),
    ['not run', 'value'],
  );
});

test('Calls run side by side, but those of a chain one after the other', async () => {
  const bench = setUp();
  const log: string[] = [];
  const gates = [deferred<void>(), deferred<void>()];
  bench.functions.set('wait', async (at: number) => {
    log.push(`start ${at}`);
    await gates[at]?.promise;
    log.push(`end ${at}`);
  });
  bench.call('wait', [0], { c: 1 });
  bench.call('wait', [1], { c: 1 });
  bench.call('wait', [2], { c: 2 });
  bench.call('wait', [3]);
  await bench.settle();
  assert.deepEqual(log.filter((entry) => entry.startsWith('start')).sort(), ['start 0', 'start 2', 'start 3']);
  gates[0]?.resolve();
  gates[1]?.resolve();
  await bench.settle();
  assert.ok(log.indexOf('end 0') < log.indexOf('start 1'));
});

test('A chain fails together: after an error its calls do not run, until it is dropped', async () => {
  const bench = setUp();
  let ran = 0;
  bench.functions.set('ok', () => ++ran);
  bench.functions.set('fail', () => {
    throw new Error('first');
  });
  bench.call('ok', [], { c: 1 });
  bench.call('fail', [], { c: 1 });
  bench.call('ok', [], { c: 1 });
  bench.call('ok', [], { c: 1 });
  bench.call('ok', [], { c: 2 });
  await bench.settle();
  assert.equal(ran, 2);
  const errors = bench.replies.filter((reply) => reply.kind === 'threw').map((reply) => (reply.value as Error).message);
  assert.deepEqual(errors, ['first', 'first', 'first']);
  bench.dropChain(1);
  bench.call('ok', [], { c: 1 });
  await bench.settle();
  assert.equal(ran, 3);
});

test('Cancelling aborts the signal of a running call, and its result is not sent any more', async () => {
  const bench = setUp();
  let signal: AbortSignal | undefined;
  const gate = deferred<number>();
  bench.functions.set('f', () => {
    signal = starting.invocation?.signal;
    return gate.promise;
  });
  const call = bench.call('f');
  bench.cancel(call, 'changed my mind', 3);
  assert.equal(signal?.aborted, false, 'only the caller can cancel');
  bench.cancel(call, 'changed my mind');
  assert.equal(signal?.aborted, true);
  assert.equal(codeOf(signal?.reason), 'ERR_MITOS_ABORTED');
  assert.match(String(signal?.reason), /changed my mind/);
  gate.resolve(1);
  await bench.settle();
  assert.deepEqual(bench.replies, []);
  assert.equal(bench.dispatcher.running, 0);
});

test('A call that is cancelled before its turn does not run, wherever it waits', async () => {
  const bench = setUp();
  const ran: string[] = [];
  const note = (name: string) => () => void ran.push(name);
  const loading = deferred<unknown>();
  bench.functions.set('slow', loading.promise);
  bench.functions.set('b', note('b'));
  const gate = deferred<void>();
  bench.functions.set('first', () => gate.promise);
  bench.call('first', [], { c: 1 });
  const inChain = bench.call('b', [], { c: 1 });
  const whileLoading = bench.call('slow');
  const behind = bench.call('b');
  const last = bench.call('b');
  for (const call of [inChain, whileLoading, behind]) bench.cancel(call);
  loading.resolve(note('slow'));
  gate.resolve();
  await bench.settle();
  assert.deepEqual(ran, ['b']);
  assert.ok(bench.replies.some((reply) => reply.call === last && reply.kind === 'value'));
  assert.equal(bench.dispatcher.running, 0);
});

test('A call that is given up while its modules never come is not in the way of the next one', async () => {
  const bench = setUp();
  bench.functions.set('never', new Promise(() => {}));
  bench.functions.set('f', () => 1);
  const given = bench.call('never');
  const timed = bench.call('never', [], { d: 1 });
  const next = bench.call('f');
  bench.cancel(given);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await bench.settle();
  assert.deepEqual(
    bench.replies.map(({ call, kind }) => [call, kind]),
    [
      [timed, 'not run'],
      [next, 'value'],
    ],
  );
  assert.equal(bench.dispatcher.running, 0);
});

test('Nonsense about cancelling is ignored', () => {
  const bench = setUp();
  bench.cancel(1);
  for (const value of [null, 5, 'x', [], { call: {} }]) bench.cancel(value as number);
});

test('A call whose time is over is told by its signal', async () => {
  const bench = setUp();
  const aborted = deferred<unknown>();
  bench.functions.set('f', () => {
    const signal = starting.invocation?.signal;
    signal?.addEventListener('abort', () => aborted.resolve(signal.reason));
    return aborted.promise.then(() => 'ended');
  });
  bench.call('f', [], { d: 20 });
  const alive = setTimeout(() => {}, 5000);
  assert.equal(codeOf(await aborted.promise), 'ERR_MITOS_TIMEOUT');
  clearTimeout(alive);
  await bench.settle();
  assert.equal(bench.replies[0]?.value, 'ended');
});

test('The time of a call counts while it waits, and a very long one is no short one', async () => {
  const bench = setUp();
  const loading = deferred<unknown>();
  let ran = 0;
  bench.functions.set('slow', loading.promise);
  bench.functions.set('long', () => deferred().promise);
  bench.call('slow', [], { d: 5 });
  bench.call('long', [], { d: 1e12 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  loading.resolve(() => ran++);
  await bench.settle();
  assert.equal(ran, 0);
  assert.deepEqual(
    bench.replies.map((reply) => [reply.kind, codeOf(reply.value)]),
    [['not run', 'ERR_MITOS_TIMEOUT']],
  );
});

test('A call that wants no reply gets none, and its error is told', async () => {
  const bench = setUp();
  const errors: unknown[] = [];
  bench.dispatcher.onNotifyError = (caller, error) => errors.push([caller, (error as Error).message]);
  bench.functions.set('ok', () => 1);
  bench.functions.set('bad', async () => {
    throw new Error('unheard');
  });
  for (const ref of ['ok', 'bad', 'bad']) bench.notify(ref);
  assert.equal(bench.dispatcher.running, 2, 'each counts');
  await bench.settle();
  assert.deepEqual(bench.replies, []);
  assert.deepEqual(errors, Array(2).fill([MASTER, 'unheard']));
});

test('A generator is sent as something to read from', async () => {
  const bench = setUp();
  bench.functions.set('sync', function* () {
    yield 1;
  });
  bench.functions.set('async', async function* () {
    yield 1;
  });
  bench.call('sync');
  bench.call('async');
  await bench.settle();
  assert.ok(bench.replies.every((reply) => reply.value instanceof Receiver));
});

test('A caller has a bounded number of calls under way', async () => {
  const bench = setUp({ maxCalls: 3 });
  bench.functions.set('hang', () => deferred().promise);
  for (let count = 0; count < 5; count++) bench.call('hang');
  bench.call('hang', [], undefined, 3);
  assert.deepEqual(
    bench.replies.map((reply) => reply.value),
    ['ERR_MITOS_LIMIT', 'ERR_MITOS_LIMIT'],
  );
  assert.equal(bench.dispatcher.running, 4);
});

test('Aborting all calls tells those that run, keeps those that wait from starting, and counts them until they end', async () => {
  const bench = setUp();
  const gate = deferred<string>();
  let signal: AbortSignal | undefined;
  let ran = 0;
  const loading = deferred<unknown>();
  bench.functions.set('f', () => {
    signal = starting.invocation?.signal;
    return gate.promise;
  });
  bench.functions.set('slow', loading.promise);
  bench.call('f');
  bench.call('f', [], undefined, 3);
  bench.call('slow');
  bench.dispatcher.abortAll(new Error('shutdown'));
  assert.equal(signal?.aborted, true);
  assert.equal(bench.dispatcher.running, 3);
  loading.resolve(() => ran++);
  gate.resolve('done in time');
  await bench.settle();
  assert.equal(ran, 0);
  assert.equal(bench.dispatcher.running, 0);
  assert.deepEqual(
    bench.replies.filter((reply) => reply.kind === 'value').map((reply) => reply.value),
    ['done in time', 'done in time'],
  );
});
