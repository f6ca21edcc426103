/** The ways to an ssh server of the client in this process: jump hosts, proxy commands, and contexts of the tree. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { before } from 'node:test';
import { type Context, type MitosError, Router, type SshOptions } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { rejection } from './modes-table.js';
import { endSessions } from './ssh-sessions.js';

type Failure = MitosError & { reason?: string; jumpHost?: string };

const sshd = needs('sshd');
const lab = openLab();
let far: Sshd;
let near: Sshd;
let user: LabUser;
let other: LabUser;
if (!sshd.skip) {
  before(async () => {
    [user, other] = [await lab.user(), await lab.user()];
    [far, near] = [await lab.sshd({ passwordAuthentication: true }), await lab.sshd()];
  });
}

let files = 0;
function file(text: string): string {
  const path = join(lab.directory, `file-${++files}`);
  writeFileSync(path, text);
  return path;
}

/** A configuration in which the far server is `far` and the near one `near`. */
function config(lines: string[]): string {
  const host = (name: string, server: Sshd, login: string): string =>
    `Host ${name}\n HostName 127.0.0.1\n Port ${server.port}\n HostKeyAlias lab\n User ${login}\n IdentityFile ${server.keys.plain}\n`;
  const all = `Host *\n IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile ${far.knownHosts.right}\n`;
  return file(`${lines.join('\n')}\n${host('far', far, user.name)}${host('near', near, other.name)}${all}`);
}

function options(lines: string[], more: Partial<SshOptions> = {}): SshOptions {
  return { hostname: 'far', configFile: config(lines), transport: 'in-process', ...more };
}

/** Straight to a server, by a key. */
function direct(server: Sshd, { name }: LabUser, more: Partial<SshOptions> = {}): SshOptions {
  const { host, port, keys, knownHosts } = server;
  const known = { identityFile: keys.plain, knownHosts: knownHosts.right, configFile: file('IdentityAgent none\n') };
  return { hostname: host, port, username: name, transport: 'in-process', ...known, ...more };
}

const whoami = (): string => os.userInfo().username;

function routeTest(name: string, fn: (router: Router) => Promise<void>): void {
  testWithOracle(name, sshd, async () => {
    await using router = new Router({ logger: false });
    await fn(router);
  });
}

routeTest('a jump host of the configuration is used, and sees nothing but its own login', async (router) => {
  const lines = ['Host far', ' ProxyJump near'];
  const context = await router.ssh(options(lines, { password: user.password, identityFile: far.keys.stranger }));
  assert.equal(await context.call(whoami), user.name);
  assert.match(near.log(), new RegExp(`Accepted publickey for ${other.name}`));
  assert.doesNotMatch(near.log(), new RegExp(`Accepted .* for ${user.name}|auth-agent-req|method password`));
  assert.match(near.log(), /direct-tcpip/);
});

routeTest('several hosts are jumped over in turn', async (router) => {
  const lines = [
    'Host far',
    ` ProxyJump ${user.name}@127.0.0.1:${near.port},near`,
    'Host 127.0.0.1',
    ' HostKeyAlias lab',
    ` IdentityFile ${near.keys.plain}`,
  ];
  const before = near.log().match(/Accepted publickey/g)?.length ?? 0;
  assert.equal(await router.ssh(options(lines)).call(whoami), user.name);
  assert.equal(near.log().match(/Accepted publickey/g)?.length, before + 2);
});

routeTest('a jump host is verified like any other, and named when it fails', async (router) => {
  const lines = ['Host near', ` UserKnownHostsFile ${near.knownHosts.changed}`, 'Host far', ' ProxyJump near'];
  const changed = (await rejection(router.ssh(options(lines)))) as Failure;
  assert.deepEqual([changed.code, changed.reason, changed.jumpHost], ['ERR_MITOS_HOST_KEY', 'changed', 'near'], changed.message);
  assert.match(changed.message, /jump host "near"/);
  const closed = await closedPort();
  const refused = (await rejection(router.ssh(options(['Host far', ` Port ${closed}`, ' ProxyJump near'])))) as Failure;
  assert.equal(refused.code, 'ERR_MITOS_REFUSED', refused.message);
});

