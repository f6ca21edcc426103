import assert from 'node:assert/strict';
import test from 'node:test';
import { Receiver, Sender } from '#src/core/channel.js';
import { MitosError } from '#src/core/errors.js';
import { CALL, FIRST_CHANNEL } from '#src/core/handles.js';
import type { Limits } from '#src/core/limits.js';
import { ERROR, HEADER, makeFrame, NORMAL } from '#src/core/wire.js';
import { createSimulation, type SimulatedContext, type Simulation } from '#src/testing/index.js';

const WINDOW = 65536;

interface Pair {
  tree: Simulation;
  child: SimulatedContext;
  receiver: Receiver<unknown>;
  sender: Sender<unknown>;
}

/** A receiver in the master and a sender for it in a child. */
async function setUp(limits: Partial<Limits> = {}): Promise<Pair> {
  const tree = createSimulation({ seed: 1, link: {}, keepAliveMs: 1e8, limits: { channelWindowBytes: WINDOW, ...limits } });
  const child = tree.spawn();
  await tree.pass(200);
  const receiver = new Receiver<unknown>(tree.master.live.channels);
  const sender = new Sender<unknown>(child.live.channels, 0, receiver.handle);
  return { tree, child, receiver, sender };
}

const codeOf = (error: unknown): string | undefined => (MitosError.is(error) ? error.code : undefined);
const rejectsWith = (promise: Promise<unknown>, code: string): Promise<void> => assert.rejects(promise, (error) => codeOf(error) === code);

async function readAll(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const item of items) got.push(item);
  return got;
}

