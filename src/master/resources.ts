/**
 * Files of the program's packages that contexts read: what they ask for, and what they get. A context names a package by the number it has
 * got with a module of it, and a path below; the rules are in `resource-rules.ts`. A file is opened only after all of them hold, and what
 * was opened has to be what was looked at.
 */
import { createHash } from 'node:crypto';
import { constants, existsSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants as zlib } from 'node:zlib';
import type { AddonFacts, ResourceHead, ResourceQuery } from '../core/resource.ts';
import { refuseAddon } from './elf.ts';
import { type Found, locate, type ResourceRoot } from './resource-rules.ts';
import { namedPaths } from './resource-uses.ts';
import { packageOf, type Source } from './source.ts';

/** The module that reads resources in a context. */
export const FILES = 'mitos:files';

/** The largest file that is read as a resource. */
export const MAX_RESOURCE_BYTES: number = 64 * 1024 * 1024;

/** Files up to this size come with the answer to whether they are there: who asks that reads them next. */
const PROMPT_BYTES = 32768;
const MAX_ENTRIES = 10000;
const MAX_PACKED_BYTES = 16 * 1024 * 1024;
const MAX_CACHED_BYTES = 64 * 1024 * 1024;

/** An answer: its head, and the data. */
export interface Reply {
  head: ResourceHead;
  data?: Buffer | undefined;
}

const compress = promisify(brotliCompress) as (data: Buffer, options: object) => Promise<Buffer>;

/** The packages of one program that files may be read of. */
export class Resources {
  readonly #roots: ResourceRoot[] = [];
  readonly #byPath = new Map<string, ResourceRoot>();
  /** Answers with data, by path; the oldest first. */
  readonly #cache = new Map<string, { stat: Stats; reply: Reply }>();
  #cachedBytes = 0;
  #texts = 0;

  /** The text of the module that tells a context where the files of a source are. */
  textFor(path: string, source?: Source): { url: string; code: string } {
    const root = this.rootOf(path);
    let version = '';
    if (source) noteDotted(root, path);
    if (root.grants && source) {
      // Each module of the program's own adds what it names, which those must hear of who have asked in vain.
      for (const named of namedPaths(source)) if (named === root.path || named.startsWith(root.path + sep)) root.grants.add(named);
      version = `.${++this.#texts}`;
    }
    return { url: `${FILES}/${root.id}${version}`, code: `require("${FILES}").add(${root.id},${JSON.stringify(root.path)})` };
  }

  /** The package of a file; from now on files of it may be read, by the rules. */
  rootOf(file: string): ResourceRoot {
    const [, inModules] = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(file) ?? [];
    const path = inModules ?? packageOf(file).root;
    let root = this.#byPath.get(path);
    if (!root) {
      const grants = inModules === undefined ? new Set([`${path}${sep}package.json`]) : undefined;
      root = { id: this.#roots.length + 1, path, grants, dotted: new Set() };
      this.#roots.push(root);
      this.#byPath.set(path, root);
    }
    return root;
  }

  /** The package that a number from a context means. */
  root(id: unknown): ResourceRoot | undefined {
    return typeof id === 'number' ? this.#roots[id - 1] : undefined;
  }

  /** Answers a context, but for modules. Never rejects. */
  async answer({ root: id, path, want, facts }: ResourceQuery): Promise<Reply> {
    const root = this.root(id);
    if (!root) return refusal('it belongs to no package that was offered');
    try {
      const found = locate(root, path);
      if ('missing' in found) return { head: { kind: 'missing' } };
      if ('refused' in found) return refusal(found.refused);
      const { stat, real } = found;
      const isDirectory = stat.isDirectory();
      const head: ResourceHead = {
        kind: isDirectory ? 'directory' : 'file',
        size: stat.size,
        mode: stat.mode,
        mtimeMs: stat.mtimeMs,
        ...(real !== path && { real }),
      };
      if (isDirectory) return want === 'list' ? list(root, path, found.path, head) : { head };
      if (want === 'addon') return await this.#addon(found, head, facts);
      if (want !== 'read' && (want !== 'stat' || stat.size > PROMPT_BYTES)) return { head };
      return await this.#read(found, head);
    } catch (error) {
      return refusal(`it cannot be read (${String((error as NodeJS.ErrnoException).code)})`);
    }
  }

  async #read(found: Found, head: ResourceHead): Promise<Reply> {
    const { path, stat } = found;
    const key = `${path}\0${head.real ?? ''}`;
    const known = this.#cache.get(key);
    if (known && isSame(known.stat, stat) && known.stat.mtimeMs === stat.mtimeMs && known.stat.size === stat.size) return known.reply;
    if (stat.size > MAX_RESOURCE_BYTES) return tooLarge(stat.size);
    const content = await readFile(path, stat);
    if (typeof content === 'string') return refusal(content);
    const reply = await pack(content, { ...head, size: content.length });
    if (known) this.#forget(key);
    this.#cache.set(key, { stat, reply });
    this.#cachedBytes += reply.data?.length ?? 0;
    for (const oldest of this.#cache.keys()) {
      if (this.#cachedBytes <= MAX_CACHED_BYTES) break;
      this.#forget(oldest);
    }
    return reply;
  }

  #forget(key: string): void {
    this.#cachedBytes -= this.#cache.get(key)?.reply.data?.length ?? 0;
    this.#cache.delete(key);
  }

