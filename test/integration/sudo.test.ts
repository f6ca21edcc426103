/** sudo, for real: what its policies make of a connect, with a password, without one, and with a wrong one. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { Secret } from 'mitos';
import { rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { asUser, echo, uid, variable } from '../support/elevated.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withSudo = needs('users', 'sudo');
const test = { test: withSudo };
let user: LabUser;
let other: LabUser;
if (withSudo.skip === false) {
  before(async () => {
    user = await lab.user();
    other = await lab.user();
  });
}

/** A policy that lets the user do everything, with its password. */
const asking = (defaults = ''): string =>
  `Defaults:${user.name} timestamp_timeout=0${defaults && `,${defaults}`}\n${user.name} ALL=(ALL:ALL) ALL`;

const POLICIES: readonly string[] = [
  '',
  'requiretty',
  'use_pty',
  'use_pty,requiretty',
  'pwfeedback',
  'pwfeedback,requiretty',
  'lecture=always',
  'passprompt="Passwort für %p: "',
  'passprompt_override',
  'passprompt="Password: ",passprompt_override',
  '!env_reset',
  'log_output',
  'log_output,use_pty',
  'log_input,log_output,requiretty',
];

for (const policy of POLICIES) {
  treeTest(`sudo with "${policy}" takes a password and carries 5 MB each way`, test, async ({ router }) => {
    const log = policy.includes('log_') ? `,iolog_dir=${lab.directory}/log` : '';
    await using _policy = await lab.sudoers(asking(policy + log));
    const root = asUser(router, user).sudo({ password: new Secret(user.password) });
    assert.equal(await root.call(uid), 0);
    const bytes = Buffer.alloc(5_000_000, 'bytes and more bytes');
    assert.ok(bytes.equals(Buffer.from(await root.call(echo<Uint8Array>, bytes))));
  });
}

for (const policy of ['', 'requiretty', 'passwd_tries=1', 'insults']) {
  treeTest(`sudo with "${policy}" is given a wrong password once`, test, async ({ router, records }) => {
    await using _policy = await lab.sudoers(asking(policy));
    const error = await rejectsWith(asUser(router, user).sudo({ password: new Secret('wrong') }), 'ERR_MITOS_PASSWORD_WRONG');
    assert.match(error.hint ?? '', /once/);
    const told = records.filter(({ text }) => /incorrect password attempt/.test(text));
    assert.ok(!told.some(({ text }) => /[2-9] incorrect/.test(text)));
  });
}

for (const policy of ['', 'requiretty', 'use_pty']) {
  treeTest(`sudo with "${policy}" that wants a password and gets none says so at once`, test, async ({ router }) => {
    await using _policy = await lab.sudoers(asking(policy));
    const error = await rejectsWith(asUser(router, user).sudo(), 'ERR_MITOS_PASSWORD_REQUIRED');
    assert.match(error.message, /sudo: a password is required/);
    assert.match(error.hint ?? '', /password/);
  });

  treeTest(
    `sudo with "${policy}" and NOPASSWD or !authenticate asks nothing, whether a password is given or not`,
    test,
    async ({ router }) => {
      for (const rule of [`${user.name} ALL=(ALL) NOPASSWD: ALL`, `Defaults:${user.name} !authenticate\n${user.name} ALL=(ALL) ALL`]) {
        await using _policy = await lab.sudoers(`${policy && `Defaults:${user.name} ${policy}\n`}${rule}`);
        const start = asUser(router, user);
        assert.equal(await start.sudo().call(uid), 0);
        assert.equal(await start.sudo({ password: 'not needed' }).call(uid), 0);
      }
    },
  );
}

