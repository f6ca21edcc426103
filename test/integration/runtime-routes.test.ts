/** A Node is sent by every kind of way there is to a target. What is sent is a script that becomes the Node that runs here: small, and otherwise the same. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before } from 'node:test';
import type { Context, RuntimeProgress } from 'mitos';
import { PIECE } from '#src/parent/blobs.js';
import { type Requirement, testWithOracle } from '#src/testing/index.js';
import { quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { type CountingSource, scriptSource } from '../fixtures/programs/runtime-source.js';
import { uid } from '../support/elevated.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { needsNodes, nodeBinary } from '../support/nodes.js';
import { executable, HERE, withBench } from '../support/runtimes.js';
import { byPassword, toUser } from '../support/ssh.js';
import { runNode } from './run-program.js';

const lab = openLab();
const here = needs('users', 'sshd', 'sudo', 'su', 'namespaces', 'shells');
/** Where nothing looks for a Node. */
const hidden = join(lab.directory, 'hidden');
let server: Sshd;
let user: LabUser;
let other: LabUser;
if (here.skip === false) {
  before(async () => {
    copyFileSync(process.execPath, hidden);
    server = await lab.sshd({ hidesNode: true, passwordAuthentication: true });
    user = await lab.user();
    other = await lab.user();
  });
}

const both = (...all: Requirement[]): Requirement => all.find(({ skip }) => skip !== false) ?? { skip: false };

/** A folder that everybody may enter, and `mode` says who writes to. */
function folderFor(what: string, mode = 0o755): string {
  const folder = mkdtempSync(join(lab.directory, `${what}-`));
  chmodSync(folder, mode);
  return folder;
}

/** A folder in which `node` is a real one of that major version. */
function folderOfOld(version: string): string {
  const folder = folderFor('old');
  copyFileSync(nodeBinary(version) as string, join(folder, 'node'));
  return folder;
}

/** The version there, and whether that Node was sent. */
function told(): { version: string; isSent: boolean } {
  return { version: process.version, isSent: /^\/proc\/\d+\/exe$/.test(process.execPath) };
}

async function isSentTo(context: PromiseLike<Context>): Promise<Context> {
  const target = await context;
  assert.deepEqual(await target.call(told), { version: process.version, isSent: true });
  return target;
}

/** Each piece was read so often. */
function isRead({ reads, offered }: CountingSource, times: number): void {
  const pieces = Math.ceil(offered.packedSize / PIECE);
  assert.ok(pieces > 1);
  assert.equal(reads.length, times * pieces);
  assert.equal(new Set(reads).size, pieces);
}

function pushTest(
  name: string,
  requirement: Requirement,
  fn: (router: ReturnType<typeof quietRouter>['router'], source: CountingSource) => Promise<void>,
  options = {},
): void {
  testWithOracle(name, requirement, async () => {
    const source = scriptSource(hidden);
    const { router } = quietRouter({ runtimes: source, ...options });
    try {
      await fn(router, source);
    } finally {
      await router.close();
    }
  });
}

pushTest('Where the only Node is a real Node 8, one is sent, once', both(here, needsNodes('8')), async (router, source) => {
  await using old = await lab.sshd({ hidesNode: true, env: { PATH: `${folderOfOld('8')}:/usr/bin:/bin` } });
  await rejectsWith(router.ssh(toUser(old, user, { runtime: 'never' })), 'ERR_MITOS_RUNTIME_OLD');
  const context = await isSentTo(router.ssh(toUser(old, user)));
  isRead(source, 1);
  // It is known there now: the old one is not asked again, and nothing is sent.
  await isSentTo(router.ssh(toUser(old, user)));
  await isSentTo(context.local());
  isRead(source, 1);
});

pushTest('Behind sudo with a password one is sent where the Node is too old', both(here, needsNodes('10')), async (router) => {
  const folder = folderOfOld('10');
  await using _rule = await lab.sudoers(
    `Defaults:${user.name} timestamp_timeout=0,secure_path=${folder}:/usr/bin:/bin\n${user.name} ALL=(ALL) ALL`,
  );
  const hop = router.ssh(toUser(server, user));
  const options = { username: other.name, password: user.password };
  await rejectsWith(hop.sudo({ ...options, runtime: 'never' }), 'ERR_MITOS_RUNTIME_OLD');
  const target = await isSentTo(hop.sudo(options));
  assert.equal(await target.call(uid), other.uid);
});

pushTest(
  'Through ssh and then sudo and su as another user, with passwords that are asked for once, each piece comes once for the hop and once for all behind it',
  here,
  async (router, source) => {
    await using _rule = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0\n${user.name} ALL=(ALL) ALL`);
    const log = join(folderFor('asked', 0o1777), 'log');
    const counting = (name: string): string => {
      const path = join(lab.directory, `counting-${name}`);
      writeFileSync(path, `#!/bin/sh\necho ${name} >>${log}-${name}\nexec ${name} "$@"\n`, { mode: 0o755 });
      return path;
    };
    // One flight: nothing waits for the answer of a hop.
    const hop = router.ssh(byPassword(server, user));
    const behindSudo = hop.sudo({ username: other.name, password: user.password, sudoPath: counting('sudo') });
    const behindSu = hop.su({ username: other.name, password: other.password, path: counting('su') });
    await isSentTo(hop);
    for (const target of await Promise.all([isSentTo(behindSudo), isSentTo(behindSu)])) assert.equal(await target.call(uid), other.uid);
    isRead(source, 2);
    for (const name of ['su', 'sudo']) assert.equal(readFileSync(`${log}-${name}`, 'utf8'), `${name}\n`);
    // Root can read what runs in the process of the hop.
    assert.equal(await (await isSentTo(hop.sudo({ password: user.password }))).call(uid), 0);
    isRead(source, 2);
  },
);

