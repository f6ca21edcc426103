/** Proving who one is to an sshd: keys, agents, certificates, passwords. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before } from 'node:test';
import { Secret } from 'mitos';
import { findCommand } from '#src/testing/index.js';
import { rejectsWith } from '../fixtures/programs/harness.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { byPassword, count, reaches, sshTest, toUser } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd');
let user: LabUser;
let keys: Sshd;
let passwords: Sshd;
if (here.skip === false) {
  before(async () => {
    user = await lab.user({ shell: 'bash' });
    keys = await lab.sshd({ trustsUserAuthority: true });
    passwords = await lab.sshd({ passwordAuthentication: true, keyboardInteractive: true });
  });
}

sshTest('A key in a file opens an account', here, async ({ router }) => {
  await reaches(router.ssh(toUser(keys, user)), user);
});

sshTest('Of several keys the one that is known opens it', here, async ({ router }) => {
  await reaches(router.ssh(toUser(keys, user, { identityFile: [keys.keys.stranger, keys.keys.plain] })), user);
});

sshTest('A certificate opens an account that knows only the authority', here, async ({ router }) => {
  await reaches(router.ssh(toUser(keys, user, { identityFile: keys.keys.certified })), user);
});

sshTest('A key that nobody knows is ERR_MITOS_AUTH, with the methods that ssh could have used', here, async ({ router }) => {
  const error = await rejectsWith(router.ssh(toUser(keys, user, { identityFile: keys.keys.stranger })), 'ERR_MITOS_AUTH');
  assert.match(error.message, /accepts none of the keys.*Permission denied \(publickey\)/);
  assert.match(String(error.hint), /identityFile/);
  assert.equal(error['exitCode'], 255);
});

sshTest('A key of an agent opens an account', here, async ({ router }) => {
  const socket = join(lab.directory, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  const before = process.env['SSH_AUTH_SOCK'];
  try {
    await once(agent.stdout, 'data');
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    assert.equal(spawnSync('ssh-add', ['-q', keys.keys.plain], { env }).status, 0);
    process.env['SSH_AUTH_SOCK'] = socket;
    const { identityFile: _file, ...options } = toUser(keys, user, { configFile: '/dev/null' });
    await reaches(router.ssh(options), user);
  } finally {
    if (before === undefined) delete process.env['SSH_AUTH_SOCK'];
    else process.env['SSH_AUTH_SOCK'] = before;
    agent.kill();
    await once(agent, 'exit');
  }
});

sshTest('An encrypted key is opened by its passphrase', here, async ({ router }) => {
  const { encrypted, passphrase } = keys.keys;
  await reaches(router.ssh(toUser(keys, user, { identityFile: encrypted, passphrase: new Secret(passphrase) })), user);
});

sshTest('A wrong passphrase is ERR_MITOS_PASSWORD_WRONG, and none is ERR_MITOS_AUTH', here, async ({ router }) => {
  const to = toUser(keys, user, { identityFile: keys.keys.encrypted });
  const wrong = await rejectsWith(router.ssh({ ...to, passphrase: 'closed' }), 'ERR_MITOS_PASSWORD_WRONG');
  assert.match(wrong.message, /passphrase does not open the key/);
  const none = await rejectsWith(router.ssh(to), 'ERR_MITOS_AUTH');
  assert.match(String(none.hint), /passphrase/);
});

sshTest('A password opens an account, and one is needed for each connection only once', here, async ({ router }) => {
  const asked = count(passwords, /Accepted (password|keyboard)/);
  await reaches(router.ssh(byPassword(passwords, user, { password: new Secret(user.password) })), user);
  assert.equal(count(passwords, /Accepted (password|keyboard)/), asked + 1);
});

sshTest('A password opens an account that only asks by keyboard-interactive', here, async ({ router }) => {
  await using interactive = await lab.sshd({ keyboardInteractive: true });
  await reaches(router.ssh(byPassword(interactive, user)), user);
  assert.match(interactive.log(), /Accepted keyboard-interactive/);
});

sshTest('A key and a password open an account that wants both', here, async ({ router }) => {
  await using both = await lab.sshd({ keyboardInteractive: true, lines: ['AuthenticationMethods publickey,keyboard-interactive'] });
  const { encrypted, passphrase } = both.keys;
  await reaches(router.ssh(toUser(both, user, { password: user.password, identityFile: encrypted, passphrase })), user);
});

sshTest('A wrong password is ERR_MITOS_PASSWORD_WRONG after one try', here, async ({ router }) => {
  const tried = count(passwords, /Failed password for/);
  const error = await rejectsWith(router.ssh(byPassword(passwords, user, { password: 'not it' })), 'ERR_MITOS_PASSWORD_WRONG');
  assert.match(String(error.hint), /once/);
  assert.equal(count(passwords, /Failed password for/), tried + 1);
});

sshTest('A wrong password for keyboard-interactive is given once too', here, async ({ router }) => {
  await using interactive = await lab.sshd({ keyboardInteractive: true });
  await rejectsWith(router.ssh(byPassword(interactive, user, { password: 'not it' })), 'ERR_MITOS_PASSWORD_WRONG');
  assert.equal(count(interactive, /PAM: Authentication failure for/), 1);
});

sshTest('A password that is needed and not given is ERR_MITOS_PASSWORD_REQUIRED', here, async ({ router }) => {
  const { password: _none, ...options } = byPassword(passwords, user);
  const error = await rejectsWith(router.ssh(options), 'ERR_MITOS_PASSWORD_REQUIRED');
  assert.match(String(error.hint), /option password/);
});

sshTest('A passphrase is never given for a password', here, async ({ router }) => {
  const { password: _none, ...options } = byPassword(passwords, user, { passphrase: user.password });
  await rejectsWith(router.ssh(options), 'ERR_MITOS_PASSWORD_REQUIRED');
});

sshTest('A password that has expired says so', here, async ({ router }) => {
  await using expired = await lab.user({ isPasswordExpired: true });
  const error = await rejectsWith(router.ssh(byPassword(passwords, expired)), 'ERR_MITOS_AUTH');
  assert.match(error.message, /expired/);
});

sshTest('What else is asked after the password is not answered with it', here, async ({ router }) => {
  await using expired = await lab.user({ isPasswordExpired: true });
  await using interactive = await lab.sshd({ keyboardInteractive: true });
  const error = await rejectsWith(router.ssh(byPassword(interactive, expired)), 'ERR_MITOS_AUTH');
  assert.match(error.message, /it asks ".*expired|it asks ".*change your password/);
  assert.equal(count(interactive, /Accepted/), 0);
});

sshTest('A password has to be one line', here, async ({ router }) => {
  for (const password of ['two\nlines', 'null\0byte', 'return\r']) {
    await rejectsWith(router.ssh(byPassword(passwords, user, { password })), 'ERR_MITOS_TRANSPORT_EXIT');
  }
});

sshTest('The password of a machine is not given to the jump host before it', here, async ({ router }) => {
  const config = join(lab.directory, 'jump-config');
  const { host, port, knownHosts } = passwords;
  const trust = `UserKnownHostsFile ${knownHosts.right}\n  GlobalKnownHostsFile /dev/null`;
  const jump = `Host jump\n  HostName ${host}\n  Port ${port}\n  User ${user.name}\n  PubkeyAuthentication no\n  ${trust}\n`;
  writeFileSync(config, `${jump}Host target\n  HostName ${host}\n  Port ${port}\n  ProxyJump jump\n  ${trust}\n`);
  const tried = count(passwords, /Accepted|Failed (password|keyboard)/);
  const target = { hostname: 'target', username: user.name, configFile: config, password: user.password, connectTimeoutMs: 20_000 };
  const error = await rejectsWith(router.ssh(target), 'ERR_MITOS_AUTH');
  assert.match(error.message, /it asks ".*[Pp]assword: "/);
  assert.match(String(error.hint), /router\.ssh/);
  assert.equal(count(passwords, /Accepted|Failed (password|keyboard)/), tried);
});

sshTest('A client from before SSH_ASKPASS_REQUIRE is given the password too', here, async ({ router }) => {
  const old = lab.stub('ssh').path;
  const real = findCommand('ssh');
  const version = `case "$*" in -V) echo "OpenSSH_8.2p1 Ubuntu-4, OpenSSL 1.1.1f" >&2; exit;; esac`;
  writeFileSync(old, `#!/bin/sh\n${version}\nunset SSH_ASKPASS_REQUIRE\nexec ${real} "$@"\n`);
  chmodSync(old, 0o755);
  await reaches(router.ssh(byPassword(passwords, user, { sshPath: old })), user);
  await using interactive = await lab.sshd({ keyboardInteractive: true });
  await rejectsWith(router.ssh(byPassword(interactive, user, { sshPath: old })), 'ERR_MITOS_PASSWORD_REQUIRED', 'ERR_MITOS_AUTH');
});
