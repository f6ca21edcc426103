import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { sshTest } from '../support/ssh.js';
sshTest('inline capture', {}, async ({ router }) => {
  const c = await router.local();
  console.log('up');
  const t = performance.now();
  console.log(await c.with({ timeoutMs: 8000 }).call(() => userInfo().username), performance.now() - t);
  assert.ok(true);
});
