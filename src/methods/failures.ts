/**
 * What failures of the connection methods mean. A bundle of its own: a hop asks the master for it when it has its first failure
 * to tell of.
 */
import type { Hop } from '../core/hop.ts';
import { connectFailure } from '../parent/connect-failure.ts';
import type { Connector } from '../parent/connector.ts';
import { explainRefusal } from '../parent/elevation-failure.ts';
import type { Ended, Explain } from '../parent/failure.ts';
import { explainSsh } from '../parent/ssh-failure.ts';
import { toolFailure } from '../parent/tool-failure.ts';

/** What reads the failures of a method, by its name; those that are not here have only what all have in common. */
export const EXPLAIN: Readonly<Record<string, Explain>> = {
  ssh: explainSsh,
  sudo: explainRefusal,
  su: explainRefusal,
  doas: explainRefusal,
  run0: explainRefusal,
  runuser: explainRefusal,
  docker: toolFailure('docker ps -a'),
  podman: toolFailure('podman ps -a'),
  nerdctl: toolFailure('nerdctl ps -a'),
  buildah: toolFailure('buildah containers'),
  kubectl: toolFailure('kubectl get pods'),
  lxc: toolFailure('lxc-ls -f'),
  lxd: toolFailure('lxc list'),
  incus: toolFailure('incus list'),
  jail: toolFailure('jls'),
  machinectl: toolFailure('machinectl list'),
  nsenter: toolFailure('the list of processes or containers', {
    121: ['ERR_MITOS_TRANSPORT_EXIT', 'nsenter, or the program that knows the container, is not here', 'install it, or go to where it is'],
    122: ['ERR_MITOS_NO_CONTAINER', 'no such process'],
    123: ['ERR_MITOS_AUTH', 'not allowed to see the namespaces of that process', 'become root first, such as with sudo()'],
    125: ['ERR_MITOS_NO_CONTAINER', 'the container does not run'],
  }),
  chroot: toolFailure('ls -ld of it', { 125: ['ERR_MITOS_NO_CONTAINER', 'that directory cannot become the root'] }),
};

/** Gives a hop's parent layer what explains failures. */
export function install(hop: Hop): void {
  (hop.parentLayer as Connector).failures.give((ended: Ended) => connectFailure(ended, EXPLAIN[ended.progress.method]));
}
