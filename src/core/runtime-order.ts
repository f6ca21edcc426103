/** What a hop asks for when a target has no Node, and what it is offered. Types only: the two ends are in parent/ and master/. */

/** What a target is, as the hop before it found out. */
export interface RuntimeQuery {
  /** As `process.platform` would say: `linux`, `darwin`. */
  platform: string;
  /** As the npm packages call it: `x64`, `arm64`, `armv7l`, `ppc64le`, `s390x`. */
  arch: string;
  libc: 'glibc' | 'musl' | 'unknown';
  /** Version of the libc: `2.36`. */
  glibc?: string;
  /** What the target can unpack, the best of it; one that has xz has gzip as well. */
  packing: RuntimePacking;
}

/** How an executable is packed. */
export type RuntimePacking = 'xz' | 'gzip' | 'none';

/** A runtime that can be pushed: an executable, packed. */
export interface RuntimeOffer {
  /** Version of Node, without a `v`. */
  version: string;
  /** SHA-256 of the executable, in hex. */
  hash: string;
  /** Bytes of the executable. */
  size: number;
  /** SHA-256 of the packed bytes, in hex: the name of the blob. */
  blob: string;
  /** Bytes of the blob. */
  packedSize: number;
  /** How the blob is packed; at most what the query could take. */
  packing: RuntimePacking;
}

/** How far a push is. */
export interface RuntimeProgress {
  /** `download` and `pack` happen on the master, `send` and `start` on the way to the target. */
  phase: 'download' | 'pack' | 'send' | 'start';
  /** Name of the context that gets it, where it is for one. */
  context?: string;
  /** Bytes done. */
  done: number;
  /** Bytes in all; 0 when not known. */
  total: number;
}
