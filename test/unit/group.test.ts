/** The rules of a group, with contexts that do as they are told. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Context } from '#src/api/context.js';
import { type GroupResult, group } from '#src/api/group.js';
import { ContextOperations } from '#src/api/operations.js';
import { CallError, ChannelError, ConnectError, MitosError } from '#src/core/errors.js';

type Behaviour = (signal: AbortSignal | undefined) => Promise<unknown>;

/** Runs a behaviour instead of a function. */
class FakeContext extends ContextOperations {
  declare readonly runtime: never;
  readonly name: string;
  readonly #behaviour: Behaviour;
  calls = 0;

  constructor(name: string, behaviour: Behaviour) {
    super();
    this.name = name;
    this.#behaviour = behaviour;
  }

  target(): Context {
    return this as unknown as Context;
  }

  override callWith(options: { signal?: AbortSignal }): Promise<unknown> {
    this.calls++;
    return this.#behaviour(options.signal);
  }
}

const gives =
  (value: unknown, ms = 0): Behaviour =>
  () =>
    new Promise((resolve) => setTimeout(resolve, ms, value));
const fails =
  (error: unknown): Behaviour =>
  () =>
    Promise.reject(error);
const waits: Behaviour = (signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));

function members(...behaviours: Behaviour[]): FakeContext[] {
  return behaviours.map((behaviour, index) => new FakeContext(`c${index}`, behaviour));
}

const names = (results: GroupResult<unknown>[]): string[] => results.map(({ context }) => (context as unknown as FakeContext).name);
const noop = (): void => {};

test('Results come in as contexts finish; all() gives them in the order of the contexts', async () => {
  const run = group(members(gives(1, 40), gives(2, 1), gives(3, 20))).call(noop);
  const finished: GroupResult<unknown>[] = [];
  for await (const result of run) finished.push(result);
  assert.deepEqual(names(finished), ['c1', 'c2', 'c0']);
  assert.deepEqual(names(await run.all()), ['c0', 'c1', 'c2']);
  assert.ok((finished[2] as GroupResult<unknown>).ms >= 30);
});

test('A status tells a context that did not answer from a function that failed', async () => {
  const errors = [
    new ChannelError('ERR_MITOS_DISCONNECTED', 'gone'),
    new ConnectError('ERR_MITOS_AUTH', 'no'),
    new CallError('ERR_MITOS_CALL', 'threw', { cause: new ChannelError('ERR_MITOS_DISCONNECTED', 'of somebody else') }),
    new MitosError('ERR_MITOS_TIMEOUT', 'late'),
    new ChannelError('ERR_MITOS_TOO_LARGE', 'big'),
    new Error('plain'),
  ];
  const results = await group(members(...errors.map(fails)))
    .call(noop)
    .all();
  assert.deepEqual(
    results.map(({ status }) => status),
    ['unreachable', 'unreachable', 'failed', 'failed', 'failed', 'failed'],
  );
  assert.deepEqual(
    results.map((result) => (result.status === 'ok' ? undefined : result.error)),
    errors,
  );
});

test('No more contexts work at once than concurrency allows, and all get their turn', async () => {
  let running = 0;
  let most = 0;
  const busy: Behaviour = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
  };
  const results = await group(members(...Array<Behaviour>(20).fill(busy)), { concurrency: 3 })
    .call(noop)
    .all();
  assert.equal(results.length, 20);
  assert.equal(most, 3);
});

test('Leaving the loop early aborts what runs, starts nothing more, and keeps what has come in', async () => {
  const list = members(gives('first', 1), waits, waits, gives('never'));
  const run = group(list, { concurrency: 3 }).call(noop);
  for await (const { context } of run) {
    assert.equal((context as unknown as FakeContext).name, 'c0');
    break;
  }
  const results = await run.all();
  assert.deepEqual(
    results.map(({ status }) => status),
    ['ok', 'failed', 'failed', results[3]?.status],
  );
  assert.equal((results[1] as { error: MitosError }).error.code, 'ERR_MITOS_ABORTED');
});

test('An abort of the signal gives up what runs and starts nothing more', async () => {
  const controller = new AbortController();
  const list = members(waits, gives(1));
  const run = group(list, { concurrency: 1, signal: controller.signal }).call(noop);
  const reason = new Error('enough');
  controller.abort(reason);
  const results = await run.all();
  assert.deepEqual(
    results.map((result) => (result.status === 'ok' ? undefined : result.error)),
    [reason, reason],
  );
  assert.equal((list[1] as FakeContext).calls, 0);
});

test('A group of nobody ends at once', async () => {
  const run = group([]).call(noop);
  assert.deepEqual(await run.all(), []);
  for await (const _ of run) assert.fail();
});

test('A loop that begins late gets everything', async () => {
  const run = group(members(gives(1), gives(2))).call(noop);
  await run.all();
  let seen = 0;
  for await (const { status } of run) {
    assert.equal(status, 'ok');
    seen++;
  }
  assert.equal(seen, 2);
});

test('Wrong arguments throw at once', () => {
  assert.throws(() => group([{} as never]), TypeError);
  assert.throws(() => group([], { concurrency: 0 }), RangeError);
  assert.throws(() => group([], { timeoutMs: -1 }), RangeError);
  assert.throws(() => (group([]).call as (fn: unknown) => unknown)('x'), TypeError);
});
