/** runuser, for real, and run0, by a program that asks and refuses as it does. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { asUser, echo, uid } from '../support/elevated.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withUsers = needs('users', 'su');
const test = { test: withUsers };
let user: LabUser;
let closed: LabUser;
if (withUsers.skip === false) {
  before(async () => {
    user = await lab.user({ shell: 'fish' });
    closed = await lab.user({ shell: 'nologin' });
  });
}

treeTest('runuser leads from root to any user, whatever its shell', test, async ({ router }) => {
  for (const { name, uid: wanted } of [user, closed]) assert.equal(await router.runuser({ username: name }).call(uid), wanted);
});

treeTest('runuser from another user, or to nobody, is ERR_MITOS_AUTH with its own words', test, async ({ router }) => {
  const refused = await rejectsWith(asUser(router, user).runuser({ username: closed.name }), 'ERR_MITOS_AUTH');
  assert.match(refused.message, /may not be used by non-root users/);
  const missing = await rejectsWith(router.runuser({ username: 'nobody-here' }), 'ERR_MITOS_AUTH');
  assert.match(missing.message, /nobody-here does not exist/);
});

treeTest('A child of runuser ends without a word about it', test, async ({ router, records }) => {
  const child = await router.runuser({ username: user.name });
  await child.shutdown();
  assert.deepEqual(
    records.map(({ text }) => text),
    [],
  );
});

treeTest('run0 gets its arguments, asks nothing without a password, and is answered on a terminal with one', test, async ({ router }) => {
  const quiet = lab.stub('run0');
  assert.equal(await router.run0({ path: quiet.path, username: user.name }).call(echo<string>, 'up'), 'up');
  const [argv = []] = quiet.calls().map((call) => call.argv);
  assert.deepEqual(argv.slice(0, 4), ['--no-ask-password', `--user=${user.name}`, '--', 'sh']);
  const banner = '==== AUTHENTICATING FOR org.freedesktop.systemd1.manage-units ====\nAuthenticating as: root\n';
  const asking = lab.stub('run0', {
    stderr: banner,
    prompt: { text: 'Password: ', password: 'right', wrong: '==== AUTHENTICATION FAILED ====' },
  });
  assert.equal(await router.run0({ path: asking.path, password: 'right' }).call(echo<string>, 'up'), 'up');
  await rejectsWith(router.run0({ path: asking.path, password: 'wrong' }), 'ERR_MITOS_PASSWORD_WRONG');
});

treeTest('What polkit refuses is told', test, async ({ router }) => {
  const interactive = 'Failed to start transient service unit: Interactive authentication required.\n';
  const needy = lab.stub('run0', { refuses: { stderr: interactive, exitCode: 1 } });
  await rejectsWith(router.run0({ path: needy.path }), 'ERR_MITOS_PASSWORD_REQUIRED');
  const strict = lab.stub('run0', { refuses: { stderr: 'Failed to start transient service unit: Access denied\n', exitCode: 1 } });
  await rejectsWith(router.run0({ path: strict.path }), 'ERR_MITOS_AUTH');
});
