/**
 * What a hop is told of modules that are for others: u32 length of the head, the head as JSON, and a batch if one comes with it. It travels in parts as
 * batches do, see `module-batch.ts`.
 */
import type { ModuleQuery } from './importer.ts';
import type { Dep } from './module-batch.ts';
import type { ContextId } from './wire.ts';

/** Sets of ids as they travel: the first and the last id of each run. */
export type Ranges = readonly number[];

/** The head of such a message. */
export interface RelayHead {
  /** The modules of the batch that comes with it. */
  own?: Ranges;
  /** The context that needs them, and those of `ids`. */
  to?: ContextId;
  /** The question of the hop that this is part of the answer to: what comes is for those that have asked. */
  re?: ModuleQuery;
  /** Modules that are needed and that this link has carried before. */
  ids?: Ranges;
  /** With `re`: where it leads; the answer ends with this. */
  target?: Dep;
  /** Whether the same question has the same answer at any time. */
  keep?: boolean;
}

/** Writes a set of ids. */
export function toRanges(ids: readonly number[]): Ranges {
  const ranges: number[] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    if (id - 1 === ranges[ranges.length - 1]) ranges[ranges.length - 1] = id;
    else ranges.push(id, id);
  }
  return ranges;
}

/** Reads a set of ids. */
export function fromRanges(ranges: Ranges = []): number[] {
  const ids: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) for (let id = ranges[at] as number; id <= (ranges[at + 1] as number); id++) ids.push(id);
  return ids;
}

/** Makes a message, see {@link cut}. */
export function relayMessage(head: RelayHead, batch: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length, 0);
  return Buffer.concat([length, text, batch]);
}

/** Reads a message. */
export function readRelayMessage(message: Buffer): { head: RelayHead; batch: Buffer } {
  const end = 4 + message.readUInt32BE(0);
  return { head: JSON.parse(message.toString('utf8', 4, end)) as RelayHead, batch: message.subarray(end) };
}
