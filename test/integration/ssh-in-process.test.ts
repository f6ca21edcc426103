/** ssh with the client in this process: how it logs in, whom it trusts, and what it says when it fails. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { before } from 'node:test';
import { type ContextPromise, type MitosError, Router, type SshOptions } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, noise, openLab, type Sshd } from '../support/lab/index.js';
import { visible } from '../support/ssh.js';
import { rejection } from './modes-table.js';
import { endSessions } from './ssh-sessions.js';

type Failure = MitosError & { reason?: string; methods?: string[]; stderr: string[] };

const sshd = needs('sshd');
const lab = openLab();
let keyed: Sshd;
let asking: Sshd;
let user: LabUser;
if (!sshd.skip) {
  before(async () => {
    user = await lab.user();
    keyed = await lab.sshd();
    asking = await lab.sshd({ passwordAuthentication: true });
  });
}

/** An empty configuration, so that nothing of whoever runs the tests plays a part. */
let configs = 0;
function config(text = ''): string {
  const file = join(lab.directory, `config-${++configs}`);
  writeFileSync(file, `IdentityAgent none\n${text}`);
  return file;
}

function login(router: Router, server: Sshd, options: Partial<SshOptions> = {}): ContextPromise {
  const { host, port, knownHosts } = server;
  const base: SshOptions = { hostname: host, port, username: user.name, knownHosts: knownHosts.right, transport: 'in-process' };
  return router.ssh({ configFile: config(), identityFile: [], ...base, ...options });
}

async function userOf(context: ContextPromise): Promise<string> {
  return context.call(() => os.userInfo().username);
}

function sshTest(name: string, fn: (router: Router) => Promise<void>, timeoutMs = 30_000): void {
  testWithOracle(name, { ...sshd, timeoutMs }, async () => {
    await using router = new Router({ logger: false });
    await fn(router);
  });
}

async function failureOf(context: ContextPromise): Promise<Failure> {
  return (await rejection(context)) as Failure;
}

sshTest("a host of the user's configuration is reached by its name there", async (router) => {
  const context = router.ssh({ hostname: 'lab', username: user.name, configFile: keyed.clientConfig, transport: 'in-process' });
  assert.equal(await userOf(context), user.name);
});

sshTest('a key file opens the door, and an encrypted one with its passphrase', async (router) => {
  const { plain, encrypted, passphrase } = keyed.keys;
  assert.equal(await userOf(login(router, keyed, { identityFile: plain })), user.name);
  assert.equal(await userOf(login(router, keyed, { identityFile: encrypted, passphrase })), user.name);
});

sshTest('a key that needs a passphrase is named when there is none, or a wrong one', async (router) => {
  const { encrypted } = keyed.keys;
  const missing = await failureOf(login(router, keyed, { identityFile: encrypted }));
  assert.equal(missing.code, 'ERR_MITOS_PASSWORD_REQUIRED');
  assert.ok(missing.message.includes(encrypted), missing.message);
  const wrong = await failureOf(login(router, keyed, { identityFile: encrypted, passphrase: 'xyzzy' }));
  assert.equal(wrong.code, 'ERR_MITOS_PASSWORD_WRONG');
  assert.ok(wrong.message.includes(encrypted) && !wrong.message.includes('xyzzy'), wrong.message);
});

sshTest('a key of the agent opens the door, and others of it are not offered when one is named', async (router) => {
  const socket = join(lab.directory, 'agent');
  const [, pid] = /SSH_AGENT_PID=(\d+)/.exec(execFileSync('ssh-agent', ['-s', '-a', socket], { encoding: 'utf8' })) ?? [];
  try {
    const add = (key: string): unknown =>
      execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
    add(keyed.keys.stranger);
    add(keyed.keys.plain);
    const configFile = join(lab.directory, 'config-agent');
    writeFileSync(configFile, `IdentityAgent ${socket}\n`);
    const { host, port, knownHosts } = keyed;
    const options: SshOptions = {
      hostname: host,
      port,
      username: user.name,
      knownHosts: knownHosts.right,
      configFile,
      transport: 'in-process',
    };
    assert.equal(await userOf(router.ssh(options)), user.name);
    const failure = await failureOf(router.ssh({ ...options, identityFile: keyed.keys.stranger }));
    assert.equal(failure.code, 'ERR_MITOS_AUTH');
    assert.match(failure.message, /none of 1 keys was accepted \(it takes publickey\)/);
  } finally {
    process.kill(Number(pid));
  }
});

