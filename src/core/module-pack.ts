/** Makes the batches that `module-batch.ts` reads; only who sends modules needs it. */
import { brotliCompressSync, constants } from 'zlib';
import { checksumOf, KINDS, type ModuleDef, type Row } from './module-batch.ts';
import { HEADER, MAX_FRAME_DATA } from './wire.ts';

/** Characters of code in a batch, about: small enough that hops pass on one while the next comes, and that a dictionary is shared by many modules. */
const BATCH = 524288;

/** Modules as they travel. */
export interface Batch {
  /** Their ids. */
  readonly ids: readonly number[];
  readonly data: Buffer;
}

/**
 * How hard to compress. Measured on graphs of 40 KB to 3.6 MB: quality 7 takes a third of the time of 9 for 1 % more bytes, 5 a quarter of the time of 7
 * for 3 % more; 11 is worth its time only for what is tiny, and not even there where bytes cost nothing.
 */
export type PackLevel = 'quick' | 'usual' | 'dense';

function qualityFor(bytes: number, level: PackLevel): number {
  if (bytes < 8192) return level === 'quick' ? 10 : 11;
  if (level === 'usual') return bytes < 4194304 ? 7 : 5;
  return level === 'quick' ? 5 : bytes < 65536 ? 10 : 9;
}

/** Compresses what is in a batch. */
export type Compress = (plain: Buffer, quality: number, defs: readonly ModuleDef[]) => Buffer;

/** Brotli, as `unpackModules` reads it. */
export function brotli(plain: Buffer, quality: number): Buffer {
  return brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  });
}

/** Packs modules into batches, in order. `compress` may know from before what {@link brotli} would give. */
export function packBatches(defs: readonly ModuleDef[], level?: PackLevel, compress?: Compress): Batch[] {
  const groups: ModuleDef[][] = [];
  let size = BATCH;
  for (const def of defs) {
    if (size >= BATCH) {
      groups.push([]);
      size = 0;
    }
    (groups[groups.length - 1] as ModuleDef[]).push(def);
    size += def.code.length;
  }
  return groups.map((group) => ({ ids: group.map(({ id }) => id), data: packModules(group, level, compress) }));
}

/** Cuts data into messages that fit into frames, see {@link Parts}. Each has room for its header. */
export function cut(data: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  do {
    const end = at + MAX_FRAME_DATA - 1;
    const message = Buffer.allocUnsafe(HEADER + 1 + Math.min(end, data.length) - at);
    message[HEADER] = end < data.length ? 1 : 0;
    data.copy(message, HEADER + 1, at, end);
    messages.push(message);
    at = end;
  } while (at < data.length);
  return messages;
}

/** Packs modules into one compressed batch. */
export function packModules(defs: readonly ModuleDef[], level: PackLevel = 'usual', compress: Compress = brotli): Buffer {
  const rows = defs.map((def): Row => {
    const kind = KINDS.indexOf(def.kind) * 2 + (def.async ? 1 : 0) + 8 * (def.level || 0);
    const row: Row = [def.id, kind, def.url, def.code.length, def.deps];
    if (def.names) row.push(def.names);
    return row;
  });
  const table = Buffer.from(JSON.stringify(rows));
  const plain = Buffer.concat([Buffer.alloc(4), table, Buffer.from(defs.map((def) => def.code).join(''))]);
  plain.writeUInt32BE(table.length, 0);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(plain.length, 4);
  const batch = Buffer.concat([head, compress(plain, qualityFor(plain.length, level), defs)]);
  batch.writeUInt32BE(checksumOf(batch), 0);
  return batch;
}
