/** Makes a hop keep modules for those behind it. Sent when there is a second one that may need the same. */
import { RELAY } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import { Relay } from '../parent/relay.ts';

/** Idempotent. The master has all modules itself. */
export function install(hop: Hop): void {
  if (hop.config.ancestors.length && !hop.extensions.has(RELAY)) new Relay(hop);
}
