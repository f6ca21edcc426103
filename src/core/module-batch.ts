/**
 * Modules on the wire. A batch is one compressed stream, so that sources share a dictionary and metadata costs next to nothing:
 * u32 inflated size, then brotli of: u32 length of the JSON table, the table, all sources joined. A row of the table is
 * `[id, kind, url, characters, deps, names?]`, where kind = index in KINDS * 2 + (has top-level await) + 8 * level.
 */
import { brotliDecompressSync } from 'zlib';
import { mitosError } from './errors.ts';

/** Where an import leads: a module id, a builtin (`node:fs`, `mitos:core`), or the reason why it cannot be had. */
export type Dep = number | string | { code: string; message: string; hint?: string };

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
  /** Specifier to target. Builtins by their plain name are left out; `'require ' + specifier` where an ES module requires. */
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

const protocol = (what: string): Error => mitosError('ERR_MITOS_PROTOCOL', `Cannot read a batch of modules: ${what}`);

/**
 * Reads a batch. Never inflates more than the batch declares, and never more than `maxBytes`.
 *
 * Throws `ERR_MITOS_LIMIT` for a batch that declares more, `ERR_MITOS_PROTOCOL` for anything that is not a batch.
 */
export function unpackModules(data: Buffer, maxBytes: number): ModuleDef[] {
  if (data.length < 8) throw protocol('it is too short');
  const size = data.readUInt32BE(0);
  if (size > maxBytes)
    throw mitosError('ERR_MITOS_LIMIT', `Cannot read a batch of modules: ${size} bytes declared, the limit is ${maxBytes}`);
  let plain: Buffer;
  let rows: unknown;
  let end = 0;
  try {
    plain = brotliDecompressSync(data.subarray(4), { maxOutputLength: size || 1 });
    end = plain.readUInt32BE(0) + 4;
    rows = JSON.parse(plain.toString('utf8', 4, end));
  } catch (error) {
    throw protocol((error as Error).message);
  }
  if (plain.length !== size || !Array.isArray(rows)) throw protocol('it is not of the declared form');
  const sources = plain.toString('utf8', end);
  let at = 0;
  return (rows as Row[]).map((row) => {
    const [id, kind, url, length, deps, names] = row;
    const name = KINDS[(kind >> 1) & 3];
    if (!(id >= 0 && name && length >= 0 && at + length <= sources.length && typeof url === 'string' && deps && typeof deps === 'object')) {
      throw protocol('a row of its table is not valid');
    }
    const def: ModuleDef = { id, url, kind: name, code: sources.slice(at, (at += length)), deps };
    if (kind & 1) def.async = true;
    if (names) def.names = names;
    if (kind > 7) def.level = kind >> 3;
    return def;
  });
}
