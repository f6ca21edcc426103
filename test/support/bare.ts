/** Targets that have next to nothing: a root directory with busybox, the libraries that Node needs, and what a test adds. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findCommand } from '#src/testing/index.js';

/** What to change about a bare root. */
export interface BareOptions {
  /** Below which busybox has no applets. */
  without?: readonly string[];
  /** Scripts to put in front of the others. */
  scripts?: Readonly<Record<string, string>>;
}

/** Makes a root directory below `directory`. */
export function makeBareRoot(directory: string, { without = [], scripts = {} }: BareOptions = {}): string {
  const root = mkdtempSync(join(directory, 'bare-'));
  chmodSync(root, 0o755);
  const busybox = findCommand('busybox') as string;
  for (const folder of ['bin', 'sbin', 'dev/shm', 'proc', 'tmp', 'var/tmp', 'run', 'root', 'etc', 'home'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ['tmp', 'var/tmp', 'dev/shm']) chmodSync(join(root, folder), 0o1777);
  execFileSync('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3']);
  execFileSync('mknod', ['-m', '666', join(root, 'dev/urandom'), 'c', '1', '9']);
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox' && !without.includes(applet)) symlinkSync('busybox', join(root, 'bin', applet));
  for (const [name, text] of Object.entries(scripts)) {
    const file = join(root, 'sbin', name);
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  for (const library of librariesOf(process.execPath, busybox)) {
    const to = join(root, library);
    mkdirSync(dirname(to), { recursive: true });
    if (!existsSync(to)) copyFileSync(library, to);
  }
  return root;
}

function librariesOf(...programs: readonly string[]): string[] {
  const list = execFileSync('ldd', programs as string[], { encoding: 'utf8' });
  const found = [...list.matchAll(/(?:=>\s*)?(\/\S+\.so[^\s:]*) \(/g)].map(([, path]) => path as string);
  return [...new Set(found)];
}

/** How {@link enter} mounts. */
export interface Mounts {
  /** The folders that are mounts of their own, with their options, such as `noexec` or `size=1m`. */
  folders?: Readonly<Record<string, string>>;
  /** A user id to become. */
  uid?: number;
}

/** A program and arguments that enter a bare root, read-only but for `folders`: for `command()`. */
export function enter(root: string, { folders = {}, uid }: Mounts = {}): string[] {
  const mounts = Object.entries(folders).map(([folder, options]) => `mount -t tmpfs -o mode=1777,${options} tmpfs ${root}${folder}&&`);
  const become = uid === undefined ? '' : `setpriv --reuid=${uid} --regid=${uid} --clear-groups `;
  const script =
    `mount --bind ${root} ${root}&&mount -o remount,bind,ro ${root}&&mount -t proc proc ${root}/proc&&` +
    `${mounts.join('')}exec ${become}chroot ${root} "$@"`;
  return ['unshare', '--mount', 'env', '-i', 'PATH=/sbin:/bin:/usr/sbin:/usr/bin', 'HOME=/root', 'sh', '-c', script, 'sh'];
}