sshTest('a password opens the door, asked for in either way', async (router) => {
  await using dialogue = await lab.sshd({ keyboardInteractive: true });
  for (const server of [asking, dialogue]) {
    assert.equal(await userOf(login(router, server, { password: user.password })), user.name);
  }
});

for (const right of [true, false]) {
  sshTest(`a ${right ? 'right' : 'wrong'} password is in no arguments, environment, log record or error`, async (router) => {
    const secret = `canary${Math.random().toString(36).slice(2)}`;
    await using holder = await lab.user({ password: right ? secret : 'another' });
    let seen = '';
    let isOver = false;
    router.on('log', ({ text }) => (seen += text));
    const connecting = login(router, asking, { username: holder.name, password: secret, debugLevel: 3 });
    const there = connecting.call(() => JSON.stringify([process.argv, process.env]));
    const done = there.catch((error: Error) => `${error.stack}${JSON.stringify(error)}`);
    void done.finally(() => (isOver = true));
    while (!isOver) {
      seen += visible();
      await new Promise((resolve) => setImmediate(resolve));
    }
    seen += (await done) + visible() + asking.log();
    assert.ok(seen.includes(holder.name), 'something was looked at');
    for (const form of ['utf8', 'base64', 'hex'] as const) {
      assert.ok(!seen.includes(Buffer.from(secret).toString(form).replace(/=+$/, '')), form);
    }
  });
}

sshTest('a wrong password is sent once, and a missing one is asked for', async (router) => {
  await using password = await lab.sshd({ passwordAuthentication: true });
  await using dialogue = await lab.sshd({ keyboardInteractive: true });
  await using both = await lab.sshd({ passwordAuthentication: true, keyboardInteractive: true });
  for (const server of [password, dialogue, both]) {
    const wrong = await failureOf(login(router, server, { password: 'xyzzy' }));
    assert.equal(wrong.code, 'ERR_MITOS_PASSWORD_WRONG', wrong.message);
    assert.ok(!JSON.stringify(wrong).includes('xyzzy'));
    assert.equal(server.log().match(/: Authentication failure/g)?.length, 1, server.log());
    const missing = await failureOf(login(router, server));
    assert.equal(missing.code, 'ERR_MITOS_PASSWORD_REQUIRED', missing.message);
  }
});

sshTest('a password that has expired is told, and nothing is typed into the change of it', async (router) => {
  await using expired = await lab.user({ isPasswordExpired: true });
  await using dialogue = await lab.sshd({ keyboardInteractive: true });
  for (const server of [asking, dialogue]) {
    const failure = await failureOf(login(router, server, { username: expired.name, password: expired.password }));
    assert.match(failure.code, /^ERR_MITOS_(AUTH|PASSWORD_WRONG|TTY_REQUIRED|TRANSPORT_EXIT)$/);
    assert.match(failure.message, /expired|change|more than a password/i);
  }
});

sshTest('a server that wants a key and a password gets both', async (router) => {
  await using server = await lab.sshd({ passwordAuthentication: true, lines: ['AuthenticationMethods publickey,password'] });
  const options = { identityFile: server.keys.plain };
  assert.equal(await userOf(login(router, server, { ...options, password: user.password })), user.name);
  const failure = await failureOf(login(router, server, options));
  assert.equal(failure.code, 'ERR_MITOS_AUTH');
  assert.match(failure.message, /wants more of .*: password/);
});

