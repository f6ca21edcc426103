/** ssh() where it works: the configuration of the user, chains, round trips, secrets. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { before } from 'node:test';
import { Router, Secret } from 'mitos';
import { type DelayProxy, delayProxy, testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { byPassword, count, reaches, sshTest, toUser, visible } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd');
let user: LabUser;
let server: Sshd;
let passwords: Sshd;
if (here.skip === false) {
  before(async () => {
    user = await lab.user({ shell: 'bash' });
    server = await lab.sshd();
    passwords = await lab.sshd({ passwordAuthentication: true });
  });
}

/** A configuration file of some text, with the lab's key and known hosts for all hosts. */
function config(name: string, text: string): string {
  const file = join(lab.directory, name);
  const common = `IdentityFile ${server.keys.plain}\n  IdentityAgent none\n  UserKnownHostsFile ${server.knownHosts.right}\n  GlobalKnownHostsFile /dev/null`;
  const included = join(lab.directory, `${name}-included`);
  writeFileSync(included, `Host *\n  ${common}\n`);
  writeFileSync(
    file,
    `${text}\nHost lab\n  HostName 127.0.0.1\n  Port ${server.port}\n  HostKeyAlias lab\nHost *\n  Include ${included}\n`,
  );
  return file;
}

sshTest('Aliases, Match and Include of the configuration are honoured', here, async ({ router }) => {
  const text = `Match originalhost web exec "true"\n  HostName 127.0.0.1\n  Port ${server.port}\n  User ${user.name}\n  HostKeyAlias lab`;
  const context = await reaches(router.ssh({ hostname: 'web', configFile: config('match', text) }), user);
  assert.equal(context.name, 'web');
});

sshTest('Settings of the configuration that are for people at terminals do no harm', here, async ({ router }) => {
  const text =
    'Host lab\n  RequestTTY force\n  RemoteCommand tmux attach\n  SessionType none\n  LogLevel DEBUG3\n  LocalForward 1 localhost:1\n  ForwardX11 yes';
  await reaches(router.ssh({ hostname: 'lab', username: user.name, configFile: config('person', text) }), user);
});

sshTest('ProxyJump of the configuration leads through another host', here, async ({ router }) => {
  const text = `Host behind\n  HostName 127.0.0.1\n  Port ${server.port}\n  HostKeyAlias lab\n  ProxyJump ${user.name}@lab`;
  const logins = count(server, /Accepted publickey/);
  await reaches(router.ssh({ hostname: 'behind', username: user.name, configFile: config('jump', text) }), user);
  assert.equal(count(server, /Accepted publickey/), logins + 2);
});

