/** What gives a Node to targets that have none. A bundle of its own: a hop asks the master for it when it has its first such child; those above get it too. */
import { BLOB } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import { Blobs } from '../parent/blobs.ts';
import type { Connector } from '../parent/connector.ts';
import { Provisioner } from '../parent/provision.ts';

/** Gives a hop's parent layer what provides its children. Idempotent. */
export function install(hop: Hop): void {
  if (hop.extensions.has(BLOB)) return;
  (hop.parentLayer as Connector).provision.give(new Provisioner(hop, new Blobs(hop)));
}
