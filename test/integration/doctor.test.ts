/** `mitos doctor`: what it finds on the way to a target, and what it says when a step fails. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, noise, openLab, type Sshd } from '../support/lab/index.js';
import { CONTEXT_NODE, CONTEXT_VERSION } from '../support/nodes.js';
import { type Ended, ROOT, run, runNode, withProgram } from './run-program.js';

const MAIN = 'dist/cli/main.js';

const lab = openLab();
const sshd = needs('users', 'sshd', 'sudo');
let user: LabUser;
let server: Sshd;
if (!sshd.skip) {
  before(async () => {
    user = await lab.user({ shell: 'bash' });
    server = await lab.sshd();
    await lab.sudoers(`${user.name} ALL=(ALL) NOPASSWD: ALL\nDefaults:${user.name} timestamp_timeout=7`);
  });
}

interface Fact {
  state: 'ok' | 'note' | 'warning' | 'failed';
  what: string;
  text: string;
  hint?: string;
  data?: Record<string, unknown>;
}
interface Step {
  step: string;
  status: string;
  from: string;
  name: string | null;
  facts: Fact[];
  failure?: Record<string, unknown>;
}
interface Report {
  status: string;
  steps: Step[];
  reached: { name: string; facts: Fact[] } | null;
  here: Record<string, string>;
}

function target(options: Record<string, string> = {}): string {
  const query = new URLSearchParams({ configFile: server.clientConfig, ...options });
  return `ssh://${user.name}@lab?${query.toString().replaceAll('+', '%20')}`;
}

async function examine(spec: string, signal: AbortSignal, more: readonly string[] = []): Promise<Ended & { report: Report }> {
  const ended = await runNode(MAIN, { args: ['doctor', '--json', ...more, spec], signal });
  assert.equal(ended.stderr, '');
  return { ...ended, report: JSON.parse(ended.stdout) as Report };
}

function factOf(facts: readonly Fact[] | undefined, what: string): Fact {
  return facts?.find((one) => one.what === what) ?? assert.fail(`nothing is told of ${what}: ${JSON.stringify(facts)}`);
}

testWithOracle('mitos doctor tells what a program finds in a context on this machine', async ({ signal }) => {
  const { code, report } = await examine('local', signal);
  assert.equal(code, 0);
  assert.equal(report.status, 'ok');
  assert.equal(report.here['node'], process.version);
  assert.deepEqual(
    report.reached?.facts.map(({ what }) => what),
    ['user', 'machine', 'Node', 'memory', '/dev/shm', 'Nodes', 'terminal', 'threads', 'latency', 'clock'],
  );
  assert.equal(factOf(report.reached?.facts, 'user').data?.['uid'], process.getuid?.());
  assert.deepEqual(factOf(report.reached?.facts, 'Node').data, { node: `v${CONTEXT_VERSION}`, execPath: CONTEXT_NODE });
  const { minMs, medianMs } = factOf(report.reached?.facts, 'latency').data as { minMs: number; medianMs: number };
  assert.ok(minMs > 0 && minMs <= medianMs);
  const times = factOf(report.steps[0]?.facts, 'connected').data as Record<string, number>;
  assert.ok((times['beforeNodeMs'] ?? 0) < (times['connectMs'] ?? 0));
});

testWithOracle('without a terminal the doctor prints plain ASCII lines, a fact each', async ({ signal }) => {
  const { code, stdout, stderr } = await runNode(MAIN, { args: ['doctor', 'local,worker'], signal });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^[\n\x20-\x7e]*$/);
  assert.match(stdout, /^1\. local from this machine, as local$/m);
  assert.match(stdout, /^2\. worker from local, as local\.worker$/m);
  assert.match(stdout, /^In local\.worker$/m);
  assert.match(stdout, /\nok local,worker was reached\n$/);
  for (const line of stdout.split('\n').filter((one) => one.startsWith('  '))) assert.match(line, /^ {2}(ok  |note|WARN|FAIL) \S|^ {7}/);
});

const script = requirement('script', () => findCommand('script') !== undefined);

testWithOracle('on a terminal the doctor shows signs and colours, and breaks lines at its width', { ...script }, async ({ signal }) => {
  const line = `stty cols 72; exec '${process.execPath}' ${MAIN} doctor 'local,local?node=/nowhere/node'`;
  const { stdout, code } = await run(['script', '-qefc', line, '/dev/null'], { signal, env: { TERM: 'xterm' } });
  assert.equal(code, 1);
  assert.match(stdout, /\x1b\[32m✔\x1b\[39m/);
  assert.match(stdout, /\x1b\[31m✘\x1b\[39m/);
  for (const row of stdout.replace(/\x1b\[\d+m/g, '').split('\r\n')) assert.ok(row.length < 72, row);
  const text = stdout.replace(/\x1b\[\d+m/g, '').replace(/\s+/g, ' ');
  assert.ok(text.includes('Cannot connect "local.local" via local: "/nowhere/node" cannot be run there'), text);
  assert.ok(text.includes('programs that insist on a terminal can be used'), text);
});

testWithOracle('the doctor examines client, configuration, server and host key of an ssh step', { ...sshd }, async ({ signal }) => {
  const { code, report } = await examine(`${target()},sudo:root`, signal);
  assert.equal(code, 0, JSON.stringify(report));
  const [ssh, sudo] = report.steps as [Step, Step];
  const data = (what: string): Record<string, unknown> => factOf(ssh.facts, what).data ?? {};
  assert.match(factOf(ssh.facts, 'ssh').text, /OpenSSH/);
  const { hostname, port, files } = data('configuration');
  assert.deepEqual([hostname, port, data('configuration')['user']], [server.host, server.port, user.name]);
  assert.deepEqual(files, [server.clientConfig]);
  assert.deepEqual(data('keys')['files'], [server.keys.plain]);
  assert.match(String(data('server')['banner']), /^SSH-2\.0-OpenSSH/);
  assert.ok(Number(data('server')['connectMs']) > 0);
  assert.equal(data('host key')['judgement'], 'known');
  assert.match(String(data('host key')['key']), /SHA256:/);
  assert.deepEqual(data('methods')['methods'], ['publickey']);
  assert.equal(factOf(ssh.facts, 'user').data?.['user'], user.name);

  assert.match(factOf(sudo.facts, 'sudo').text, /^Sudo version \d/);
  const { rules, defaults } = factOf(sudo.facts, 'policy').data as { rules: string[]; defaults: string[] };
  assert.deepEqual(rules, ['(ALL) NOPASSWD: ALL']);
  assert.ok(defaults.includes('timestamp_timeout=7'), String(defaults));
  assert.equal(factOf(report.reached?.facts, 'user').data?.['uid'], 0);
});

testWithOracle('the doctor says what a start file of the shell prints', { ...sshd }, async ({ signal }) => {
  await using talking = await lab.user({ shell: 'bash', noise: noise(5000) });
  const { code, report } = await examine(target().replace(user.name, talking.name), signal);
  assert.equal(code, 0, JSON.stringify(report));
  assert.equal(factOf(report.steps[0]?.facts, 'noise').state, 'note');
});

testWithOracle('when a server does not know the key, the doctor tells what it takes', { ...sshd }, async ({ signal }) => {
  await using other = await lab.sshd({ authorizedKeys: '' });
  const { code, report } = await examine(`ssh://${user.name}@lab?configFile=${other.clientConfig}`, signal);
  assert.equal(code, 1);
  const [step] = report.steps as [Step];
  assert.equal(report.status, 'failed');
  assert.deepEqual(factOf(step.facts, 'methods').data, { methods: ['publickey'] });
  assert.equal(step.failure?.['code'], 'ERR_MITOS_AUTH');
  assert.match(String(step.failure?.['stderr']), /Permission denied/);
  assert.equal(report.reached, null);
});

testWithOracle(
  'the doctor tells a host key that is not known, changed or revoked, and still what is behind it',
  { ...sshd },
  async ({ signal }) => {
    const { empty, changed, revoked } = server.knownHosts;
    for (const [file, judgement] of [
      [empty, 'unknown'],
      [changed, 'changed'],
      [revoked, 'revoked'],
    ] as const) {
      const { code, report } = await examine(target({ knownHosts: file }), signal);
      assert.equal(code, 1);
      const [step] = report.steps as [Step];
      const told = factOf(step.facts, 'host key');
      assert.deepEqual([told.state, told.data?.['judgement']], ['failed', judgement], told.text);
      assert.match(told.text, /SHA256:/);
      assert.ok(told.hint);
      assert.equal(step.failure?.['code'], 'ERR_MITOS_HOST_KEY', JSON.stringify(step.failure));
      assert.deepEqual(factOf(step.facts, 'methods').data, { methods: ['publickey'] });
    }
  },
);

testWithOracle(
  'the doctor tells a name that leads nowhere, a port nobody listens on, and a server that is none',
  { ...sshd },
  async ({ signal }) => {
    const net = await import('node:net');
    const mute = net
      .createServer((socket) =>
        socket
          .on('error', () => {})
          .resume()
          .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      )
      .listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => mute.once('listening', resolve));
      const { port } = mute.address() as { port: number };
      const cases: [string, RegExp][] = [
        ['ssh://nowhere.invalid', /nowhere\.invalid leads nowhere/],
        ['ssh://127.0.0.1:1', /127\.0\.0\.1 port 1 cannot be reached: .*ECONNREFUSED/],
        [`ssh://127.0.0.1:${port}`, /closed the connection|no ssh server/],
      ];
      for (const [spec, told] of cases) {
        const { code, report } = await examine(`${spec}?configFile=/dev/null&retries=0`, signal, ['-t', '5']);
        assert.equal(code, 1);
        const found = factOf(report.steps[0]?.facts, 'server');
        assert.equal(found.state, 'failed');
        assert.match(found.text, told);
        assert.ok(found.hint);
      }
    } finally {
      mute.close();
    }
  },
);

testWithOracle('when a later step fails, the doctor tells of the last place that was reached', { ...sshd }, async ({ signal }) => {
  await using stranger = await lab.user();
  const { code, report } = await examine(`${target().replace(user.name, stranger.name)},sudo:root`, signal);
  assert.equal(code, 1);
  const [, sudo] = report.steps as [Step, Step];
  assert.equal(sudo.status, 'failed');
  assert.ok(['warning', 'failed'].includes(factOf(sudo.facts, 'policy').state), JSON.stringify(sudo.facts));
  assert.match(String(sudo.failure?.['code']), /^ERR_MITOS_(PASSWORD_REQUIRED|AUTH)$/);
  assert.equal(factOf(report.reached?.facts, 'user').data?.['user'], stranger.name);
});

testWithOracle('tools that are not installed are named', async ({ signal }) => {
  for (const spec of ['docker:app?path=/nowhere/docker', 'ssh://web1?sshPath=/nowhere/ssh', 'sudo:root?sudoPath=/nowhere/sudo']) {
    const { code, report } = await examine(spec, signal);
    assert.equal(code, 1);
    const [told] = report.steps[0]?.facts ?? [];
    assert.equal(told?.state, 'failed', JSON.stringify(report.steps[0]));
    assert.match(String(told?.hint), /install/);
    assert.ok(report.steps[0]?.failure);
  }
});

testWithOracle('the state of a container is told in the words of its tool', { ...needs('podman') }, async ({ signal }) => {
  await using inner = await lab.podman();
  const { report } = await examine(`podman:${inner.name}`, signal);
  assert.equal(factOf(report.steps[0]?.facts, 'state').text, `${inner.name} is running`);
  assert.match(factOf(report.steps[0]?.facts, 'inside').text, /^sh/);
  const absent = await examine('podman:nobody-has-this', signal);
  assert.match(factOf(absent.report.steps[0]?.facts, 'state').text, /no such container/);
  assert.equal(absent.report.steps[0]?.failure?.['code'], 'ERR_MITOS_NO_CONTAINER');
});

testWithOracle('a Node that no PATH leads to is listed', { ...sshd }, async ({ signal }) => {
  await using nvm = await lab.user({ nodeIn: 'nvm' });
  const { report } = await examine(target().replace(user.name, nvm.name), signal);
  const found = factOf(report.reached?.facts, 'Nodes').data?.['found'] as { path: string; version: string }[];
  const own = found.find(({ path }) => path.startsWith(`${nvm.home}/.nvm/`));
  assert.equal(own?.version, `v${CONTEXT_VERSION}`, JSON.stringify(found));
});

testWithOracle('what others print cannot steer the terminal of who reads it', async ({ signal }) => {
  await withProgram('printf "\\033]0;gotcha\\007\\n" >&2; [ "$1" = -V ] || exit 255', async (path) => {
    const { stdout } = await runNode(MAIN, { args: ['doctor', `ssh://web1?sshPath=${path}`], signal });
    assert.match(stdout, /\\x1b\]0;gotcha/);
    assert.match(stdout, /^[\n\x20-\x7e]*$/);
  });
});

testWithOracle('a program that hangs does not hang the doctor', async ({ signal }) => {
  await withProgram('exec sleep 1000', async (path) => {
    const { code, report } = await examine(`ssh://web1?sshPath=${path}`, signal, ['-t', '1']);
    assert.equal(code, 1);
    assert.equal(factOf(report.steps[0]?.facts, 'ssh').state, 'failed');
    assert.equal(report.steps[0]?.failure?.['code'], 'ERR_MITOS_CONNECT_TIMEOUT');
  });
});

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  testWithOracle(`${name} ends the doctor and leaves nothing`, async ({ signal }) => {
    await withProgram('exec sleep 1000', async (path) => {
      let isTold = false;
      const ended = await run([process.execPath, ROOT + MAIN, 'doctor', `local,ssh://web1?sshPath=${path}`], {
        signal,
        onOutput: (output, child) => {
          if (!isTold && output.includes('1. local')) isTold = child.kill(name);
        },
      });
      assert.ok(isTold);
      assert.equal(ended.signal, name, ended.stdout);
      assert.doesNotMatch(ended.stdout, /not reached/);
      assert.doesNotMatch(ended.stderr, /\S/);
    });
  });
}