test('Items come out in the order in which they went in, and the end comes after them', async () => {
  const { tree, receiver, sender } = await setUp();
  for (let at = 0; at < 10; at++) void sender.send(at);
  sender.close();
  await tree.pass(10);
  assert.deepEqual(await readAll(receiver), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(tree.master.live.channels.flows.size, 0);
});

test('A small item does not overtake a large one', async () => {
  const { tree, receiver, sender } = await setUp({ bulkWindowBytes: 65536 });
  const reading = readAll(receiver);
  const sizes = [10, 300_000, 10, 0, 70_000, 1];
  void Promise.all(sizes.map((size) => sender.send(Buffer.alloc(size)))).then(() => sender.close());
  await tree.pass(50);
  assert.deepEqual(
    (await reading).map((item) => (item as Buffer).length),
    sizes,
  );
});

test('A sender waits when a window is full, and what waits unread in the receiver is bounded', async () => {
  const { tree, receiver, sender } = await setUp();
  let sent = 0;
  const sending = (async () => {
    for (let at = 0; at < 1000; at++) {
      await sender.send(Buffer.alloc(1000));
      sent++;
    }
    sender.close();
  })();
  await tree.pass(100);
  assert.ok(sent >= 50 && sent <= WINDOW / 1000 + 1, `${sent} items were sent`);
  const reading = readAll(receiver);
  await tree.pass(1000);
  assert.equal((await reading).length, 1000);
  await sending;
});

test('Empty items are bounded as well', async () => {
  const { tree, sender } = await setUp();
  let sent = 0;
  void (async () => {
    for (;;) {
      await sender.send(undefined);
      sent++;
    }
  })().catch(() => {});
  await tree.pass(100);
  assert.ok(sent <= WINDOW / 64 + 1, `${sent} items were sent`);
});

test('An item larger than a window goes through', async () => {
  const { tree, receiver, sender } = await setUp();
  const reading = readAll(receiver);
  for (let at = 0; at < 5; at++) void sender.send(Buffer.alloc(5 * WINDOW));
  sender.close();
  await tree.pass(200);
  assert.equal((await reading).length, 5);
});

test('Each of several senders has a window of its own', async () => {
  const { tree, child, receiver, sender } = await setUp();
  const other = new Sender<unknown>(child.live.channels, 0, receiver.handle);
  for (let at = 0; at < 200; at++) {
    void sender.send(Buffer.alloc(1000)).catch(() => {});
    void other.send(Buffer.alloc(2000)).catch(() => {});
  }
  await tree.pass(100);
  let bytes = 0;
  for (let at = 0; at < 300; at++) {
    const item = receiver.get();
    await tree.pass(1);
    bytes += ((await item) as Buffer).length;
  }
  assert.ok(bytes > 300_000);
});

test('Closing with an error ends the channel with it, after the items that were sent before', async () => {
  const { tree, receiver, sender } = await setUp();
  void sender.send(1);
  sender.close(Object.assign(new Error('disk full'), { code: 'ENOSPC' }));
  await tree.pass(10);
  assert.equal(await receiver.get(), 1);
  await assert.rejects(
    receiver.get(),
    (error) => (error as Error).message === 'disk full' && (error as NodeJS.ErrnoException).code === 'ENOSPC',
  );
  await assert.rejects(receiver.get(), /disk full/);
});

test('What waits for room is sent before a close takes effect', async () => {
  const { tree, receiver, sender } = await setUp();
  const sends = Array.from({ length: 300 }, () => sender.send(Buffer.alloc(1000)));
  sender.close();
  await tree.pass(10);
  const reading = readAll(receiver);
  await tree.pass(500);
  assert.equal((await reading).length, 300);
  await Promise.all(sends);
});

test('Sending on a channel that was closed here is an error', async () => {
  const { sender } = await setUp();
  sender.close();
  sender.close();
  await rejectsWith(sender.send(1), 'ERR_MITOS_SHUTDOWN');
});

test('Closing the receiver stops the senders, those that wait too, and drops what is unread', async () => {
  const { tree, child, receiver, sender } = await setUp();
  const sends = Array.from({ length: 100 }, () => sender.send(Buffer.alloc(1000)));
  const results = Promise.allSettled(sends);
  await tree.pass(10);
  receiver.close();
  receiver.close();
  await rejectsWith(receiver.get(), 'ERR_MITOS_DISCONNECTED');
  await tree.pass(10);
  assert.ok((await results).some((result) => result.status === 'rejected' && codeOf(result.reason) === 'ERR_MITOS_DISCONNECTED'));
  await rejectsWith(sender.send(1), 'ERR_MITOS_DISCONNECTED');
  assert.deepEqual([tree.master.live.channels.flows.size, child.live.channels.flows.size], [0, 0]);
});

test('A receiver that is closed after its sender closed, with items unread, leaves nothing behind', async () => {
  const { tree, receiver, sender } = await setUp();
  void sender.send(1);
  sender.close();
  await tree.pass(10);
  receiver.close();
  assert.equal(tree.master.live.channels.flows.size, 0);
});

test('Leaving a loop over a receiver closes it', async () => {
  const { tree, receiver, sender } = await setUp();
  void sender.send(1);
  await tree.pass(10);
  for await (const item of receiver) {
    assert.equal(item, 1);
    break;
  }
  await tree.pass(10);
  await rejectsWith(sender.send(2), 'ERR_MITOS_DISCONNECTED');
});

test('Giving up a wait loses no item', async () => {
  const { tree, receiver, sender } = await setUp();
  await rejectsWith(receiver.get({ timeoutMs: 1 }), 'ERR_MITOS_TIMEOUT');
  const controller = new AbortController();
  const aborted = receiver.get({ signal: controller.signal });
  const waiting = receiver.get();
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
  await assert.rejects(receiver.get({ signal: AbortSignal.abort(new Error('at once')) }), /at once/);
  void sender.send('first');
  void sender.send('second');
  await tree.pass(10);
  assert.equal(await waiting, 'first');
  assert.equal(await receiver.get({ timeoutMs: 1000, signal: controller.signal }).catch(() => 'lost'), 'lost');
  assert.equal(await receiver.get({ timeoutMs: 1000 }), 'second');
});

test('Several waits are served in order, and all told of the end', async () => {
  const { tree, receiver, sender } = await setUp();
  const gets = [receiver.get(), receiver.get(), receiver.get()];
  const results = Promise.allSettled(gets);
  void sender.send('a');
  void sender.send('b');
  sender.close();
  await tree.pass(10);
  const [first, second, third] = await results;
  assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'fulfilled', 'rejected']);
  assert.deepEqual(
    [first, second].map((result) => (result as PromiseFulfilledResult<unknown>).value),
    ['a', 'b'],
  );
});

test('A value that cannot be sent is an error at the sender, and the channel lives on', async () => {
  const { tree, receiver, sender } = await setUp({ maxMessageBytes: 10_000 });
  await rejectsWith(sender.send(/x/), 'ERR_MITOS_NOT_SENDABLE');
  await rejectsWith(sender.send(Buffer.alloc(20_000)), 'ERR_MITOS_TOO_LARGE');
  void sender.send('fine');
  await tree.pass(10);
  assert.equal(await receiver.get(), 'fine');
});

test('A sender hears that the receiver’s context is gone', async () => {
  const { tree, child } = await setUp();
  const before = tree.master.live.channels.flows.size;
  const receiver = new Receiver<unknown>(child.live.channels);
  const sender = new Sender<unknown>(tree.master.live.channels, child.id, receiver.handle);
  const sends = Promise.allSettled(Array.from({ length: 100 }, () => sender.send(Buffer.alloc(2000))));
  await tree.pass(10);
  child.kill();
  await tree.pass(1000);
  assert.equal(codeOf(((await sends).at(-1) as PromiseRejectedResult).reason), 'ERR_MITOS_DISCONNECTED');
  assert.equal(tree.master.live.channels.flows.size, before);
});

