/** All connection methods by name, for a master; other contexts are sent those they use. */
import type { Method } from '../parent/connector.ts';
import { command } from './command.ts';
import { buildah, docker, incus, jail, kubectl, lxc, lxd, machinectl, nerdctl, podman } from './container.ts';
import { local } from './local.ts';
import { chroot, nsenter } from './namespace.ts';
import { ssh } from './ssh.ts';
import { doas, run0, runuser, su } from './su.ts';
import { sudo } from './sudo.ts';
import { worker } from './worker.ts';

/** Connection methods by name. */
export const METHODS: Readonly<Record<string, Method>> = {
  buildah,
  chroot,
  command,
  doas,
  docker,
  incus,
  jail,
  kubectl,
  local,
  lxc,
  lxd,
  machinectl,
  nerdctl,
  nsenter,
  podman,
  run0,
  runuser,
  ssh,
  su,
  sudo,
  worker,
};