sshTest('a host is known by its name, plain or hashed', async (router) => {
  const { right, hashed } = keyed.knownHosts;
  for (const knownHosts of [right, hashed, [keyed.knownHosts.empty, hashed]]) {
    assert.equal(await userOf(login(router, keyed, { knownHosts, identityFile: keyed.keys.plain })), user.name);
  }
});

sshTest('a host that is not known, has another key, or a revoked one gets no byte of authentication', async (router) => {
  await using server = await lab.sshd({ hasHostCertificate: true });
  const { empty, changed, revoked, authority } = server.knownHosts;
  const cases: [string, string, RegExp, SshOptions['hostKeys']?][] = [
    [empty, 'unknown', /is not known/],
    [changed, 'changed', /is not the one that is known \(.*:1\)/],
    [changed, 'changed', /is not the one that is known/, 'accept-new'],
    [revoked, 'revoked', /is revoked \(.*:2\)/],
    [revoked, 'revoked', /is revoked/, 'ignore'],
    [authority, 'unknown', /:1 names only an authority/],
    [authority, 'unknown', /names only an authority/, 'accept-new'],
  ];
  for (const [knownHosts, reason, message, hostKeys = 'enforce'] of cases) {
    const failure = await failureOf(login(router, server, { knownHosts, hostKeys, identityFile: server.keys.plain }));
    assert.deepEqual([failure.code, failure.reason], ['ERR_MITOS_HOST_KEY', reason], failure.message);
    assert.match(failure.message, message);
    assert.ok(failure.hint);
  }
  assert.doesNotMatch(server.log(), /userauth-request/);
});

sshTest('a new host is noted when that is allowed, and known from then on', async (router) => {
  const knownHosts = keyed.knownHosts.empty;
  const options = { knownHosts, identityFile: keyed.keys.plain };
  assert.equal(await userOf(login(router, keyed, { ...options, hostKeys: 'accept-new' })), user.name);
  assert.match(readFileSync(knownHosts, 'utf8'), new RegExp(`^\\[127\\.0\\.0\\.1\\]:${keyed.port} ssh-ed25519 \\S+\\n$`));
  const noted = readFileSync(knownHosts, 'utf8');
  assert.equal(await userOf(login(router, keyed, options)), user.name);
  assert.equal(await userOf(login(router, keyed, { ...options, hostKeys: 'accept-new' })), user.name);
  assert.equal(readFileSync(knownHosts, 'utf8'), noted);
  const hashed = keyed.knownHosts.empty;
  const hashing = { ...options, knownHosts: hashed, hostKeys: 'accept-new' as const, sshArgs: ['-o', 'HashKnownHosts=yes'] };
  assert.equal(await userOf(login(router, keyed, hashing)), user.name);
  assert.match(execFileSync('ssh-keygen', ['-F', `[127.0.0.1]:${keyed.port}`, '-f', hashed], { encoding: 'utf8' }), /\|1\|/);
});

sshTest('any host is taken when keys are ignored, and nothing is noted', async (router) => {
  const { changed, empty } = keyed.knownHosts;
  for (const knownHosts of [changed, empty]) {
    const before = readFileSync(knownHosts, 'utf8');
    assert.equal(await userOf(login(router, keyed, { knownHosts, hostKeys: 'ignore', identityFile: keyed.keys.plain })), user.name);
    assert.equal(readFileSync(knownHosts, 'utf8'), before);
  }
});

sshTest('an unknown host is asked for the kind of key that is known of it', async (router) => {
  const rsa = join(lab.directory, 'host-rsa');
  execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', rsa]);
  await using server = await lab.sshd({ lines: [`HostKey ${rsa}`] });
  const knownHosts = join(lab.directory, 'known-rsa');
  writeFileSync(knownHosts, `[127.0.0.1]:${server.port} ${readFileSync(`${rsa}.pub`, 'utf8')}`);
  assert.equal(await userOf(login(router, server, { knownHosts, identityFile: server.keys.plain })), user.name);
});

sshTest('start files and banners may print what they like', async (router) => {
  await using loud = await lab.user({ noise: noise(1_000_000), shell: 'bash' });
  await using server = await lab.sshd({ banner: noise(30_000) });
  const options = { username: loud.name, identityFile: server.keys.plain };
  assert.equal(await userOf(login(router, server, options)), loud.name);
});