test('An iterable that was sent gives nothing before it is read, and is told when nobody reads any more', async () => {
  const { tree, child } = await setUp();
  let given = 0;
  let isReturned = false;
  async function* numbers(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        given++;
        yield Buffer.alloc(1000);
      }
    } finally {
      isReturned = true;
    }
  }
  const call = tree.call(tree.master, child, 'echo', [numbers()]);
  await tree.pass(200);
  const items = call.value as Receiver<unknown>;
  assert.ok(items instanceof Receiver);
  assert.ok(given <= 3 * (WINDOW / 1000) + 3, `${given} were made ahead`);
  for (let at = 0; at < 500; at++) {
    const item = items.get();
    await tree.pass(1);
    await item;
  }
  items.close();
  await tree.pass(100);
  assert.equal(isReturned, true);
});

test('An iterable that fails passes its error on', async () => {
  const { tree, child } = await setUp();
  async function* numbers(): AsyncGenerator<number> {
    yield 1;
    throw new RangeError('no more');
  }
  const call = tree.call(tree.master, child, 'echo', [numbers()]);
  await tree.pass(200);
  const items = call.value as Receiver<unknown>;
  assert.equal(await items.get(), 1);
  await assert.rejects(items.get(), /no more/);
});

test('An iterable in a call that nobody takes is let go', async () => {
  const { tree, child } = await setUp();
  child.kill();
  await tree.pass(1000);
  async function* numbers(): AsyncGenerator<number> {
    yield 1;
  }
  const before = tree.master.live.channels.flows.size;
  const call = tree.call(tree.master, child, 'echo', [numbers()]);
  await tree.pass(10);
  assert.equal(codeOf(call.error), 'ERR_MITOS_DISCONNECTED');
  assert.equal(tree.master.live.channels.flows.size, before);
});

test('A peer cannot make a mailbox of this context out of a live value, nor a sender to a mailbox that gives orders', async () => {
  const { tree, child } = await setUp();
  const forged = (type: string, handle: number, id = child.id): Buffer => {
    const message = child.live.encode(['#'], 'value', 0);
    const text = message.toString('latin1', HEADER).replace('"#"', `{"$":"live","v":{"t":"${type}","i":${id},"h":${handle}}}`);
    return Buffer.concat([Buffer.alloc(HEADER), Buffer.from(text, 'latin1')]);
  };
  const before = tree.master.endpoint.size;
  for (const type of ['sender', 'source', 'readable', 'writable', 'signal']) {
    for (const handle of [CALL, 68, FIRST_CHANNEL - 1, -1, 1.5, 2 ** 32]) {
      assert.throws(
        () => tree.master.live.decode(forged(type, handle)),
        (error) => codeOf(error) === 'ERR_MITOS_PROTOCOL',
        `${type} ${handle}`,
      );
    }
    assert.throws(
      () => tree.master.live.decode(forged(type, FIRST_CHANNEL, -1)),
      (error) => codeOf(error) === 'ERR_MITOS_PROTOCOL',
    );
  }
  assert.equal(tree.master.endpoint.size, before);
});

test('A receiver is not brought down by an error that cannot be read, nor by any number of senders', async () => {
  const { tree, receiver } = await setUp();
  const { endpoint } = tree.master;
  for (let handle = 1; handle <= 20_000; handle++) endpoint.receive(makeFrame(NORMAL, 0, 1, receiver.handle, handle));
  const answers: unknown[] = [];
  for (let at = 0; at < 10_000; at++) answers.push(await receiver.get());
  await rejectsWith(receiver.get({ timeoutMs: 1 }), 'ERR_MITOS_TIMEOUT');
  endpoint.receive(makeFrame(NORMAL | ERROR, 0, 1, receiver.handle, 0, Buffer.from('garbage')));
  await rejectsWith(receiver.get(), 'ERR_MITOS_PROTOCOL');
});

test('Handles of channels are not predictable, and never in use', () => {
  const { channels } = createSimulation({ seed: 1 }).master.live;
  const seen = new Set<number>();
  for (let at = 0; at < 1000; at++) {
    const handle = channels.newHandle();
    assert.ok(handle >= FIRST_CHANNEL && handle <= 0xffffffff);
    channels.endpoint.on(handle, () => {});
    seen.add(handle);
  }
  assert.equal(seen.size, 1000);
});
