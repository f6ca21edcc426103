/** Calls that cannot work, or are given up: a typed error in bounded time, and the context lives on. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { self } from 'mitos';
import { errorOf, MODES, rejectsWith, treeTest } from '../fixtures/programs/harness.js';

function add(a: number, b: number): number {
  return a + b;
}

function hang(): Promise<never> {
  return new Promise(() => {});
}

function take(_value: unknown): string {
  return 'taken';
}

class Profile {
  name = 'x';
}

function giveUnsendable(): unknown {
  return { list: [1, { profile: new Profile() }] };
}

function giveFunction(): unknown {
  return { callback: () => 1 };
}

function giveBytes(size: number): Uint8Array {
  return new Uint8Array(size);
}

function countRuns(): number {
  const shared = globalThis as { runs?: number };
  shared.runs = (shared.runs ?? 0) + 1;
  return shared.runs;
}

function untilAborted(): Promise<string> {
  const { signal } = self();
  const shared = globalThis as { seen?: string };
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => {
      shared.seen = String((signal.reason as Error | undefined)?.message ?? 'aborted');
      resolve('late');
    }),
  );
}

async function whatWasSeen(): Promise<string> {
  const shared = globalThis as { seen?: string };
  for (let n = 0; n < 500 && shared.seen === undefined; n++) await new Promise((resolve) => setTimeout(resolve, 2));
  return shared.seen ?? 'nothing';
}

function throwOdd(kind: string): never {
  if (kind === 'null') throw null;
  if (kind === 'string') throw 'a text';
  if (kind === 'function') throw () => 1;
  if (kind === 'getter') {
    throw Object.defineProperty(new Error('odd'), 'stack', {
      get(): never {
        throw new Error('no stack');
      },
    });
  }
  throw new Error('x'.repeat(1e6));
}

for (const mode of MODES) {
  treeTest(`A function that captures a local is refused before anything is sent to a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const framesBefore = router.stats().framesOut;
    const captured = Math.random();
    const error = await rejectsWith(
      child.call(() => captured),
      'ERR_MITOS_CAPTURE',
    );
    assert.match(error.message, /captured/);
    assert.match(error.message, /faults-calls\.test\.[jt]s:\d+/);
    assert.equal(router.stats().framesOut, framesBefore);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`An argument that cannot be sent is refused with its path, by the master of a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const error = await rejectsWith(child.call(take, { a: [{ user: new Profile() }] }), 'ERR_MITOS_NOT_SENDABLE');
    assert.match(error.message, /args\[0\]\.a\[0\]\.user: an instance of class Profile/);
    const fn = await rejectsWith(child.call(take, [() => 1]), 'ERR_MITOS_NOT_SENDABLE');
    assert.match(fn.message, /args\[0\]\[0\]/);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A result that cannot be sent is refused with its path, by a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const error = await rejectsWith(child.call(giveUnsendable), 'ERR_MITOS_NOT_SENDABLE');
    assert.match(error.message, /result\.list\[1\]\.profile: an instance of class Profile/);
    assert.match((await rejectsWith(child.call(giveFunction), 'ERR_MITOS_NOT_SENDABLE')).message, /result\.callback/);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(
    `A message over the limit is refused at its sender, and the link to a ${mode.name} child lives on`,
    { limits: { maxMessageBytes: 200_000 } },
    async ({ router }) => {
      const child = await mode.open(router);
      const up = await rejectsWith(child.call(take, new Uint8Array(200_001)), 'ERR_MITOS_TOO_LARGE');
      assert.match(up.message, /args.*200000 \(maxMessageBytes\)/);
      const down = await rejectsWith(child.call(giveBytes, 200_001), 'ERR_MITOS_TOO_LARGE');
      assert.match(down.message, /result.*200000 \(maxMessageBytes\)/);
      assert.equal((await child.call(giveBytes, 190_000)).length, 190_000);
      assert.equal(await child.call(take, new Uint8Array(190_000)), 'taken');
    },
  );

  treeTest(`Whatever is thrown in a ${mode.name} child arrives as the cause of a CallError`, {}, async ({ router }) => {
    const child = await mode.open(router);
    for (const kind of ['null', 'string', 'function', 'getter', 'large']) {
      const error = await rejectsWith(child.call(throwOdd, kind), 'ERR_MITOS_CALL');
      assert.equal(typeof error.message, 'string');
      assert.equal(typeof error.stack, 'string');
      if (kind === 'null') assert.equal(error.cause, null);
      if (kind === 'string') assert.equal(error.cause, 'a text');
    }
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A call to a ${mode.name} child whose signal is aborted before is never sent`, {}, async ({ router }) => {
    const child = await mode.open(router);
    await child.call(add, 1, 1);
    const framesBefore = router.stats().framesOut;
    const reason = new Error('not wanted');
    assert.equal(await errorOf(child.with({ signal: AbortSignal.abort(reason) }).call(countRuns)), reason as never);
    assert.equal(router.stats().framesOut, framesBefore);
    assert.equal(await child.call(countRuns), 1);
  });

  treeTest(
    `Aborting a call to a ${mode.name} child rejects with the signal's reason at once and aborts the signal there`,
    {},
    async ({ router }) => {
      const child = await mode.open(router);
      await child.call(add, 1, 1);
      const controller = new AbortController();
      const call = child.with({ signal: controller.signal }).call(untilAborted);
      const reason = new Error('changed my mind');
      controller.abort(reason);
      assert.equal(await errorOf(call), reason as never);
      assert.equal(await child.call(whatWasSeen), 'changed my mind');
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    },
  );

  treeTest(`Aborting after the reply of a ${mode.name} child has no effect`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const controller = new AbortController();
    assert.equal(await child.with({ signal: controller.signal }).call(add, 1, 2), 3);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    controller.abort();
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A call to a ${mode.name} child that takes longer than timeoutMs rejects with ERR_MITOS_TIMEOUT`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const start = performance.now();
    const error = await rejectsWith(child.with({ timeoutMs: 50 }).call(hang), 'ERR_MITOS_TIMEOUT');
    assert.ok(performance.now() - start < 500);
    assert.match(error.message, /50 ms/);
    assert.deepEqual(error.via, [child.name]);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`Calls to a ${mode.name} child after its shutdown reject at once`, {}, async ({ router }) => {
    const child = await mode.open(router);
    await child.shutdown();
    await child.shutdown();
    const start = performance.now();
    await rejectsWith(child.call(add, 1, 2), 'ERR_MITOS_SHUTDOWN');
    await rejectsWith(mode.open(child), 'ERR_MITOS_SHUTDOWN');
    assert.ok(performance.now() - start < 100);
    await router.close();
    await router.close();
    await rejectsWith(mode.open(router), 'ERR_MITOS_SHUTDOWN');
    await rejectsWith(child.call(add, 1, 2), 'ERR_MITOS_SHUTDOWN');
  });

  treeTest(
    `A receiver that nobody reads holds back the ${mode.name} child that sends to it`,
    { limits: { channelWindowBytes: 65_536 } },
    async ({ router }) => {
      const child = await mode.open(router);
      const receiver = router.receiver<Uint8Array>();
      const sent = await child.call(sendUnread, receiver.sender());
      assert.ok(sent >= 65_536 / 8192 && sent <= 4 * (65_536 / 8192), `${sent} items went out`);
      assert.equal(await child.call(add, 1, 2), 3);
      receiver.close();
    },
  );
}

async function sendUnread(sender: { send(value: Uint8Array): Promise<void> }): Promise<number> {
  let sent = 0;
  void (async () => {
    for (; sent < 10_000; sent++) await sender.send(new Uint8Array(8192));
  })().catch(() => {});
  for (let before = -1; before !== sent; ) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return sent;
}

treeTest('Wrong arguments throw at once, without any context', {}, async ({ router }) => {
  const bad = router as unknown as { local(options: unknown): unknown };
  for (const options of [{ name: '' }, { name: 'a\nb' }, { node: '' }, { node: [] }, { node: 5 }, { cwd: 5 }, { env: { A: 1 } }]) {
    assert.throws(() => bad.local(options), TypeError, JSON.stringify(options));
  }
  assert.throws(() => bad.local({ connectTimeoutMs: 0 }), RangeError);
  assert.throws(() => router.self.with({ timeoutMs: -1 }), RangeError);
  assert.throws(() => router.self.with({ signal: {} as AbortSignal }), TypeError);
  await assert.rejects(async () => (router.self as unknown as { call(text: string): Promise<void> }).call('text'), TypeError);
  assert.equal(router.contexts().length, 1);
});