sshTest('A connection that the user shares is used, and left open', here, async ({ router }) => {
  const socket = join(lab.directory, 'master');
  const file = config('shared', `Host lab\n  ControlMaster auto\n  ControlPath ${socket}`);
  const master = spawn('ssh', ['-F', file, '-M', '-N', `${user.name}@lab`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const control = (what: string): number | null => spawnSync('ssh', ['-F', file, '-O', what, `${user.name}@lab`]).status;
  try {
    while (control('check') !== 0) assert.equal(master.exitCode, null);
    const logins = count(server, /Accepted publickey/);
    const context = await reaches(router.ssh({ hostname: 'lab', username: user.name, configFile: file }), user);
    assert.equal(count(server, /Accepted publickey/), logins);
    await context.shutdown();
    assert.equal(control('check'), 0);
  } finally {
    master.kill();
    await once(master, 'exit');
  }
});

sshTest('mitos does not start to share a connection, whatever the configuration says', here, async ({ router }) => {
  const socket = join(lab.directory, 'never');
  const file = config('auto', `Host lab\n  ControlMaster auto\n  ControlPersist yes\n  ControlPath ${socket}`);
  await reaches(router.ssh({ hostname: 'lab', username: user.name, configFile: file }), user);
  assert.throws(() => readFileSync(socket), { code: 'ENOENT' });
});

sshTest('From a machine one gets on to another, with its own keys', here, async ({ router }) => {
  await using next = await lab.user({ shell: 'dash' });
  server.installClient(user);
  const first = router.ssh(toUser(server, user));
  const second = first.ssh({ hostname: '127.0.0.1', port: server.port, username: next.name });
  assert.equal((await reaches(second, next)).name, '127.0.0.1.ssh.127.0.0.1');
  assert.deepEqual(await second.call((a: number, b: number) => a + b, 2, 3), 5);
});

sshTest('From a machine one gets on to another by a password that is given here', here, async ({ router }) => {
  await using next = await lab.user();
  const { identityFile: _key, knownHosts, ...options } = byPassword(passwords, next, { password: new Secret(next.password) });
  await reaches(router.ssh(toUser(server, user)).ssh({ ...options, knownHosts: knownHosts as string }), next);
});

sshTest('What ssh itself says at a debug level arrives as log records', here, async ({ router, records }) => {
  await reaches(router.ssh(toUser(server, user, { debugLevel: 1 })), user);
  assert.ok(records.some(({ source, text }) => source === 'stderr' && text.startsWith('debug1: Authenticat')));
});

sshTest('Compression can be had', here, async ({ router }) => {
  await reaches(router.ssh(toUser(server, user, { compression: true })), user);
  assert.match(server.log(), /compression/i);
});

/** Changes of direction on the wire until `use` has its answer; what it returns ends it. */
async function flips(use: (proxy: DelayProxy) => Promise<() => Promise<unknown>>): Promise<number> {
  await using proxy = await delayProxy({ port: server.port, oneWayMs: 100 });
  const end = await use(proxy);
  const { flips: count } = proxy.counters();
  await end();
  return count;
}

testWithOracle(
  'Connect and first call take no more round trips than a plain ssh that is given as much',
  { ...here, timeoutMs: 60_000 },
  async () => {
    const plain = await flips(async ({ port }) => {
      const to = toUser(server, user);
      const settings = ['IdentitiesOnly=yes', `UserKnownHostsFile=${String(to.knownHosts)}`, 'BatchMode=yes'].flatMap((item) => [
        '-o',
        item,
      ]);
      const argv = ['-F', '/dev/null', '-p', String(port), '-i', String(to.identityFile), ...settings, '-l', user.name, '127.0.0.1', 'cat'];
      const child = spawn('ssh', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.end(Buffer.alloc(26_000, 'x'));
      await once(child.stdout, 'data');
      return () => once(child.stdout.resume(), 'close');
    });
    const counts: number[] = [];
    // A machine with much to do cuts into more pieces what is said at once, never into fewer.
    while (counts.length < 4 && !counts.some((count) => count <= plain + 1)) {
      counts.push(
        await flips(async ({ port }) => {
          const router = new Router({ logger: false });
          assert.equal(await router.ssh(toUser(server, user, { port })).call((n: number) => n * 2, 21), 42);
          return () => router.close();
        }),
      );
    }
    assert.ok(Math.min(...counts) <= plain + 1, `${counts.join()} changes of direction, ${plain} of plain ssh`);
  },
);

for (const right of [true, false]) {
  sshTest(
    `A ${right ? 'right' : 'wrong'} password is in no arguments, environment, log record or error`,
    here,
    async ({ router, records }) => {
      const secret = `canary${Math.random().toString(36).slice(2)}`;
      await using holder = await lab.user({ password: right ? secret : 'another' });
      const to = byPassword(passwords, holder, { password: new Secret(secret), debugLevel: 3 });
      let seen = '';
      let isOver = false;
      const connecting = router.ssh(to);
      const done = connecting.call(os.hostname).then(
        () => (isOver = true),
        (error: Error) => {
          isOver = true;
          seen += `${error.stack}${JSON.stringify(error)}`;
        },
      );
      const look = async (): Promise<void> => {
        while (!isOver) {
          seen += visible();
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await Promise.all([done, look()]);
      seen += visible() + JSON.stringify(records.map(({ text }) => text)) + passwords.log();
      // Encoded it is no better.
      const forms = ['utf8', 'base64', 'hex'].map((encoding) =>
        Buffer.from(secret)
          .toString(encoding as BufferEncoding)
          .replace(/=+$/, ''),
      );
      for (const form of forms) assert.ok(!seen.includes(form), `found ${form}`);
      assert.ok(seen.includes('SSH_ASKPASS_REQUIRE=force'), 'the helper was seen');
    },
  );
}
