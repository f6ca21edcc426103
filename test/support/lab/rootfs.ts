/** A root filesystem for containers: this machine's /usr read-only, a copy of its /etc, and directories of its own. */
import { copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LabRoom } from './lab.ts';
import { run } from './process.ts';

/** The first process of containers: waits for others' children too, and ends at once. */
export const INIT = '/lab-init';

const DIRECTORIES = ['usr', 'dev/pts', 'dev/shm', 'proc', 'sys', 'tmp', 'run', 'root', 'home', 'var/tmp', 'mnt', 'opt'];
const DEVICES: readonly [string, string, string][] = [
  ['null', '1', '3'],
  ['zero', '1', '5'],
  ['random', '1', '8'],
  ['urandom', '1', '9'],
  ['tty', '5', '0'],
];

/**
 * Makes one below the lab's directory. /etc is as it is at this moment, with the users there are.
 *
 * @param hasProc Whether /proc is mounted in it, for whoever enters without mounting it.
 */
export async function makeRootfs(room: LabRoom, hasProc: boolean): Promise<string> {
  const root = mkdtempSync(join(room.directory, 'root-'));
  run(['chmod', '755', root]);
  fillRootfs(room, root);
  // In this order: a crash between the two leaves nothing mounted that is not undone.
  room.journal.add(
    'sh',
    '-c',
    'for m; do while mountpoint -q "$m"; do umount -l "$m" || exit; done; done',
    'sh',
    join(root, 'usr'),
    join(root, 'proc'),
  );
  run(['mount', '--bind', '/usr', join(root, 'usr')]);
  run(['mount', '-o', 'remount,bind,ro', join(root, 'usr')]);
  if (hasProc) run(['mount', '-t', 'proc', 'proc', join(root, 'proc')]);
  return root;
}

/** Everything but what is mounted. */
export function fillRootfs({ node }: LabRoom, root: string): void {
  for (const name of DIRECTORIES) mkdirSync(join(root, name), { recursive: true });
  run(['chmod', '1777', join(root, 'tmp'), join(root, 'dev/shm')]);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    if (lstatSync(join('/', name), { throwIfNoEntry: false })?.isSymbolicLink() === true)
      symlinkSync(readlinkSync(`/${name}`), join(root, name));
    else if (existsSync(`/${name}`)) run(['cp', '-a', `/${name}`, root]);
  }
  // Lock files of other test files come and go.
  run(['sh', '-c', 'tar -C / --exclude="*.lock" --exclude="*mtlab*" -cf - etc 2>/dev/null | tar -C "$1" -xf -', 'sh', root]);
  rmSync(join(root, 'etc/machine-id'), { force: true }); // systemd-nspawn refuses its own machine's
  for (const [name, major, minor] of DEVICES) {
    if (!existsSync(join(root, 'dev', name))) run(['mknod', '-m', '666', join(root, 'dev', name), 'c', major, minor]);
  }
  writeFileSync(join(root, INIT), '#!/bin/sh\ntrap "exit 0" TERM INT\nsleep infinity &\nwait $!\n', { mode: 0o755 });
  if (node.startsWith('/usr/')) return;
  mkdirSync(dirname(join(root, node)), { recursive: true });
  copyFileSync(node, join(root, node));
}
