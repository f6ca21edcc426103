/** su: of util-linux for real, others by programs that ask as they do. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { asUser, echo, script, uid, variable } from '../support/elevated.js';
import { type LabShell, type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withSu = needs('users', 'su', 'shells');
const test = { test: withSu };
const users = new Map<LabShell, LabUser>();
const SHELLS = ['sh', 'bash', 'zsh', 'fish', 'tcsh', 'dash', 'ksh', 'ash'] as const;
if (withSu.skip === false) {
  before(async () => {
    for (const shell of [...SHELLS, 'nologin'] as const) users.set(shell, await lab.user({ shell }));
  });
}
const user = (shell: LabShell): LabUser => users.get(shell) ?? assert.fail(`no user with ${shell}`);

for (const shell of SHELLS) {
  treeTest(`su leads to a user with ${shell}, with its password or from root without`, test, async ({ router }) => {
    const { name, password, uid: wanted } = user(shell);
    assert.equal(await router.su({ username: name }).call(uid), wanted);
    const bytes = Buffer.alloc(2_000_000, 'bytes');
    const child = asUser(router, user('sh')).su({ username: name, password });
    assert.equal(await child.call(uid), wanted);
    assert.ok(bytes.equals(Buffer.from(await child.call(echo<Uint8Array>, bytes))));
    assert.equal(await child.call(variable, 'LANGUAGE'), process.env['LANGUAGE']);
  });
}

treeTest('A wrong password is given once, and is ERR_MITOS_PASSWORD_WRONG', test, async ({ router }) => {
  const error = await rejectsWith(
    asUser(router, user('sh')).su({ username: user('bash').name, password: 'wrong' }),
    'ERR_MITOS_PASSWORD_WRONG',
  );
  assert.match(error.message, /su: Authentication failure/);
  assert.match(error.hint ?? '', /once/);
});

treeTest(
  'A password that is needed and not given is ERR_MITOS_PASSWORD_REQUIRED at once, and nothing is typed',
  test,
  async ({ router }) => {
    const error = await rejectsWith(asUser(router, user('sh')).su({ username: user('bash').name }), 'ERR_MITOS_PASSWORD_REQUIRED');
    assert.match(error.message, /it asks "Password: "/);
    assert.match(error.hint ?? '', /password/);
    assert.ok((error['elapsedMs'] as number) < 1000);
  },
);

treeTest('A user that is not there, or has no shell, is ERR_MITOS_AUTH with the words of su', test, async ({ router }) => {
  assert.match((await rejectsWith(router.su({ username: 'nobody-here' }), 'ERR_MITOS_AUTH')).message, /nobody-here does not exist/);
  assert.match((await rejectsWith(router.su({ username: user('nologin').name }), 'ERR_MITOS_AUTH')).message, /not available/);
});

treeTest('An expired password is an error at once: nothing is typed as a new one, not even from root', test, async ({ router }) => {
  await using expired = await lab.user({ isPasswordExpired: true });
  const { name: username, password } = expired;
  for (const child of [asUser(router, user('sh')).su({ username, password }), router.su({ username }), router.su({ username, password })]) {
    const error = await rejectsWith(child, 'ERR_MITOS_AUTH');
    assert.match(error.message, /has expired/);
    assert.ok((error['elapsedMs'] as number) < 5000);
  }
});

treeTest('A su that asks on its stdout, as that of BusyBox does, is answered', test, async ({ router }) => {
  const { path } = script(
    lab,
    'su',
    `printf 'Password: '; IFS= read -r typed; printf '\\n'; [ "$typed" = right ] || { echo 'su: incorrect password' >&2; exit 1; }; exec sh -c "$3"`,
  );
  assert.equal(await router.su({ path, password: 'right' }).call(echo<string>, 'up'), 'up');
  await rejectsWith(router.su({ path, password: 'wrong' }), 'ERR_MITOS_PASSWORD_WRONG');
  await rejectsWith(router.su({ path }), 'ERR_MITOS_PASSWORD_REQUIRED');
});

treeTest('A su that insists on a terminal is given one, as its stdin', test, async ({ router, records }) => {
  const { path } = script(
    lab,
    'su',
    `[ -t 0 ] || { echo 'su: must be run from a terminal' >&2; exit 1; }
printf 'Password: '; IFS= read -r typed; echo; [ "$typed" = right ] || { echo 'su: Authentication failure' >&2; exit 1; }; exec sh -c "$3"`,
  );
  const child = router.su({ path, password: 'right' });
  const bytes = Buffer.alloc(2_000_000, 'bytes\0\r\n\x03\x04');
  assert.ok(bytes.equals(Buffer.from(await child.call(echo<Uint8Array>, bytes))));
  await rejectsWith(router.su({ path, password: 'wrong' }), 'ERR_MITOS_PASSWORD_WRONG');
  await rejectsWith(router.su({ path }), 'ERR_MITOS_PASSWORD_REQUIRED');
  assert.ok(!records.some(({ text }) => /right|wrong/.test(text)));
});

treeTest('Prompts of another language are none: su is asked to speak English', test, async ({ router }) => {
  const { path } = script(
    lab,
    'su',
    `[ "$LANGUAGE" = C ] && p='Password: ' || p='Passwort: '; printf "$p" >&2; IFS= read -r typed; exec sh -c "$3"`,
  );
  const start = router.local({ env: { LANGUAGE: 'de', LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' } });
  const child = start.su({ path, password: 'right' });
  const seen = await Promise.all(['LANGUAGE', 'LANG', 'LC_ALL'].map((name) => child.call(variable, name)));
  assert.deepEqual(seen, ['de', 'de_DE.UTF-8', 'de_DE.UTF-8']);
});
