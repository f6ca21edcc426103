/**
 * Containers without an engine. What was seen where pid 1 is not systemd, /run is no tmpfs and cgroups are v1 and v2 at once:
 * - lxc runs, with a directory for a root filesystem and the network of the machine.
 * - systemd-nspawn runs without registration (`--register=no --keep-unit`) and with a tmpfs on /run/systemd/nspawn; without that it says
 *   "Attempted to remove disk file system under "/run/systemd/nspawn/propagate/…", and we can't allow that."
 * - machinectl does not: "System has not been booted with systemd as init system (PID 1). Can't operate."
 */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '#src/testing/index.js';
import type { LabRoom } from './lab.ts';
import { Daemon, tryRun } from './process.ts';
import { INIT, makeRootfs } from './rootfs.ts';
import type { Container } from './types.ts';
import { uniqueName } from './users.ts';

/** What is the same for most. @internal */
export function container(
  parts: Pick<Container, 'name' | 'pid' | 'root' | 'tool' | 'node' | 'close'> & { env?: Record<string, string>; hostname?: string },
): Container {
  return { env: {}, hostname: parts.name, ...parts, [Symbol.asyncDispose]: parts.close };
}

/** @see Lab.lxc */
export async function startLxc(room: LabRoom): Promise<Container> {
  const root = await room.rootfs();
  const name = uniqueName();
  const folder = mkdtempSync(join(room.directory, 'lxc-'));
  const config = join(folder, 'config');
  const lines = [
    `lxc.uts.name = ${name}`,
    `lxc.rootfs.path = dir:${root}`,
    `lxc.init.cmd = ${INIT}`,
    ...['lxc.net.0.type = none', 'lxc.mount.auto = proc:rw', 'lxc.apparmor.profile = unconfined', 'lxc.autodev = 0'],
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const stop = room.journal.add('sh', '-c', 'lxc-info -n "$1" >/dev/null 2>&1 && lxc-stop -k -n "$1"; true', 'sh', name);
  const daemon = new Daemon([findCommand('lxc-start') ?? 'lxc-start', '-n', name, '-f', config, '-F'], join(folder, 'log'));
  const pid = await daemon.until(() => {
    const found = /^\d+/.exec(tryRun(['lxc-info', '-n', name, '-p', '-H']).stdout.trim());
    return tryRun(['lxc-info', '-n', name, '-s', '-H']).stdout.trim() === 'RUNNING' && found ? Number(found[0]) : undefined;
  });
  const close = async (): Promise<void> => {
    stop();
    await daemon.close();
  };
  return container({ name, pid, root, tool: 'lxc-attach', node: room.node, close });
}

/** @see Lab.nspawn */
export async function startNspawn(room: LabRoom): Promise<Container> {
  const root = await room.rootfs();
  const name = uniqueName();
  const log = join(mkdtempSync(join(room.directory, 'nspawn-')), 'log');
  const script = 'mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$@"';
  const flags = [
    '-q',
    '--register=no',
    '--keep-unit',
    `--machine=${name}`,
    `--hostname=${name}`,
    '--console=pipe',
    '--link-journal=no',
    '-D',
    root,
  ];
  const daemon = new Daemon(['unshare', '--mount', 'sh', '-c', script, 'sh', 'systemd-nspawn', ...flags, INIT], log);
  const pid = await daemon.until(() => initBelow(daemon));
  return container({ name, pid, root, tool: 'nsenter', node: room.node, close: () => daemon.close('SIGKILL') });
}

/** @see Lab.namespaces */
export async function startNamespaces(room: LabRoom): Promise<Container> {
  const name = uniqueName();
  const folder = mkdtempSync(join(room.directory, 'ns-'));
  const init = join(folder, 'lab-init');
  // Who enters the mount namespace finds the mark in /mnt.
  const script =
    '#!/bin/sh\nhostname "$1"\nmount -t tmpfs tmpfs /mnt\necho "$1" >/mnt/inside\ntrap "exit 0" TERM\nsleep infinity &\nwait $!\n';
  writeFileSync(init, script, { mode: 0o755 });
  const unshare = ['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const daemon = new Daemon([...unshare, '--', init, name], join(folder, 'log'));
  const pid = await daemon.until(() => {
    const found = initBelow(daemon);
    return found !== undefined && existsSync(`/proc/${found}/root/mnt/inside`) ? found : undefined;
  });
  return container({ name, pid, root: '/', tool: 'nsenter', node: room.node, close: () => daemon.close('SIGKILL') });
}

/** The container's first process, once it is the container's: at first it is a copy of the tool. */
function initBelow(daemon: Daemon): number | undefined {
  return daemon.descendants().find(({ command }) => command.startsWith('/bin/sh ') && command.includes('lab-init'))?.pid;
}

/** @see Lab.chroot */
export async function startChroot(room: LabRoom): Promise<Container> {
  const root = await makeRootfs(room, true);
  const close = async (): Promise<void> => {};
  return container({ name: root, pid: 0, root, tool: 'chroot', node: room.node, hostname: '', close });
}
