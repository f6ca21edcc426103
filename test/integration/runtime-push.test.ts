/** Targets that have no Node are given one, for real: over ssh, in other roots, through hops. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before } from 'node:test';
import type { RuntimeProgress } from 'mitos';
import { PIECE } from '#src/parent/blobs.js';
import { testWithOracle } from '#src/testing/index.js';
import { quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { type CountingSource, nodeSource } from '../fixtures/programs/runtime-source.js';
import { enter, makeBareRoot } from '../support/bare.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { toUser } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd', 'namespaces', 'shells');
/** All that a target of these tests could write to. */
const WRITABLE = ['/tmp', '/var/tmp', '/dev/shm', '/run'];
let server: Sshd;
let user: LabUser;
let source: CountingSource;
if (here.skip === false) {
  before(async () => {
    server = await lab.sshd({ hidesNode: true, isReadOnly: true });
    user = await lab.user();
    source = nodeSource();
  });
}

/** Whether there is a Node in the PATH, or where one is looked for; how the folders to write to are mounted; and the file that runs. */
function surroundings(writable: readonly string[]): { nodes: string[]; mounts: string[]; executable: string; execPath: string } {
  const { existsSync, readFileSync, readlinkSync, accessSync, constants } = process.getBuiltinModule('fs');
  const nodes = (process.env['PATH'] ?? '').split(':').flatMap((folder) => [`${folder}/node`, `${folder}/nodejs`]);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return {
    nodes: nodes.filter((path) => {
      try {
        accessSync(path, constants.X_OK);
        return existsSync(path);
      } catch {
        return false;
      }
    }),
    mounts: ['/', ...writable].map((folder) => mounts.filter((line) => line.split(' ')[1] === folder).at(-1) ?? ''),
    executable: readlinkSync('/proc/self/exe'),
    execPath: process.execPath,
  };
}

/** Runs the Node that runs here, in the ways that programs do. */
async function runsItself(): Promise<string[]> {
  const { execFileSync, fork } = process.getBuiltinModule('child_process');
  const forked = fork('-', [], { execArgv: ['-e', 'process.send(process.version)'] });
  const fromFork = await new Promise<string>((resolve) => forked.on('message', (message) => resolve(message as string)));
  return [fromFork, execFileSync(process.execPath, ['-p', 'process.version'], { encoding: 'utf8' }).trim()];
}

/** Files of a user in all folders that can be written to. */
function filesOf({ uid }: LabUser): string[] {
  // Files of others come and go meanwhile, which find minds.
  const { stdout } = spawnSync('find', [...WRITABLE, lab.directory, '-xdev', '-uid', String(uid)], { encoding: 'utf8' });
  // What other labs have of a user with the same id is not meant.
  const own = stdout
    .trim()
    .split('\n')
    .filter((path) => path.startsWith(lab.directory) || !path.includes('/mtlab-'));
  return [...new Set(own)].sort();
}

testWithOracle(
  'A user without Node, on a read-only root with noexec folders, runs TypeScript over ssh, and no file is left; further children are sent nothing',
  { ...here, timeoutMs: 60_000 },
  async () => {
    const { router } = quietRouter({ runtimes: source });
    const seen: RuntimeProgress[] = [];
    router.on('runtime', (progress) => seen.push(progress));
    try {
      const before = filesOf(user);
      await rejectsWith(router.ssh(toUser(server, user, { runtime: 'never' })), 'ERR_MITOS_NO_RUNTIME');
      const context = await router.ssh(toUser(server, user, { name: 'bare' }));
      const found = await context.call(surroundings, WRITABLE);
      assert.deepEqual(found.nodes, []);
      assert.match(found.executable, /^\/memfd:mitos/);
      assert.match(found.mounts[0] as string, / ro,/);
      for (const mount of found.mounts.slice(1)) assert.match(mount, /noexec/);
      assert.deepEqual([seen.at(-1)?.phase, seen.at(-1)?.context], ['start', 'bare']);
      assert.ok(seen.some(({ phase, done, total }) => phase === 'send' && done === total));
      assert.deepEqual(await context.call(runsItself), [process.version, process.version]);

      const reads = source.reads.length;
      const second = await router.ssh(toUser(server, user, { name: 'second' }));
      const inner = await context.local();
      const thread = await context.worker();
      for (const other of [second, inner]) assert.match((await other.call(surroundings, WRITABLE)).executable, /^\/memfd:mitos/);
      assert.deepEqual(await thread.call(runsItself), [process.version, process.version]);
      assert.equal(source.reads.length, reads);
      assert.deepEqual(filesOf(user), before);
    } finally {
      await router.close();
    }
    assert.deepEqual(user.processes(), []);
  },
);

testWithOracle(
  'Where there is no Python or Perl Node runs from a file without a name; a hop asks for each piece once',
  { ...here, timeoutMs: 60_000 },
  async () => {
    const root = makeBareRoot(lab.directory);
    const folders = { '/dev/shm': 'noexec', '/run': 'noexec', '/tmp': 'size=400m' };
    const own = nodeSource();
    const { router } = quietRouter({ runtimes: own });
    try {
      const hop = await router.local({ name: 'hop' });
      const argv = enter(root, { folders });
      const context = await hop.command({ argv });
      const { executable } = await context.call(surroundings, []);
      assert.match(executable, /^\/tmp\/\.mitos-[0-9a-f]{24}\/n \(deleted\)$/);
      assert.deepEqual(await context.call(namesIn, ['/tmp', '/dev/shm', '/run', '/root']), []);
      assert.deepEqual(await context.call(runsItself), [process.version, process.version]);
      const pieces = Math.ceil(own.offered.packedSize / PIECE);
      assert.equal(own.reads.length, pieces);
      assert.equal(new Set(own.reads).size, pieces);
    } finally {
      await router.close();
    }
  },
);

/** All names in some folders. */
function namesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => process.getBuiltinModule('fs').readdirSync(folder));
}