  async #addon(found: Found, head: ResourceHead, facts: AddonFacts | undefined): Promise<Reply> {
    if (!found.path.endsWith('.node') || !facts) return refusal('it is not a native addon');
    if (found.stat.size > MAX_RESOURCE_BYTES) return tooLarge(found.stat.size);
    const content = await readFile(found.path, found.stat);
    if (typeof content === 'string') return refusal(content);
    const reason = refuseAddon(content, facts);
    return reason === undefined ? pack(content, { ...head, size: content.length }) : refusal(reason, 'ERR_MITOS_ADDON');
  }
}

/** A hidden directory that modules are served from is open to who knows them. */
function noteDotted(root: ResourceRoot, file: string): void {
  const names = file.slice(root.path.length + 1).split(sep);
  for (let at = 1; at < names.length; at++) if (names[at - 1]?.startsWith('.')) root.dotted.add(names.slice(0, at).join('/'));
}

function refusal(message: string, code = 'ERR_MITOS_MODULE_DENIED'): Reply {
  return { head: { kind: 'refused', code, message } };
}

function tooLarge(size: number): Reply {
  return refusal(`it has ${size} bytes, the limit is ${MAX_RESOURCE_BYTES}`, 'ERR_MITOS_TOO_LARGE');
}

/** What a directory has that may be read. */
function list(root: ResourceRoot, path: string, real: string, head: ResourceHead): Reply {
  const names = readdirSync(real);
  if (names.length > MAX_ENTRIES) return refusal(`it has ${names.length} entries, the limit is ${MAX_ENTRIES}`, 'ERR_MITOS_TOO_LARGE');
  const entries: [string, boolean][] = [];
  for (const name of names) {
    const found = locate(root, path === '' ? name : `${path}/${name}`);
    if ('stat' in found) entries.push([name, found.stat.isDirectory()]);
  }
  return { head: { ...head, data: 'plain' }, data: Buffer.from(JSON.stringify(entries)) };
}

async function pack(content: Buffer, head: ResourceHead): Promise<Reply> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (content.length > 512 && content.length <= MAX_PACKED_BYTES) {
    const quality = content.length < 65536 ? 9 : 5;
    const data = await compress(content, {
      params: { [zlib.BROTLI_PARAM_QUALITY]: quality, [zlib.BROTLI_PARAM_SIZE_HINT]: content.length },
    });
    if (data.length < content.length * 0.9) return { head: { ...head, sha256, data: 'brotli' }, data };
  }
  return { head: { ...head, sha256, data: 'plain' }, data: content };
}

/** Reads a file that was looked at; the reason if it is another one by now. */
async function readFile(path: string, seen: Stats): Promise<Buffer | string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || !isSame(stat, seen) || !isAt(handle, path)) return 'it was replaced while it was looked at';
    if (stat.size > MAX_RESOURCE_BYTES) return `it has ${stat.size} bytes, the limit is ${MAX_RESOURCE_BYTES}`;
    const content = Buffer.alloc(stat.size);
    let at = 0;
    while (at < content.length) {
      const { bytesRead } = await handle.read(content, at, content.length - at, at);
      if (!bytesRead) break;
      at += bytesRead;
    }
    return content.subarray(0, at);
  } finally {
    await handle.close();
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Whether a directory on the way was not swapped for a link. */
function isAt(handle: FileHandle, path: string): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readlinkSync(`/proc/self/fd/${handle.fd}`) === path;
  } catch {
    return !existsSync('/proc/self/fd');
  }
}
