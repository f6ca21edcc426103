/**
 * Modules on the wire. A batch is one compressed stream, so that sources share a dictionary and metadata costs next to nothing:
 * u32 checksum of the rest, u32 inflated size, then brotli of: u32 length of the JSON table, the table, all sources joined. A row of the table is
 * `[id, kind, url, characters, deps, names?]`, where kind = index in KINDS * 2 + (has top-level await) + 8 * level.
 *
 * It travels in parts that fit into frames: u8 1 when it goes on in the next of the same source, else 0; then bytes.
 */
import { brotliDecompressSync } from 'zlib';
import { type ErrorCode, mitosError } from './errors.ts';
import { type ContextId, HEADER, srcOf } from './wire.ts';

/** Where an import leads: a module id, a builtin (`node:fs`, `mitos:core`), or the reason why it cannot be had (`node`: the code that Node gives for it). */
export type Dep = number | string | { code: string; message: string; hint?: string; node?: string };

/** How a module's code is evaluated; `inline` is one expression evaluated in the scope of module `deps['']`. */
export type ModuleKind = 'esm' | 'cjs' | 'json' | 'inline';

/**
 * Editions of a module are texts of it for different versions of Node. They are one module: its number is `id % EDITION`, and a context has one
 * instance of it. Those for older Nodes have ids above, in steps of this.
 */
export const EDITION = 1048576;

/** One module, ready to be evaluated by an {@link Importer}. */
export interface ModuleDef {
  /** Given by the master, opaque to everyone else. */
  id: number;
  /** What `import.meta.url` says. */
  url: string;
  /** How `code` is evaluated. */
  kind: ModuleKind;
  /** The code, in the form its kind asks for. */
  code: string;
  /** Specifier to target. Builtins by their plain name are left out; `'require ' + specifier` where an ES module requires; `'resolve ' + specifier` is only a URL. */
  deps: Record<string, Dep>;
  /** The module's own code awaits at top level. */
  async?: boolean;
  /** CommonJS: the names an ES module may import, where known. */
  names?: readonly string[];
  /** The first major version of Node that is sure to understand the code; none if 12.22 does. */
  level?: number;
}

/** Module kinds by their number on the wire. */
export const KINDS: readonly ModuleKind[] = ['esm', 'cjs', 'json', 'inline'];

/** A row of the table. */
export type Row = [id: number, kind: number, url: string, length: number, deps: Record<string, Dep>, names?: readonly string[]];

const unreadable = (what: string, code: ErrorCode = 'ERR_MITOS_PROTOCOL'): Error =>
  mitosError(code, `Cannot read a batch of modules: ${what}`, { hint: 'call again: they are sent again' });

/**
 * Checksum of the bytes of a batch behind its first four. Every step is one to one, so bytes changed in one place never go unseen. It guards against
 * damage and not against those above, who may run anything here anyway; and a hash of `crypto`, which most contexts never load, would cost each
 * of them more than all else that is done with its first modules.
 */
export function checksumOf(data: Buffer): number {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let sum = 0;
  // What is left over in front is part of the size, which is checked by itself.
  for (let at = data.length - 4; at > 3; at -= 4) {
    sum = Math.imul(sum ^ view.getInt32(at), 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}

/** Puts together what came in parts, of those who are obeyed. */
export class Parts {
  readonly #parts: Map<ContextId, Buffer[]> = new Map();

  /** Takes a frame; gives the whole with its last part. */
  add(frame: Buffer): Buffer | undefined {
    const src = srcOf(frame);
    const parts = this.#parts.get(src) || [];
    parts.push(frame.subarray(HEADER + 1));
    this.#parts.set(src, parts);
    return !frame[HEADER] && this.#parts.delete(src) ? Buffer.concat(parts) : undefined;
  }
}

/**
 * Reads a batch. Never inflates more than the batch declares, and never more than `maxBytes`.
 *
 * Throws `ERR_MITOS_MODULE_DAMAGED` for a batch that is not what was sent, `ERR_MITOS_LIMIT` for one that declares more, `ERR_MITOS_PROTOCOL` for
 * anything that is not a batch.
 */
export function unpackModules(data: Buffer, maxBytes: number): ModuleDef[] {
  const size = data.length > 11 ? data.readUInt32BE(4) : 0;
  if (size > maxBytes) throw unreadable(`${size} bytes declared, the limit is ${maxBytes}`, 'ERR_MITOS_LIMIT');
  if (!size || data.readUInt32BE(0) !== checksumOf(data)) throw unreadable('its checksum differs', 'ERR_MITOS_MODULE_DAMAGED');
  try {
    const plain = brotliDecompressSync(data.subarray(8), { maxOutputLength: size });
    if (plain.length !== size) throw Error('it is not of the declared size');
    const end = plain.readUInt32BE(0) + 4;
    const sources = plain.toString('utf8', end);
    let at = 0;
    return (JSON.parse(plain.toString('utf8', 4, end)) as Row[]).map((row) => {
      const [id, kind, url, length, deps, names] = row;
      const def: ModuleDef = { id, url, kind: KINDS[(kind >> 1) & 3] as ModuleKind, code: sources.slice(at, (at += length)), deps };
      if (kind & 1) def.async = true;
      if (names) def.names = names;
      if (kind > 7) def.level = kind >> 3;
      return def;
    });
  } catch (error) {
    throw unreadable((error as Error).message);
  }
}