pushTest('Two hops on the way ask for each piece once, also for two targets at the same time', here, async (router, source) => {
  const hop = router.local().local();
  await Promise.all([isSentTo(hop.ssh(toUser(server, user))), isSentTo(hop.ssh(toUser(server, other)))]);
  isRead(source, 1);
});

pushTest(
  'The ssh client in the program itself sends one as the other does, and to further children nothing',
  here,
  async (router, source) => {
    const options = toUser(server, user, { transport: 'in-process' });
    await isSentTo(router.ssh(options));
    await isSentTo(router.ssh(options));
    isRead(source, 1);
  },
);

for (const threaded of [true, false]) {
  pushTest(
    `A ${threaded ? 'threaded ' : ''}master tells of each step, in order`,
    here,
    async (router, source) => {
      const seen: RuntimeProgress[] = [];
      router.on('runtime', (progress) => seen.push(progress));
      await isSentTo(router.ssh(toUser(server, user, { name: 'bare' })));
      isRead(source, 1);
      assert.deepEqual([...new Set(seen.map(({ phase }) => phase))], ['send', 'start']);
      for (const { context, done, total } of seen) assert.ok(context === 'bare' && done <= total);
      const sent = seen.filter(({ phase }) => phase === 'send');
      assert.deepEqual(
        sent.map(({ done }) => done),
        sent.map(({ done }) => done).sort((a, b) => a - b),
      );
      assert.equal(sent.at(-1)?.done, source.offered.packedSize);
      assert.equal(seen.at(-1)?.done, source.offered.size);
    },
    { threaded },
  );
}

pushTest("With runtime: 'push' what is installed is not even started", here, async (router, source) => {
  const bin = folderFor('bin');
  writeFileSync(join(bin, 'node'), `#!/bin/sh\n>${bin}/started\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  const argv = ['env', `PATH=${bin}:/usr/bin:/bin`];
  assert.equal((await (await router.command({ argv })).call(told)).isSent, false);
  assert.ok(existsSync(join(bin, 'started')));
  rmSync(join(bin, 'started'));
  await isSentTo(router.command({ argv, runtime: 'push' }));
  assert.equal(existsSync(join(bin, 'started')), false);
  isRead(source, 1);
});

testWithOracle('A container whose image has no Node is sent one', both(needs('podman'), here), async () => {
  await using container = await lab.podman();
  copyFileSync(process.execPath, join(container.root, 'mnt/hidden'));
  for (const path of new Set([container.node, '/usr/bin/node', '/usr/local/bin/node']))
    if (existsSync(join(container.root, path)))
      execFileSync('nsenter', ['--target', String(container.pid), '--mount', 'mount', '--bind', '/dev/null', path]);
  const source = scriptSource('/mnt/hidden');
  const { router } = quietRouter({ runtimes: source });
  try {
    const options = { container: container.name, path: container.tool };
    const target = await isSentTo(router.podman(options));
    await isSentTo(target.local());
    isRead(source, 1);
  } finally {
    await router.close();
  }
});

/** Runs `mitos` with a directory of builds in which there is one that becomes the Node that runs here. */
async function cli(signal: AbortSignal, ...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env: Record<string, string> = {};
  let ended = { code: null as number | null, stdout: '', stderr: '' };
  await withBench(async ({ cache, runtimes, seed }) => {
    await seed(`node-v${process.versions.node}-linux-${HERE}`, executable({ arch: HERE, becomes: hidden, salt: 'x'.repeat(1000) }));
    ended = await runNode('dist/cli/main.js', { args, signal, env: { ...env, MITOS_CACHE_DIR: cache, MITOS_RUNTIMES: runtimes } });
  });
  return ended;
}

const target = (options: Record<string, string> = {}): string =>
  `ssh://${user.name}@lab?${new URLSearchParams({ configFile: server.clientConfig, ...options }).toString().replaceAll('+', '%20')}`;

testWithOracle('mitos ping and mitos run send a Node, and say so in one line', here, async ({ signal }) => {
  const file = join(lab.directory, 'program.mjs');
  writeFileSync(file, 'export default () => process.execPath;\n', { mode: 0o644 });
  for (const [args, stdout] of [
    [['ping', '-c', '1', target()], /^ok {3}ssh:.*connected in/],
    [['run', file, target()], /\/proc\/\d+\/exe/],
  ] as const) {
    const ended = await cli(signal, ...args);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, stdout);
    assert.match(ended.stderr, /^\S*: there is no Node; sending one \([^)]+\)\n$/);
  }
});

testWithOracle('mitos doctor says of a target without Node how one would be sent, and goes on with it', here, async ({ signal }) => {
  const ended = await cli(signal, 'doctor', target());
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  assert.match(ended.stdout, /there is none; one would be sent, and run from memory, by way of (python3|perl)/);
});
