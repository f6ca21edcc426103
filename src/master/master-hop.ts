/** The hop side of a master: on the program's own thread, or on a thread of its own. */

import type { ChildConfig } from '../core/config.ts';
import { Hop, type Sources } from '../core/hop.ts';
import { type IoThread, pumpOf, startIoThread } from '../core/io-thread.ts';
import { FrameLink } from '../core/port-transport.ts';
import { CORE, CORE_BROTLI, METHOD_BUNDLES, PARENT, PARENT_BROTLI } from '../generated/bundles.ts';
import { eitherSsh, type InProcessHost } from '../in-process/index.ts';
import { install as explainFailures } from '../methods/failures.ts';
import { install as provideRuntimes } from '../methods/provision.ts';
import { METHODS } from '../methods/table.ts';
import { Connector } from '../parent/connector.ts';

/** The text that makes a context. */
export const SOURCES: Sources = {
  core: CORE,
  packedCore: Buffer.from(CORE_BROTLI, 'base64'),
};

/** What is sent to contexts on first need: the parent layer, what explains its failures, and connection methods by their names. */
export const BUNDLES: ReadonlyMap<string, Buffer> = new Map([
  ['parent', Buffer.from(PARENT_BROTLI, 'base64')],
  ...METHOD_BUNDLES.flatMap(({ methods, brotli }) => {
    const bundle = Buffer.from(brotli, 'base64');
    return methods.map((name): [string, Buffer] => [name, bundle]);
  }),
]);

/** The way from a master's endpoint to its streams. */
export interface MasterHop {
  /** Takes a frame of the endpoint. */
  send(frame: Buffer): void;
  /** Blocks for frames; only where the hop has a thread of its own. */
  pump: (() => boolean) | undefined;
  /** Counters, where they can be had at once. */
  stats: (() => ReturnType<Hop['router']['stats']>) | undefined;
  /** Lets go of everything. Children are gone by then. */
  close(): Promise<void>;
}

/** The hop on this thread. `deliver` takes frames for the endpoint. */
export function createHop(config: ChildConfig, deliver: (frame: Buffer) => void, host: InProcessHost): MasterHop {
  const hop = new Hop(config, SOURCES, {}, { deliver, onOrphan: () => {}, onShutdown: () => {} });
  Object.assign(hop.methods, METHODS, { ssh: eitherSsh(METHODS['ssh'], host) });
  hop.parentLayer = new Connector(hop);
  explainFailures(hop);
  provideRuntimes(hop);
  return {
    send: (frame) => hop.router.route(frame, undefined),
    pump: undefined,
    stats: () => hop.router.stats(),
    close: () => Promise.resolve(),
  };
}

/** The hop on a thread of its own. */
export function createThreadedHop(config: ChildConfig, deliver: (frame: Buffer) => void, onCrash: (error: Error) => void): MasterHop {
  const thread: IoThread = startIoThread(config, SOURCES, [PARENT, ...METHOD_BUNDLES.map(({ code }) => code)], new Uint8Array(0));
  thread.worker.on('error', onCrash);
  const link = new FrameLink(thread.port, thread.cells, deliver, () => {});
  return {
    send: (frame) => link.send(frame),
    pump: pumpOf(link, 5000),
    stats: undefined,
    close: async () => {
      thread.port.close();
      await thread.worker.terminate();
    },
  };
}