treeTest('sudo remembers a password as its policy says', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_type=global\n${user.name} ALL=(ALL) ALL`);
  const start = asUser(router, user);
  assert.equal(await start.sudo({ password: user.password }).call(uid), 0);
  assert.equal(await start.sudo().call(uid), 0);
  await start.exec(['sudo', '-K']);
  await rejectsWith(start.sudo(), 'ERR_MITOS_PASSWORD_REQUIRED');
});

treeTest('sudo leads to any user, and on from there', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`${asking()}\n${other.name} ALL=(ALL) NOPASSWD: ALL`);
  const second = asUser(router, user).sudo({ username: other.name, password: user.password });
  assert.deepEqual(await Promise.all([second.call(uid), second.sudo().call(uid)]), [other.uid, 0]);
});

treeTest('sudo that wants the password of the user to become gets it', test, async ({ router }) => {
  await using _policy = await lab.sudoers(asking('targetpw'));
  const start = asUser(router, user);
  assert.equal(await start.sudo({ username: other.name, password: other.password }).call(uid), other.uid);
});

treeTest('A line that allows one command, the shell, is enough', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`${user.name} ALL=(root) NOPASSWD: /bin/sh`);
  assert.equal(await asUser(router, user).sudo().call(uid), 0);
});

treeTest('A policy under which the shell may start nothing is told in the words of the shell', test, async ({ router }) => {
  await using _policy = await lab.sudoers(asking('noexec'));
  const error = await rejectsWith(asUser(router, user).sudo({ password: user.password }), 'ERR_MITOS_AUTH');
  assert.match(error.message, /Permission denied/);
});

treeTest('A user who may run another command only is told so in the words of sudo', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0\n${user.name} ALL=(root) /usr/bin/id`);
  const error = await rejectsWith(asUser(router, user).sudo({ password: user.password }), 'ERR_MITOS_AUTH');
  assert.match(error.message, /is not allowed to execute/);
  assert.match(error.hint ?? '', /sudoers: .* \/bin\/sh/);
});

treeTest('A user who is not in sudoers, or does not exist, is told so in the words of sudo', test, async ({ router }) => {
  const error = await rejectsWith(asUser(router, user).sudo({ password: user.password }), 'ERR_MITOS_AUTH');
  assert.match(error.message, /is not in the sudoers file/);
  await using _policy = await lab.sudoers(asking());
  const missing = await rejectsWith(asUser(router, user).sudo({ username: 'nobody-here', password: user.password }), 'ERR_MITOS_AUTH');
  assert.match(missing.message, /unknown user nobody-here/);
  const denied = await rejectsWith(asUser(router, user).sudo({ password: user.password, sudoArgs: ['-g', 'no-group'] }), 'ERR_MITOS_AUTH');
  assert.match(denied.message, /unknown group no-group/);
});

treeTest('An expired password is an error in bounded time, and no new one is set', test, async ({ router }) => {
  await using expired = await lab.user({ isPasswordExpired: true });
  for (const policy of ['', ',requiretty']) {
    await using _policy = await lab.sudoers(`Defaults:${expired.name} timestamp_timeout=0${policy}\n${expired.name} ALL=(ALL) ALL`);
    const error = await rejectsWith(router.sudo({ username: expired.name }).sudo({ password: expired.password }), 'ERR_MITOS_AUTH');
    assert.match(error.message, /has expired/);
    assert.ok((error['elapsedMs'] as number) < 10_000);
  }
});

treeTest('Variables reach a child of sudo where the policy lets them, and none of ours is added', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`${user.name} ALL=(ALL) NOPASSWD: SETENV: ALL`);
  const start = asUser(router, user, { LC_ALL: 'C.UTF-8', MITOS_ONE: '1', MITOS_TWO: '2' });
  const root = start.sudo({ preserveEnv: ['MITOS_ONE'], env: { MITOS_THREE: '3' } });
  const seen = await Promise.all(['LC_ALL', 'LANGUAGE', 'MITOS_ONE', 'MITOS_TWO', 'MITOS_THREE'].map((name) => root.call(variable, name)));
  assert.deepEqual(seen, ['C.UTF-8', undefined, '1', undefined, '3']);
  assert.equal(await start.sudo({ preserveEnv: true }).call(variable, 'MITOS_TWO'), '2');
  assert.equal(await asUser(router, user, { LANGUAGE: 'fr:de' }).sudo().call(variable, 'LANGUAGE'), 'fr:de');
});

treeTest('preserveEnv that the policy does not allow is ERR_MITOS_AUTH', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`${user.name} ALL=(ALL) NOPASSWD: /bin/sh`);
  const start = asUser(router, user, { MITOS_ONE: '1' });
  for (const preserveEnv of [true, ['MITOS_ONE']]) {
    const error = await rejectsWith(start.sudo({ preserveEnv }), 'ERR_MITOS_AUTH');
    assert.match(error.message, /not allowed to (set|preserve) the/);
  }
});

treeTest('setHome gives the home of the user', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`Defaults:${user.name} !env_reset, !always_set_home\n${user.name} ALL=(ALL) NOPASSWD: ALL`);
  const start = asUser(router, user, { HOME: '/nowhere' });
  assert.equal(await start.sudo({ username: other.name, preserveEnv: true }).call(variable, 'HOME'), '/nowhere');
  assert.equal(await start.sudo({ username: other.name, setHome: true }).call(variable, 'HOME'), other.home);
});
