/** What sudo() makes of its options, and of tools that answer to the name of sudo. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { echo, uid, variable } from '../support/elevated.js';
import { type LabShell, type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withSudo = needs('users', 'sudo', 'shells');
const test = { test: withSudo };
const START_FILES: Partial<Record<LabShell, [string, string]>> = {
  sh: ['.profile', 'export STARTED=sh'],
  bash: ['.bash_profile', 'export STARTED=bash; echo noise; echo more >&2'],
  zsh: ['.zprofile', 'export STARTED=zsh'],
  fish: ['.config/fish/config.fish', 'status is-login; and set -gx STARTED fish'],
  ksh: ['.profile', 'export STARTED=ksh'],
  ash: ['.profile', 'export STARTED=ash'],
  tcsh: ['.tcshrc', 'setenv STARTED tcsh'],
};
const users = new Map<LabShell, LabUser>();
if (withSudo.skip === false) {
  before(async () => {
    for (const [shell, [file, text]] of Object.entries(START_FILES) as [LabShell, [string, string]][]) {
      users.set(shell, await lab.user({ shell, files: { [file]: `${text}\n` } }));
    }
  });
}

for (const shell of Object.keys(START_FILES) as LabShell[]) {
  treeTest(`login starts from a login shell of the user: ${shell}`, test, async ({ router }) => {
    const user = users.get(shell) ?? assert.fail();
    const child = router.sudo({ username: user.name, login: true });
    const names = ['STARTED', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'PWD', 'LANGUAGE'];
    const seen = await Promise.all(names.map((name) => child.call(variable, name)));
    assert.deepEqual(seen, [shell, user.home, user.name, user.name, user.shell, user.home, process.env['LANGUAGE']]);
    assert.equal(await child.call(process.cwd), user.home);
    assert.equal(await child.call(echo<string>, `it's "$HOME" \\ !!`), `it's "$HOME" \\ !!`);
  });
}

treeTest('A user with no login shell can be had without login, and with it is told', test, async ({ router }) => {
  await using closed = await lab.user({ shell: 'nologin' });
  assert.equal(await router.sudo({ username: closed.name }).call(uid), closed.uid);
  const error = await rejectsWith(router.sudo({ username: closed.name, login: true }), 'ERR_MITOS_AUTH');
  assert.match(error.message, /not available/);
});

treeTest('Options reach sudo as arguments', test, async ({ router }) => {
  const sudo = lab.stub('sudo');
  await router.sudo({
    sudoPath: sudo.path,
    username: 'deploy',
    preserveEnv: ['ONE', 'TWO'],
    setHome: true,
    selinuxRole: 'staff_r',
    selinuxType: 'staff_t',
    sudoArgs: ['-k', '--group=web'],
  });
  await router.sudo({ sudoPath: sudo.path, preserveEnv: true, password: 'never asked for' });
  const [first = [], second = []] = sudo.calls().map(({ argv }) => argv.slice(0, argv.indexOf('--') + 2));
  assert.deepEqual(first, [
    ...['-n', '-u', 'deploy', '--preserve-env=ONE,TWO', '-H', '-r', 'staff_r', '-t', 'staff_t', '-k', '--group=web', '--', 'sh'],
  ]);
  assert.match(second[2] ?? '', /^[0-9a-f]{24}$/);
  assert.deepEqual([...second.slice(0, 2), ...second.slice(3)], ['-S', '-p', '-u', 'root', '-E', '--', 'sh']);
});