routeTest('a password is for the last host only, though a jump host asks for one', async (router) => {
  await using gate = await lab.sshd({ passwordAuthentication: true });
  const lines = [
    'Host gate',
    ` Port ${gate.port}`,
    ' HostName 127.0.0.1',
    ` IdentityFile ${far.keys.stranger}`,
    ' HostKeyAlias lab',
    `Host far`,
    ` ProxyJump ${user.name}@gate`,
  ];
  const failure = (await rejection(router.ssh(options(lines, { password: user.password })))) as Failure;
  assert.deepEqual([failure.code, failure.jumpHost], ['ERR_MITOS_PASSWORD_REQUIRED', 'gate'], failure.message);
  assert.doesNotMatch(gate.log(), /method password/);
});

routeTest('jump hosts that go in a circle come to an end', async (router) => {
  const failure = (await rejection(router.ssh(options(['Host far', ' ProxyJump near', 'Host near', ' ProxyJump far'])))) as Failure;
  assert.match(failure.message, /more than 8 hosts to jump over/);
});

routeTest('a proxy command carries the connection, and ends with it', async (router) => {
  const proxy = file(`const s = require('net').connect(process.argv[3], process.argv[2]); process.stdin.pipe(s).pipe(process.stdout);
    console.error('by way of ' + process.argv[2]);`);
  const lines = ['Host far', ` ProxyCommand ${process.execPath} ${proxy} %h %p`];
  const printed: string[] = [];
  router.on('log', ({ text }) => printed.push(text));
  const context = await router.ssh(options(lines));
  assert.equal(await context.call(whoami), user.name);
  assert.deepEqual(printed, ['by way of 127.0.0.1']);
  await context.shutdown();
  const failing = (await rejection(router.ssh(options(['Host far', ' ProxyCommand echo no way >&2; exit 1'], { retries: 0 })))) as Failure;
  assert.equal(failing.code, 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(failing.message, /last output: "no way"/);
});

routeTest('a proxy command gets no name that a shell would read', async (router) => {
  const canary = join(lab.directory, 'canary');
  const lines = ['Host *', ' ProxyCommand true %h %r'];
  for (const name of [`x;touch\${IFS}${canary}`, `$(touch\${IFS}${canary})`, '`id`']) {
    const failure = (await rejection(router.ssh(options(lines, { hostname: name })))) as Failure;
    assert.match(failure.message, /may not be put into a ProxyCommand|configuration cannot be read/);
  }
  assert.throws(() => readFileSync(canary));
});

routeTest('a server is reached through this machine, and through a process of it', async (router) => {
  for (const through of [router.self, await router.local(), await router.local({ threadless: true }), await router.worker()]) {
    const context = await router.ssh(direct(far, user, { through }));
    assert.equal(await context.call(whoami), user.name);
    await context.shutdown();
  }
});

routeTest('a bastion carries the connection without a key of its own', async (router) => {
  const key = join(lab.directory, 'private');
  writeFileSync(key, readFileSync(far.keys.plain));
  chmodSync(key, 0o600);
  const bastion = await router.ssh(direct(near, other));
  const canRead = (path: string): boolean => {
    try {
      return require('node:fs').readFileSync(path).length > 0;
    } catch {
      return false;
    }
  };
  assert.equal(await bastion.call(canRead, key), false);
  const web = await router.ssh(direct(far, user, { through: bastion, identityFile: key }));
  assert.equal(await web.call(whoami), user.name);
  assert.equal(await bastion.call(() => process.env['SSH_AUTH_SOCK']), undefined);
  assert.doesNotMatch(near.log(), /auth-agent-req/);
});

routeTest('much data flows through a bastion both ways, and is held back where nobody reads', async (router) => {
  const bastion = await router.ssh(direct(near, other));
  const web = await router.ssh(direct(far, user, { through: bastion }));
  const bytes = Buffer.alloc(20_000_000, 'mitos');
  assert.ok(Buffer.from(await web.call((data: Uint8Array) => data, bytes)).equals(bytes));
});

routeTest('what cannot be reached from a bastion is told as if it were from here', async (router) => {
  const bastion = await router.local({ name: 'bastion' });
  const refused = (await rejection(router.ssh(direct(far, user, { through: bastion, port: await closedPort() })))) as Failure;
  assert.equal(refused.code, 'ERR_MITOS_REFUSED', refused.message);
  assert.match(refused.message, /from "bastion"/);
  const unknown = (await rejection(router.ssh(direct(far, user, { through: bastion, hostname: 'no-such-host.invalid' })))) as Failure;
  assert.equal(unknown.code, 'ERR_MITOS_DNS', unknown.message);
});

routeTest('a bastion that ends takes what goes through it with it', async (router) => {
  const bastion = await router.local({ name: 'bastion' });
  const web = await router.ssh(direct(far, user, { through: bastion, name: 'web' }));
  const call = rejection(web.call(() => new Promise(() => {})));
  const { pid } = await bastion.info();
  process.kill(pid, 'SIGKILL');
  const failure = (await call) as Failure;
  assert.equal(failure.code, 'ERR_MITOS_DISCONNECTED', failure.message);
  assert.match(failure.message, /"web".*"bastion"/);
});

routeTest('a server that ends is noticed, whatever the way to it', async (router) => {
  const pipe = file(`const s = require('net').connect(process.argv[3], process.argv[2]); process.stdin.pipe(s).pipe(process.stdout);`);
  const ways = [
    direct(far, user),
    direct(far, user, { through: await router.local() }),
    options(['Host far', ' ProxyJump near']),
    options(['Host far', ` ProxyCommand ${process.execPath} ${pipe} %h %p`]),
  ];
  for (const way of ways) {
    const context = await router.ssh(way);
    const call = rejection(context.call(() => new Promise(() => {})));
    endSessions(user);
    const failure = (await call) as Failure;
    assert.equal(failure.code, 'ERR_MITOS_DISCONNECTED', failure.message);
    await context.closed;
  }
});

routeTest('a server that cannot be reached is told why, and nothing is left', async (router) => {
  const refused = (await rejection(router.ssh(direct(far, user, { port: await closedPort() })))) as Failure;
  assert.equal(refused.code, 'ERR_MITOS_REFUSED', refused.message);
  const unknown = (await rejection(router.ssh(direct(far, user, { hostname: 'no-such-host.invalid' })))) as Failure;
  assert.equal(unknown.code, 'ERR_MITOS_DNS', unknown.message);
  await using silent = await listen();
  const late = (await rejection(router.ssh(direct(far, user, { port: silent.port, connectTimeoutMs: 300 })))) as Failure;
  assert.equal(late.code, 'ERR_MITOS_CONNECT_TIMEOUT', late.message);
  const configured = direct(far, user, { port: silent.port, sshArgs: ['-o', 'ConnectTimeout=1'] });
  const sooner = (await rejection(router.ssh(configured))) as Failure;
  assert.equal(sooner.code, 'ERR_MITOS_CONNECT_TIMEOUT', sooner.message);
  assert.match(sooner.message, /no answer from/);
});

routeTest('a connection is given up at any moment', async (router) => {
  const bastion: Context = await router.local();
  for (const more of [{}, { through: bastion }]) {
    for (let ms = 0; ms < 150; ms += 15) {
      try {
        await (await router.ssh(direct(far, user, { ...more, connectTimeoutMs: ms + 1 }))).shutdown();
      } catch (error) {
        assert.equal((error as Failure).code, 'ERR_MITOS_CONNECT_TIMEOUT');
      }
    }
  }
});

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = await listen();
  await server[Symbol.asyncDispose]();
  return server.port;
}

/** A server that takes connections and says nothing. */
async function listen(): Promise<{ port: number } & AsyncDisposable> {
  const sockets: { destroy(): void }[] = [];
  const server: Server = createServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
