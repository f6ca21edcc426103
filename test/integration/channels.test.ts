/** Receivers and senders. */
import assert from 'node:assert/strict';
import { type Receiver, type Sender, self } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

const kept: { receiver?: Receiver<number>; sender?: Sender<number> } = {};

async function sendAll(sender: Sender<number>, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await sender.send(i);
}

function makeReceiver(): Sender<number> {
  kept.receiver = self().router.receiver<number>();
  return kept.receiver.sender();
}

async function receive(count: number): Promise<number[]> {
  const list: number[] = [];
  for (let i = 0; i < count; i++) list.push(await (kept.receiver as Receiver<number>).get());
  return list;
}

inEveryMode('items of a sender that was handed over arrive in order', async ({ open, router }) => {
  const context = await open();
  const receiver = router.receiver<number>();
  const sent = context.call(sendAll, receiver.sender(), 0, 500);
  for (let i = 0; i < 500; i++) assert.equal(await receiver.get(), i);
  await sent;
  receiver.close();
});

inEveryMode('close() of the sender ends the loop, close(error) makes it throw', async ({ open, router }) => {
  const context = await open();
  const receiver = router.receiver<number>();
  await context.call(async (sender: Sender<number>) => {
    await sender.send(1);
    await sender.send(2);
    sender.close();
  }, receiver.sender());
  const list: number[] = [];
  for await (const item of receiver) list.push(item);
  assert.deepEqual(list, [1, 2]);
  const other = router.receiver<number>();
  await context.call(async (sender: Sender<number>) => {
    await sender.send(1);
    sender.close(new RangeError('went wrong'));
  }, other.sender());
  assert.equal(await other.get(), 1);
  assert.equal((await rejection(other.get())).message, 'went wrong');
});

inEveryMode('send() waits while nobody reads, and fails once the receiver is closed', async ({ open, router }) => {
  const context = await open();
  const receiver = router.receiver<Uint8Array>();
  const progress = router.receiver<number>();
  const sending = rejection(
    context.call(
      async (sender: Sender<Uint8Array>, told: Sender<number>) => {
        for (let i = 1; ; i++) {
          await sender.send(new Uint8Array(65536));
          await told.send(i);
        }
      },
      receiver.sender(),
      progress.sender(),
    ),
  );
  let last = await progress.get();
  for (;;) {
    try {
      last = await progress.get({ timeoutMs: 400 });
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_MITOS_TIMEOUT');
      break;
    }
  }
  assert.ok(last >= 2 && last <= 6, `${last} chunks of 64 KiB passed a window of 256 KiB`);
  await receiver.get();
  await receiver.get();
  await receiver.get();
  assert.ok((await progress.get()) > last);
  receiver.close();
  assert.match(String(((await sending).cause as { code?: string }).code), /^ERR_MITOS_/);
  progress.close();
});

inEveryMode('get() gives up by timeoutMs or signal, and loses nothing', async ({ open, router }) => {
  const context = await open();
  const receiver = router.receiver<number>();
  assert.equal((await rejection(receiver.get({ timeoutMs: 1 }))).code, 'ERR_MITOS_TIMEOUT');
  const controller = new AbortController();
  const waiting = rejection(receiver.get({ signal: controller.signal }));
  const reason = new Error('not now');
  controller.abort(reason);
  assert.equal(await waiting, reason);
  await context.call(sendAll, receiver.sender(), 0, 2);
  assert.deepEqual([await receiver.get(), await receiver.get()], [0, 1]);
  receiver.close();
});

inEveryMode('a context can make a receiver, and its sender is a result', async ({ open }) => {
  const context = await open();
  const sender = await context.call(makeReceiver);
  const got = context.call(receive, 3);
  for (const value of [7, 8, 9]) await sender.send(value);
  assert.deepEqual(await got, [7, 8, 9]);
});

inEveryMode('siblings talk through a sender that was handed over', async ({ open }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const sender = await a.call(makeReceiver);
  const got = a.call(receive, 100);
  await b.call(sendAll, sender, 0, 100);
  assert.deepEqual(
    await got,
    Array.from({ length: 100 }, (_, i) => i),
  );
});

inEveryMode('many senders, here and in several contexts, feed one receiver', async ({ open, router }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const receiver = router.receiver<number>();
  const sent = [a.call(sendAll, receiver.sender(), 0, 10), b.call(sendAll, receiver.sender(), 10, 20), sendAll(receiver.sender(), 20, 30)];
  const got: number[] = [];
  while (got.length < 30) got.push(await receiver.get());
  await Promise.all(sent);
  assert.deepEqual(
    got.sort((x, y) => x - y),
    Array.from({ length: 30 }, (_, i) => i),
  );
  receiver.close();
});

inEveryMode('a sender fails when the context of its receiver ends', async ({ open }) => {
  const context = await open();
  const sender = await context.call(makeReceiver);
  await sender.send(1);
  await context.shutdown();
  assert.match(String((await rejection(sender.send(2))).code), /^ERR_MITOS_(SHUTDOWN|DISCONNECTED)$/);
});

withRouter('a value that cannot be sent leaves the channel as it is', async ({ router }) => {
  const receiver = router.receiver<unknown>();
  const sender = receiver.sender();
  assert.equal((await rejection(sender.send(Symbol('x')))).code, 'ERR_MITOS_NOT_SENDABLE');
  await sender.send({ fine: true });
  assert.deepEqual(await receiver.get(), { fine: true });
  receiver.close();
  receiver.close();
  assert.match(String((await rejection(receiver.get())).code), /^ERR_MITOS_/);
});

withRouter('a receiver ends with the reason when every context that was handed a sender is gone', async ({ router }) => {
  const [a, b] = [await router.local(), await router.local({ threadless: true })];
  const receiver = router.receiver<number>();
  await a.call(sendAll, receiver.sender(), 0, 2);
  await b.call(sendAll, receiver.sender(), 2, 4);
  await a.shutdown();
  const waiting = rejection(
    (async () => {
      for (let count = 0; count < 5; count++) await receiver.get();
    })(),
  );
  await b.call(() => 'b is still there, and so is the receiver');
  await b.shutdown();
  assert.equal((await waiting).code, 'ERR_MITOS_SHUTDOWN');
});

withRouter('a receiver with a sender in its own context does not end when another holder is gone', async ({ router }) => {
  const a = await router.local();
  const receiver = router.receiver<number>();
  const own = receiver.sender();
  await a.call(sendAll, receiver.sender(), 0, 1);
  await a.shutdown();
  await own.send(7);
  assert.deepEqual([await receiver.get(), await receiver.get()], [0, 7]);
  receiver.close();
});
