/** What a machine has to have for the rooms of a lab. */
import { findCommand, type Requirement, requirement } from '#src/testing/index.js';
import type { Need } from './types.ts';

/** The programs of each; all of them need root and Linux. */
const PROGRAMS: Readonly<Record<Need, readonly string[]>> = {
  root: ['setpriv'],
  users: ['useradd', 'userdel', 'chpasswd', 'chage'],
  sshd: ['sshd', 'ssh', 'ssh-keygen', 'useradd'],
  sudo: ['sudo', 'visudo', 'useradd'],
  doas: ['doas', 'useradd'],
  su: ['su', 'runuser', 'useradd'],
  podman: ['podman', 'crun', 'conmon'],
  buildah: ['buildah', 'crun'],
  docker: ['docker', 'podman', 'crun', 'conmon'],
  lxc: ['lxc-start', 'lxc-attach', 'lxc-stop'],
  nspawn: ['systemd-nspawn', 'unshare'],
  namespaces: ['unshare', 'nsenter'],
  chroot: ['chroot', 'mount'],
  shells: ['sh', 'bash', 'zsh', 'fish', 'tcsh', 'dash', 'ksh', 'busybox'],
};

/** What tests need, to be spread into their options: skips with a printed reason where it is not there. */
export function needs(...names: readonly Need[]): Requirement {
  const results = names.map((name) => outsider(...(OUTSIDE[name] ?? [])) ?? requirement(name, () => missing(name)));
  return results.find(({ skip }) => skip !== false) ?? { skip: false };
}

/** Programs that no package of `.ci/run` brings. */
const OUTSIDE: Partial<Record<Need, readonly string[]>> = { docker: ['docker'] };

/** Skips, with a printed reason, what needs a program that nobody can be asked to have: also where `MITOS_TEST_REQUIRE` is `all`. */
export function outsider(...programs: readonly string[]): Requirement | undefined {
  const absent = programs.filter((program) => findCommand(program) === undefined);
  if (absent.length === 0) return undefined;
  const skip = `${absent.join(', ')} not found; no package brings it`;
  console.error(`Skipping tests: ${skip}`);
  return { skip };
}

/** Why this machine has it not; undefined when it has. */
export function missing(name: Need): string | undefined {
  if (process.platform !== 'linux') return `the lab needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'the lab needs root';
  const absent = ['setpriv', 'mount', 'umount', ...PROGRAMS[name]].filter((program) => findCommand(program) === undefined);
  return absent.length === 0 ? undefined : `${absent.join(', ')} not found`;
}
