/** Connecting by ssh where it cannot work: a typed error that says why and what to do, in bounded time, and nothing left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { before } from 'node:test';
import { errorOf, rejectsWith } from '../fixtures/programs/harness.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { count, reaches, sshTest, toUser } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd');
let user: LabUser;
let server: Sshd;
if (here.skip === false) {
  before(async () => {
    user = await lab.user({ shell: 'bash' });
    server = await lab.sshd();
  });
}

/** A server that is no sshd: `talk` is all it does. */
async function impostor(talk: (socket: Socket) => void): Promise<AsyncDisposable & { port: number; connections(): number }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    talk(socket);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** A program of some text, in place of ssh. */
function script(name: string, text: string): string {
  const path = join(lab.directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

sshTest('A name that nobody knows is ERR_MITOS_DNS', here, async ({ router }) => {
  const error = await rejectsWith(router.ssh(toUser(server, user, { hostname: 'nowhere.invalid' })), 'ERR_MITOS_DNS');
  assert.match(error.message, /^Cannot connect "nowhere.invalid" via ssh: its name cannot be resolved; last output: .*nowhere\.invalid/);
  assert.ok(error.hint);
});

sshTest('A port that nobody listens on is ERR_MITOS_REFUSED', here, async ({ router }) => {
  const error = await rejectsWith(router.ssh(toUser(server, user, { port: 1 })), 'ERR_MITOS_REFUSED');
  assert.match(error.message, /Connection refused/);
  assert.match(String(error.hint), /port/);
});

sshTest('A server that says nothing is ERR_MITOS_CONNECT_TIMEOUT, in the words of ssh', here, async ({ router }) => {
  await using mute = await impostor(() => {});
  const error = await rejectsWith(
    router.ssh(toUser(server, user, { port: mute.port, connectTimeoutMs: 2500 })),
    'ERR_MITOS_CONNECT_TIMEOUT',
  );
  assert.match(error.message, /it does not answer.*timed out/);
  assert.equal(mute.connections(), 1);
});

sshTest('A server that is no ssh server looks like one that is busy', here, async ({ router }) => {
  await using web = await impostor((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const error = await rejectsWith(router.ssh(toUser(server, user, { port: web.port, retries: 0 })), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(String(error.hint), /no ssh server/);
  assert.equal(web.connections(), 1);
});

sshTest(
  'A server that hangs up before the login is tried again as often as asked, then it is a passing failure',
  here,
  async ({ router }) => {
    await using busy = await impostor((socket) => socket.end('Exceeded MaxStartups\r\n'));
    const error = await rejectsWith(router.ssh(toUser(server, user, { port: busy.port, retries: 2 })), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.equal(busy.connections(), 3);
    assert.equal(error['transient'], true);
    assert.match(error.message, /hung up before the login/);
    assert.match(String(error.hint), /MaxStartups/);
  },
);

sshTest('A connect that is given up between two attempts leaves nothing', here, async ({ router }) => {
  await using busy = await impostor((socket) => socket.end());
  const error = await rejectsWith(
    router.ssh(toUser(server, user, { port: busy.port, retries: 1000, connectTimeoutMs: 1500 })),
    'ERR_MITOS_CONNECT_TIMEOUT',
  );
  assert.match(error.message, /1500 ms/);
});

sshTest('Connects beyond MaxStartups succeed by trying again', { ...here, timeoutMs: 60_000 }, async ({ router }) => {
  await using small = await lab.sshd({ maxStartups: '2:50:5' });
  const to = toUser(small, user, { retries: 12, connectTimeoutMs: 50_000 });
  await Promise.all(Array.from({ length: 12 }, (_, index) => reaches(router.ssh({ ...to, name: `at${index}` }), user)));
  assert.ok(count(small, /drop connection|beginning MaxStartups/) > 0, small.log().slice(-2000));
});

sshTest('A machine without ssh says what to install', here, async ({ router }) => {
  const error = await rejectsWith(router.ssh(toUser(server, user, { sshPath: '/nowhere/ssh' })), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(error.message, /there is no ssh here/);
  assert.match(String(error.hint), /install.*sshPath/);
});

sshTest('A configuration that ssh does not accept is told in its words', here, async ({ router }) => {
  const config = script('broken-config', 'Host *\n  NoSuchOption yes\n');
  for (const more of [{ configFile: config }, { configFile: '/nowhere/config' }, { sshArgs: ['-o', 'NoSuchOption=1'] }]) {
    const error = await rejectsWith(router.ssh(toUser(server, user, more)), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /does not accept its configuration; last output: .*(nosuchoption|\/nowhere\/config)/i);
  }
});

sshTest('A client that is too old for a setting is used without it', here, async ({ router }) => {
  const refuse = (name: string): string =>
    `case "$*" in *${name}=*) echo "command-line: line 0: Bad configuration option: ${name.toLowerCase()}" >&2; exit 255;; esac`;
  const text = ['RemoteCommand', 'SessionType', 'StdinNull', 'ForkAfterAuthentication'].map(refuse).join('\n');
  await reaches(router.ssh(toUser(server, user, { sshPath: script('old-ssh', `#!/bin/sh\n${text}\nexec ssh "$@"\n`), retries: 0 })), user);
});

sshTest('A jump host that is down, or that does not get through, is ERR_MITOS_REFUSED', here, async ({ router }) => {
  const down = await rejectsWith(router.ssh(toUser(server, user, { sshArgs: ['-J', '127.0.0.1:1'] })), 'ERR_MITOS_REFUSED');
  assert.match(down.message, /127\.0\.0\.1 port 1: Connection refused/);
  const through = ['-F', server.clientConfig, '-J', `${user.name}@lab`];
  const lost = await rejectsWith(router.ssh(toUser(server, user, { port: 1, sshArgs: through })), 'ERR_MITOS_REFUSED');
  assert.match(lost.message, /stdio forwarding failed/);
});

sshTest('A server that opens no session says so', here, async ({ router }) => {
  await using closed = await lab.sshd({ maxSessions: 0 });
  const error = await rejectsWith(router.ssh(toUser(closed, user)), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(String(error.message) + String(error.hint), /MaxSessions/);
});

sshTest('A server that runs another command is told from one that fails', here, async ({ router }) => {
  await using forced = await lab.sshd({ forceCommand: 'echo you are welcome' });
  const error = await rejectsWith(router.ssh(toUser(forced, user)), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(error.message, /ran something else.*you are welcome/);
  assert.match(String(error.hint), /forced command/);
});

sshTest('An account without a login shell is ERR_MITOS_AUTH', here, async ({ router }) => {
  await using nobody = await lab.user({ shell: 'nologin' });
  const error = await rejectsWith(router.ssh(toUser(server, nobody)), 'ERR_MITOS_AUTH');
  assert.match(error.message, /no login shell.*not available/);
});

sshTest('Start files that sleep end in the deadline', here, async ({ router }) => {
  await using sleepy = await lab.user({ shell: 'bash', files: { '.bashrc': 'echo dreaming; exec sleep 60\n' } });
  const error = await rejectsWith(router.ssh(toUser(server, sleepy, { connectTimeoutMs: 3000 })), 'ERR_MITOS_CONNECT_TIMEOUT');
  assert.match(error.message, /not up within 3000 ms \(the first stage has not answered\).*dreaming/);
});

sshTest('Start files that become another program are told by what that said', here, async ({ router }) => {
  await using other = await lab.user({ shell: 'bash', files: { '.bashrc': 'exec sh -c "echo not a shell; exit 7"\n' } });
  const error = await rejectsWith(router.ssh(toUser(server, other)), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(error.message, /not a shell/);
  assert.equal(error['exitCode'], 7);
});

sshTest('Start files that read do not get what is for Node', here, async ({ router }) => {
  await using reader = await lab.user({ shell: 'bash', files: { '.bashrc': 'read line </dev/null\n' } });
  await reaches(router.ssh(toUser(server, reader)), reader);
});

sshTest('A Node that crashes there is told by its signal', here, async ({ router }) => {
  const node = script('crash', '#!/bin/sh\nkill -SEGV $$\n');
  const error = await errorOf(router.ssh(toUser(server, user, { node })));
  assert.equal(error.code, 'ERR_MITOS_TRANSPORT_EXIT');
  assert.equal(error['stage'], 'node');
});

sshTest('When ssh is killed everybody who waits is told, and nothing is left there', here, async ({ router }) => {
  const context = await reaches(router.ssh(toUser(server, user, { name: 'web' })), user);
  const behind = await context.local({ name: 'behind' });
  const waiting = [context, behind].map((one) => errorOf(one.call(() => new Promise(() => {}))));
  const [sshd] = user.processes().filter(({ command }) => /sshd/.test(command));
  assert.ok(sshd);
  process.kill(sshd.pid, 'SIGKILL');
  for (const error of await Promise.all(waiting)) assert.match(error.message, /"web"/);
});

sshTest('Hosts and users that look like options or several words are refused', here, async ({ router }) => {
  for (const bad of ['-oProxyCommand=touch /tmp/mitos-owned', 'a b', 'a\nb', '', '-', 'a\0b']) {
    await assert.rejects(async () => router.ssh({ hostname: bad }), TypeError);
    await assert.rejects(async () => router.ssh({ hostname: 'ok', username: bad }), TypeError);
  }
});
