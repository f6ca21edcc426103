/** Every way to another machine or process, then every way to another user or container, then one step more. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import type { Context, ContextPromise, Router } from 'mitos';
import { Router as TreeRouter } from 'mitos';
import { findCommand, testWithOracle } from '#src/testing/index.js';
import { type Container, type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';

const lab = openLab();
const need = needs('sshd', 'sudo', 'su', 'doas', 'podman', 'namespaces');

let server: Sshd;
/** Who logs in; may become the second by a password of its own. */
let first: LabUser;
/** May become root without a password. */
let second: LabUser;
let podman: Container;
let namespaces: Container;

if (need.skip === false) {
  before(async () => {
    first = await lab.user({ shell: 'bash' });
    second = await lab.user();
    await lab.sudoers(`Defaults:${first.name} timestamp_timeout=0
${first.name} ALL=(${second.name}) ALL
${second.name} ALL=(root) NOPASSWD: ALL
root ALL=(ALL) NOPASSWD: ALL`);
    await lab.doas(`permit ${first.name} as ${second.name}\npermit nopass root as ${second.name}`);
    server = await lab.sshd();
    podman = await lab.podman();
    namespaces = await lab.namespaces();
  });
}

/** How to come to a first context; as the ordinary user, or as root for what only root may do. */
const STARTS: Record<string, (router: Router, isRoot: boolean) => ContextPromise> = {
  'ssh by OpenSSH': (router, isRoot) => router.ssh(login(isRoot)),
  'ssh in-process': (router, isRoot) => router.ssh({ ...login(isRoot), transport: 'in-process' }),
  local: (router, isRoot) => (isRoot ? router.local() : router.runuser({ username: first.name, node: lab.node })),
};

function login(isRoot: boolean): Parameters<Router['ssh']>[0] {
  const { host, port, keys, knownHosts } = server;
  return {
    hostname: host,
    port,
    username: isRoot ? 'root' : first.name,
    identityFile: keys.plain,
    knownHosts: knownHosts.right,
    node: lab.node,
  };
}

interface Middle {
  isRoot: boolean;
  open(from: ContextPromise): ContextPromise;
  /** The user one is then. */
  user(): string;
}

const node = (): { node: string } => ({ node: lab.node });
const MIDDLES: Record<string, Middle> = {
  sudo: {
    isRoot: false,
    open: (from) => from.sudo({ username: second.name, password: first.password, ...node() }),
    user: () => second.name,
  },
  su: {
    isRoot: false,
    open: (from) => from.su({ username: second.name, password: second.password, ...node() }),
    user: () => second.name,
  },
  doas: {
    isRoot: false,
    open: (from) => from.doas({ username: second.name, password: first.password, ...node() }),
    user: () => second.name,
  },
  podman: {
    isRoot: true,
    open: (from) => from.podman({ container: podman.name, path: podman.tool, node: podman.node }),
    user: () => 'root',
  },
  nsenter: {
    isRoot: true,
    open: (from) => from.nsenter({ pid: namespaces.pid, node: namespaces.node }),
    user: () => 'root',
  },
};

const ENDS: Record<string, { open(from: ContextPromise): ContextPromise; user(middle: string): string }> = {
  sudo: { open: (from) => from.sudo(node()), user: () => 'root' },
  local: { open: (from) => from.local(), user: (middle) => middle },
};

for (const [start, toStart] of Object.entries(STARTS)) {
  for (const [middle, { isRoot, open, user }] of Object.entries(MIDDLES)) {
    for (const [end, last] of Object.entries(ENDS)) {
      testWithOracle(`${start}, then ${middle}, then ${end}`, { ...need, timeoutMs: 60_000 }, async () => {
        await using router = new TreeRouter({ logger: false });
        const hop = toStart(router, isRoot);
        const there = open(hop);
        const furthest = last.open(there);
        const call = furthest.call((n: number) => [n + 1, process.pid], 41);
        const [answer, pid] = (await call) as [number, number];
        assert.equal(answer, 42);
        const contexts: Context[] = await Promise.all([hop, there, furthest]);
        const infos = await Promise.all(contexts.map((context) => context.info()));
        assert.deepEqual(
          infos.map((info) => info.user),
          [isRoot ? 'root' : first.name, user(), last.user(user())],
        );
        assert.equal(infos[2]?.pid, pid);
      });
    }
  }
}

testWithOracle(
  'five kinds of hops in one chain: call through all of them, kill the second, and all of it is gone',
  { ...need, timeoutMs: 60_000 },
  async () => {
    await using router = new TreeRouter({ logger: false });
    const ssh = router.ssh({ ...login(false), name: 'one' });
    const sudo = ssh.sudo({ username: second.name, password: first.password, name: 'two', ...node() });
    const root = sudo.sudo({ name: 'three', ...node() });
    const back = root.ssh({ ...login(false), name: 'four' });
    const doas = back.doas({ username: second.name, password: first.password, name: 'five', ...node() });
    const local = doas.local({ name: 'six' });
    assert.equal((await local.call(process.cwd)) !== '', true);
    const [two, ...rest] = await Promise.all([sudo, root, back, doas, local]);
    const { pid } = await two.info();
    const pending = local.call(() => new Promise(() => {}));
    const refused = assert.rejects(pending, (error: Error) => /"two"/.test(error.message));
    const gone = Promise.all([two, ...rest].map((context) => context.closed));
    process.kill(pid, 'SIGKILL');
    for (const { message } of await gone) assert.match(message, /"two"/);
    await refused;
    assert.equal((await ssh).connected, true);
    assert.ok(findCommand('ssh'));
  },
);
