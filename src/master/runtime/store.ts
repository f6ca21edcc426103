import type { RuntimeOffer, RuntimeProgress, RuntimeQuery } from '../../core/runtime-order.ts';

/** Where a {@link RuntimeStore} takes runtimes from, and where it keeps them. */
export interface RuntimeStoreOptions {
  /** A directory of files that are used before the network. @default the environment variable `MITOS_RUNTIMES` */
  runtimes?: string | undefined;
}

/** How one request to the store can be watched and ended. */
export interface OfferOptions {
  /** Told of each step, at most some 10 times a second. */
  onProgress?: ((progress: RuntimeProgress) => void) | undefined;
  /** Ends it; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The executables of Node that this master can push. */
export class RuntimeStore {
  constructor(options: RuntimeStoreOptions = {}) {
    void options;
  }

  /** Finds, fetches and packs the runtime that suits a target. */
  offer(query: RuntimeQuery, options: OfferOptions = {}): Promise<RuntimeOffer> {
    void options;
    return Promise.reject(new Error(`not yet: ${query.arch}`));
  }

  /** Bytes of a blob that was offered. */
  read(blob: string, offset: number, length: number): Promise<Buffer> {
    void [offset, length];
    return Promise.reject(new Error(`not yet: ${blob}`));
  }
}
