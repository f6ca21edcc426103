/** The lab itself: keeps what its rooms made, and undoes it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { startBuildah, startDocker, startPodman } from './containers.ts';
import { Journal, undoLeftovers } from './journal.ts';
import { startChroot, startLxc, startNamespaces, startNspawn } from './namespaces.ts';
import { addDoasLines, addSudoers } from './policies.ts';
import { makeRootfs } from './rootfs.ts';
import { startSshd } from './sshd.ts';
import { createStub } from './stubs.ts';
import type { Container, Fixture, Lab } from './types.ts';
import { createUser } from './users.ts';

/** The Node that contexts run on: this one, unless `npm run matrix` says another. */
const NODE = process.env['MITOS_TEST_NODE'] ?? process.execPath;

/** Beside the lab's public side, what its rooms need. @internal */
export interface LabRoom {
  readonly journal: Journal;
  readonly directory: string;
  readonly node: string;
  nodeCopy(): string;
  rootfs(): Promise<string>;
}

/**
 * Opens a lab for a test file and closes it after the file's tests. Does nothing until it is asked for something, so that it can be opened
 * where the tests are skipped.
 */
export function openLab(): Lab {
  const lab = createLab();
  after(lab.close);
  return lab;
}

/** A lab for programs that are no tests: whoever made it closes it. */
export function createLab(): Lab {
  let journal: Journal | undefined;
  const fixtures: Fixture[] = [];
  const open = (): Journal => {
    if (journal === undefined) {
      undoLeftovers();
      journal = new Journal();
    }
    return journal;
  };
  const keep = async <T extends Fixture>(making: T | Promise<T>): Promise<T> => {
    const made = await making;
    fixtures.push(made);
    return made;
  };
  let node: string | undefined;
  let root: Promise<string> | undefined;
  const room: LabRoom = {
    get journal() {
      return open();
    },
    get directory() {
      return open().directory;
    },
    get node() {
      node ??= canEverybodyRun(NODE) ? NODE : copyNode(open().directory);
      return node;
    },
    nodeCopy: () => copyNode(open().directory),
    rootfs: () => {
      root ??= makeRootfs(room, false);
      return root;
    },
  };
  const contain = (start: (room: LabRoom) => Promise<Container>) => () => keep(start(room));
  const close = async (): Promise<void> => {
    for (const fixture of fixtures.splice(0).reverse()) await fixture.close();
    journal?.close();
    journal = undefined;
  };
  return {
    get directory() {
      return room.directory;
    },
    get node() {
      return room.node;
    },
    user: async (options) => keep(createUser(room, options)),
    sshd: async (options) => keep(startSshd(room, options)),
    sudoers: async (text) => keep(addSudoers(open(), text)),
    doas: async (lines) => keep(addDoasLines(open(), lines)),
    stub: (name, options) => createStub(open().directory, name, options),
    rootfs: room.rootfs,
    podman: contain(startPodman),
    buildah: contain(startBuildah),
    docker: contain(startDocker),
    lxc: contain(startLxc),
    nspawn: contain(startNspawn),
    namespaces: contain(startNamespaces),
    chroot: contain(startChroot),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** In somebody's home, as version managers have it, a program may be out of reach for others. */
function canEverybodyRun(program: string): boolean {
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--', program, '-v'];
  return spawnSync('setpriv', asNobody, { cwd: '/', stdio: 'ignore' }).status === 0;
}

function copyNode(directory: string): string {
  const copy = join(directory, 'bin', 'node');
  if (existsSync(copy)) return copy;
  mkdirSync(join(directory, 'bin'));
  try {
    linkSync(NODE, copy);
  } catch {
    copyFileSync(NODE, copy); // another filesystem
    chmodSync(copy, 0o755);
  }
  return copy;
}
