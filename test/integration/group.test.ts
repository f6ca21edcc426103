/** group() over real contexts. */
import assert from 'node:assert/strict';
import { group, MitosError, self } from 'mitos';
import { withRouter } from './modes-table.js';

withRouter('a group calls a function in every context, and tells failed ones from unreachable ones', async ({ router }) => {
  const [a, b] = await Promise.all([router.local({ name: 'a' }), router.local({ name: 'b' })]);
  const missing = router.local({ name: 'missing', node: '/no/such/node' });
  const lost = await router.local({ name: 'lost' });
  await lost.shutdown();
  const results = await group([a, b, missing, lost])
    .call((bad: string) => {
      const { name } = self().context;
      if (name === bad) throw new Error('as told');
      return name;
    }, 'b')
    .all();
  assert.deepEqual(
    results.map(({ context, status }) => [context.name, status]),
    [
      ['a', 'ok'],
      ['b', 'failed'],
      ['missing', 'unreachable'],
      ['lost', 'unreachable'],
    ],
  );
  assert.equal(results[0]?.status === 'ok' && results[0].value, 'a');
  assert.ok(results[1]?.status === 'failed' && MitosError.is(results[1].error) && results[1].error.message === 'as told');
});

withRouter('a group runs a program in every context; leaving the loop ends those that still run', async ({ router }) => {
  const contexts = ['a', 'b', 'c'].map((name) => router.local({ name, env: { WHO: name } }));
  const run = group(contexts).exec('echo $WHO; [ $WHO = b ] || sleep 100');
  for await (const result of run) {
    assert.equal(result.context.name, 'b');
    assert.equal(result.status === 'ok' && result.value.stdout, 'b\n');
    break;
  }
  assert.deepEqual(
    (await run.all()).map(({ status }) => status),
    ['failed', 'ok', 'failed'],
  );
});
