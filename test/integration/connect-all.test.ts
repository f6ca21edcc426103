/** Many connections at once, and chains written as texts. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { type Connected, type Spec } from 'mitos';
import { withRouter } from './modes-table.js';

withRouter('connect() goes through all steps of a chain in one go', async ({ router }) => {
  const last = router.connect('local?name=one,local?threadless=true,worker');
  assert.equal(await last.call(os.hostname), os.hostname());
  assert.deepEqual(
    router.tree().map((row) => row.name),
    ['master', 'one', 'one.local', 'one.local.worker'],
  );
});

withRouter('connectAll() gives every result, also of specs that are wrong or lead nowhere', async ({ router }) => {
  const specs: Spec[] = ['local', { method: 'local', node: '/nonexistent/node' }, 'ssh:-x', [{ method: 'local' }, { method: 'worker' }]];
  const results: Connected[] = [];
  for await (const result of router.connectAll(specs)) results.push(result);
  const statusOf = new Map(results.map((result) => [result.spec, result.status]));
  assert.deepEqual(
    specs.map((spec) => statusOf.get(spec)),
    ['ok', 'unreachable', 'failed', 'ok'],
  );
  assert.ok(results.every((result) => result.ms >= 0));
});

withRouter('what several specs begin with is connected once', async ({ router }) => {
  const specs: Spec[] = ['local?name=hop,worker', 'local?name=hop,worker?name=b', 'local?name=hop,local'];
  const results = await router.connectAll(specs).all();
  assert.deepEqual(
    results.map((result) => result.status),
    ['ok', 'ok', 'ok'],
  );
  assert.equal(router.contexts().filter((context) => context.via === router.self).length, 1);
});

withRouter('no hop has more connections under way than perHop allows', async ({ router }) => {
  let most = 0;
  const open = router.open.bind(router);
  let now = 0;
  router.open = (method, options) => {
    most = Math.max(most, ++now);
    const promise = open(method, options);
    void promise.then(() => now--);
    return promise;
  };
  const results = await router
    .connectAll(
      Array.from({ length: 12 }, () => 'worker'),
      { perHop: 3 },
    )
    .all();
  assert.equal(results.filter((result) => result.status === 'ok').length, 12);
  assert.equal(most, 3);
});

withRouter('an abort gives up what is not connected yet, and nothing of it stays', async ({ router }) => {
  const controller = new AbortController();
  const silent: Spec = { method: 'local', node: ['sh', '-c', 'exec sleep 1000'] };
  const run = router.connectAll([silent, silent, 'local'], { signal: controller.signal });
  for await (const { status } of run) {
    assert.equal(status, 'ok');
    break;
  }
  controller.abort(new Error('enough'));
  const results = await run.all();
  assert.deepEqual(
    results.map((result) => result.status),
    ['failed', 'failed', 'ok'],
  );
});
