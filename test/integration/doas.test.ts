/** doas, for real: its policies, its password on a terminal of its own. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { asUser, echo, uid, variable } from '../support/elevated.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withDoas = needs('users', 'doas');
const test = { test: withDoas };
let user: LabUser;
let other: LabUser;
if (withDoas.skip === false) {
  before(async () => {
    user = await lab.user();
    other = await lab.user();
    // Without any line doas refuses to run.
    await lab.doas(`permit nopass ${other.name} as root`);
  });
}

treeTest('doas takes a password and carries 5 MB each way', test, async ({ router, records }) => {
  await using _policy = await lab.doas(`permit ${user.name} as root`);
  const root = asUser(router, user).doas({ password: user.password });
  assert.equal(await root.call(uid), 0);
  const bytes = Buffer.alloc(5_000_000, 'bytes\0\r\n\x03\x04');
  assert.ok(bytes.equals(Buffer.from(await root.call(echo<Uint8Array>, bytes))));
  assert.equal(await root.call(variable, 'LANGUAGE'), undefined);
  assert.deepEqual(
    records.filter(({ source }) => source === 'stderr'),
    [],
  );
});

treeTest('doas without a password works where it is not asked for, and says so where it is', test, async ({ router }) => {
  assert.equal(await asUser(router, other).doas().call(uid), 0);
  assert.equal(await asUser(router, other).doas({ password: 'not needed' }).call(uid), 0);
  await using _policy = await lab.doas(`permit ${user.name} as root`);
  const error = await rejectsWith(asUser(router, user).doas(), 'ERR_MITOS_PASSWORD_REQUIRED');
  assert.match(error.message, /doas: Auth\w+ required/);
  assert.match(error.hint ?? '', /password/);
});

treeTest('A wrong password is given once', test, async ({ router }) => {
  await using _policy = await lab.doas(`permit ${user.name} as root`);
  const error = await rejectsWith(asUser(router, user).doas({ password: 'wrong' }), 'ERR_MITOS_PASSWORD_WRONG');
  assert.match(error.message, /doas: Authentication failed/);
});

treeTest('Who may not become whom is told in the words of doas', test, async ({ router }) => {
  for (const given of [{}, { password: user.password }]) {
    const error = await rejectsWith(asUser(router, user).doas(given), 'ERR_MITOS_AUTH');
    assert.match(error.message, /doas: Operation not permitted/);
    assert.match(error.hint ?? '', /doas\.conf/);
  }
  const missing = await rejectsWith(asUser(router, other).doas({ username: 'nobody-here' }), 'ERR_MITOS_AUTH');
  assert.match(missing.message, /doas: unknown user/);
});

treeTest('doas leads to any user, and on from there', test, async ({ router }) => {
  await using _policy = await lab.doas(`permit nopass ${user.name} as ${other.name}`);
  const second = asUser(router, user).doas({ username: other.name });
  assert.deepEqual(await Promise.all([second.call(uid), second.doas().call(uid)]), [other.uid, 0]);
});
