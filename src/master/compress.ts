/** Compression of modules as they travel, done once for what is installed. */
import { brotli, type Compress } from '../core/module-pack.ts';
import type { ModuleCache } from './module-cache.ts';

/** What is compressed in a moment is not worth a file. */
const MIN_KEPT = 65536;

/** Compresses, and keeps what installed packages give for the next run. The user's own source changes too often for that. */
export function keptCompress(cache: ModuleCache, isOwn: (id: number) => boolean): Compress {
  return (plain, quality, defs) => {
    const make = (): Buffer => brotli(plain, quality);
    return plain.length < MIN_KEPT || defs.some(({ id }) => isOwn(id)) ? make() : cache.bytes(plain, `brotli ${quality}`, make);
  };
}