sshTest('a banner that is too large for the client is told as such', async (router) => {
  await using server = await lab.sshd({ banner: noise(100_000) });
  const failure = await failureOf(login(router, server, { identityFile: server.keys.plain }));
  assert.equal(failure.code, 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(failure.message, /larger than/);
});

sshTest('connections that a busy server drops are tried again', async (router) => {
  await using server = await lab.sshd({ maxStartups: '2:100:2', lines: ['LoginGraceTime 20'] });
  const options = { identityFile: server.keys.plain, retries: 20 };
  const names = await Promise.all(Array.from({ length: 8 }, () => userOf(login(router, server, options))));
  assert.deepEqual(new Set(names), new Set([user.name]));
});

sshTest('what is compressed and signs of life are as the options say', async (router) => {
  await using server = await lab.sshd();
  const options = { identityFile: server.keys.plain, compression: true, keepAlive: { intervalMs: 100, timeoutMs: 1000 } };
  const context = await login(router, server, options);
  assert.match(server.log(), /compression: zlib@openssh\.com/);
  const bytes = Buffer.alloc(3_000_000, 'mitos');
  assert.ok(Buffer.from(await context.call((data: Uint8Array) => data, bytes)).equals(bytes));
});

sshTest('a server that ends is noticed, and so is a program that ends, with its code', async (router) => {
  await using server = await lab.sshd();
  const context = await login(router, server, { identityFile: server.keys.plain });
  const call = rejection(context.call(() => new Promise(() => {})));
  const exiting = await login(router, server, { identityFile: server.keys.plain });
  const failure = (await rejection(exiting.call(() => process.exit(7)))) as MitosError & { exitCode?: number };
  assert.deepEqual([failure.code, failure.exitCode], ['ERR_MITOS_CHILD_EXIT', 7]);
  endSessions(user);
  assert.equal(((await call) as MitosError).code, 'ERR_MITOS_DISCONNECTED');
  await context.closed;
});

sshTest('names that are no names are refused', async (router) => {
  for (const options of [{ hostname: '-oProxyCommand=id' }, { hostname: 'a b' }, { hostname: 'lab', username: '-x' }]) {
    assert.throws(() => router.ssh({ ...options, transport: 'in-process' }), TypeError);
  }
});

testWithOracle('only the program itself can have the client in it', sshd, async () => {
  const message = /transport 'in-process' is for the program itself, with a router that is not threaded/;
  await using router = new Router({ logger: false });
  const local = await router.local();
  await using threaded = new Router({ logger: false, threaded: true });
  for (const from of [local, threaded]) {
    const failure = await failureOf(from.ssh({ hostname: 'lab', transport: 'in-process' }));
    assert.match(failure.message, message);
  }
});

sshTest('a configuration that cannot be read is told in the words of ssh', async (router) => {
  const failure = await failureOf(login(router, keyed, { configFile: config('NoSuchOption yes') }));
  assert.equal(failure.code, 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(failure.message, /Bad configuration option: nosuchoption/i);
});

sshTest('no ssh has to be installed', async (router) => {
  const context = login(router, keyed, { sshPath: '/nonexistent/ssh', identityFile: keyed.keys.plain });
  assert.equal(await userOf(context), user.name);
});

testWithOracle('the package ssh2 is asked for when it is missing', async () => {
  const hook = `export function resolve(name, context, next) {
    if (name === 'ssh2') throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  }`;
  const program = `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
    const { Router } = await import('mitos');
    const router = new Router({ logger: false });
    const error = await router.ssh({ hostname: '127.0.0.1', transport: 'in-process' }).catch((error) => error);
    console.log(error.code, error.message, error.hint);
    await router.close();`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 10_000 });
  assert.match(stdout, /^ERR_MITOS_RESOURCE .*transport 'in-process' needs the npm package ssh2 run: npm install ssh2/, stderr);
});
