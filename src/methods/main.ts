/**
 * The parent layer as it is sent: makes a hop able to have children. Connection methods follow as bundles of their own, on the
 * first use of each; what they import of parent/ are the exports of this module.
 */
import type { Hop } from '../core/hop.ts';
import { Connector } from '../parent/connector.ts';

export { LineSplitter } from '../core/line-splitter.ts';
export { Dialogue } from '../parent/dialogue.ts';
export { inheritedEnvironment } from '../parent/environment.ts';
export { howEnded, isShortage } from '../parent/failure.ts';
export { OLDEST_NODE, OWN_PATH, WITHOUT_FILE } from '../parent/first-stage.ts';
export { shellWord, shellWords } from '../parent/quote.ts';
export { retrying } from '../parent/retrying-link.ts';
export { newMarker } from '../parent/stage-link.ts';
export { nodeCommand, startProcess } from '../parent/start.ts';

/** Idempotent. */
export function install(hop: Hop): void {
  if (!hop.parentLayer) hop.parentLayer = new Connector(hop);
}
