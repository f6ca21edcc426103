/** What the methods of a store of runtimes take and give. */
import type { RuntimePacking, RuntimeProgress } from '../../core/runtime-order.ts';

/** Where a store of runtimes takes runtimes from. */
export interface RuntimeStoreOptions {
  /** A directory of builds that are taken before the network is asked. @default the environment variable `MITOS_RUNTIMES` */
  runtimes?: string | undefined;
}

/** How a request to the store is watched and ended. */
export interface RuntimeWatch {
  /** Told how far it is, at most some ten times a second. */
  onProgress?: ((progress: RuntimeProgress) => void) | undefined;
  /** Ends it; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Which runtime `RuntimeStore.fetch` is to fetch. */
export interface RuntimeWish extends RuntimeWatch {
  /** `20.20.2`, or `20` for the newest 20 that this release knows. @default what would be pushed */
  version?: string | undefined;
  /** @default linux */
  platform?: string | undefined;
  /** x64, arm64, armv7l, ppc64le or s390x. @default that of this machine */
  arch?: string | undefined;
}

/** A runtime in the cache. */
export interface StoredRuntime {
  version: string;
  platform: string;
  arch: string;
  isMusl: boolean;
  /** The npm package and version, or the file it was made of. */
  source: string;
  /** Bytes of the executable. */
  size: number;
  /** Bytes of each packed form that is there. */
  packings: Partial<Record<RuntimePacking, number>>;
  lastUsed: Date;
  /** Where it is. */
  path: string;
}
