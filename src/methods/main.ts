/** The parent layer as it is sent: starts children by the methods that need no other program. */
import type { Hop } from '../core/hop.ts';
import { Connector } from '../parent/connector.ts';
import { local } from './local.ts';
import { worker } from './worker.ts';

/** Makes a hop able to have children. Idempotent. */
export function install(hop: Hop): void {
  if (!hop.parentLayer) hop.parentLayer = new Connector(hop, { local, worker });
}
