/** Contexts on threads of this process. */
import assert from 'node:assert/strict';
import { threadId } from 'node:worker_threads';
import { rejection, withRouter } from './modes-table.js';

const store: { value: number } = { value: 0 };

function bump(): number {
  return ++store.value;
}

withRouter('a worker is a thread of the same process with state of its own', async ({ router }) => {
  const [a, b] = await Promise.all([router.worker(), router.worker()]);
  assert.equal((await a.info()).pid, process.pid);
  assert.equal(await a.call(() => process.pid), process.pid);
  const threads = await Promise.all([a.call(() => threadId), b.call(() => threadId)]);
  assert.equal(new Set([threadId, ...threads]).size, 3);
  assert.deepEqual([await a.call(bump), await a.call(bump), await b.call(bump), store.value], [1, 2, 1, 0]);
});

withRouter('a worker of a child is a thread of the child', async ({ router }) => {
  const child = router.local();
  const worker = await child.worker();
  assert.equal((await worker.info()).pid, (await (await child).info()).pid);
  const below = await worker.local();
  assert.notEqual((await below.info()).pid, (await worker.info()).pid);
  await worker.shutdown();
  assert.equal(below.connected, false);
  assert.equal((await child).connected, true);
});

withRouter('a worker that throws outside of any call ends neither itself nor the process', async ({ router }) => {
  const worker = await router.worker();
  const logged = new Promise<string>((resolve) => router.on('log', ({ source, text }) => source === 'mitos' && resolve(text)));
  await worker.call(() => {
    setImmediate(() => {
      throw new Error('out of nowhere');
    });
  });
  assert.match(await logged, /out of nowhere/);
  assert.equal(await worker.call(bump), 1);
});

withRouter('process.exit() in a worker ends the worker only', async ({ router }) => {
  const worker = await router.worker();
  const error = await rejection(worker.call(() => process.exit(4)));
  assert.match(String(error.code), /^ERR_MITOS_/);
  assert.equal((await worker.closed).exitCode, 4);
});

withRouter('env of a worker is its own', async ({ router }) => {
  const worker = await router.worker({ env: { MITOS_TEST_WORKER: 'yes' } });
  assert.equal(await worker.call(() => process.env['MITOS_TEST_WORKER']), 'yes');
  assert.equal(process.env['MITOS_TEST_WORKER'], undefined);
});

withRouter('large values reach a worker whole', async ({ router }) => {
  const worker = await router.worker();
  const bytes = new Uint8Array(5_000_000).map((_, i) => i % 251);
  const back = await worker.call((value: Uint8Array) => value, bytes);
  assert.deepEqual(back, bytes);
});
