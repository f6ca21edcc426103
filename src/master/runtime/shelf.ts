/**
 * What is kept of runtimes in the user's cache directory: a directory for each build, which appears by one `rename` when it is complete.
 *
 *   node-20.20.2-linux-x64/manifest.json   what it is; its time of change is that of the last use
 *   node-20.20.2-linux-x64/gzip-<sha256>   the executable, packed; always there
 *   node-20.20.2-linux-x64/xz-<sha256>     the same, where it was made
 *
 * Names are checksums, and a file that does not have its checksum is dropped.
 */
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimePacking, RuntimeQuery } from '../../core/runtime-order.ts';
import { isAllowed, newestFirst } from './catalog.ts';
import { discard, isAbandoned, MAKING } from './exclusive.ts';
import { type Packed, sumOf } from './packing.ts';

/** What a manifest says. */
export interface Manifest {
  /** Version of this form. */
  format: 1;
  version: string;
  platform: string;
  arch: string;
  isMusl: boolean;
  /** SHA-256 of the executable, in hex. */
  hash: string;
  /** Bytes of the executable. */
  size: number;
  /** The npm package and version, or the path of the file it was made of. */
  source: string;
  /** Checksum of the npm package. */
  integrity?: string;
}

/** A build on the shelf. */
export interface ShelfEntry {
  name: string;
  path: string;
  manifest: Manifest;
}

/** A packed file on the shelf. */
export interface ShelfFile extends Packed {
  file: string;
  packing: RuntimePacking;
}

/** Files whose checksum this process has compared, and their state then. */
const compared = new Map<string, string>();

/** The entry of that name, if it is complete and its gzip form is sound; removes what is not. */
export async function openEntry(directory: string, name: string, signal?: AbortSignal): Promise<ShelfEntry | undefined> {
  const entry = await readEntry(directory, name);
  if (entry && (await packedFile(entry, 'gzip', signal))) return entry;
  await discard(join(directory, name));
  return undefined;
}

/** One packing of an entry, if it is there and sound. */
export async function packedFile(entry: ShelfEntry, packing: RuntimePacking, signal?: AbortSignal): Promise<ShelfFile | undefined> {
  for (const found of await filesOf(entry)) {
    if (found.packing !== packing) continue;
    if (await isSound(found, signal)) return found;
    await rm(found.file, { force: true });
  }
  return undefined;
}

/** Notes that an entry is used now. */
export async function touch(entry: ShelfEntry): Promise<void> {
  const now = new Date();
  await utimes(join(entry.path, 'manifest.json'), now, now).catch(() => undefined);
}

/** Puts a packed file into an entry, under its checksum. */
export async function shelve(directory: string, packing: RuntimePacking, file: string, packed: Packed): Promise<void> {
  await rename(file, join(directory, `${packing}-${packed.blob}`));
}

/** Makes a complete directory an entry. One that another program made meanwhile wins. */
export async function publish(made: string, directory: string, manifest: Manifest, name: string): Promise<ShelfEntry> {
  await writeFile(join(made, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const path = join(directory, name);
  for (let isRetry = false; ; isRetry = true) {
    try {
      await rename(made, path);
      return { name, path, manifest };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (isRetry || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) throw error;
      const entry = await openEntry(directory, name); // removes what is in the way
      if (entry) return entry;
    }
  }
}

/** Everything on the shelf. */
export async function entriesIn(directory: string): Promise<(ShelfEntry & { lastUsed: Date; files: ShelfFile[] })[]> {
  const entries = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const entry = name.startsWith('node-') ? await readEntry(directory, name) : undefined;
      const found = entry && (await stat(join(entry.path, 'manifest.json')).catch(() => undefined));
      return entry && found ? [{ ...entry, lastUsed: found.mtime, files: await filesOf(entry) }] : [];
    }),
  );
  return entries.flat();
}

/**
 * Removes all but the `keep` entries of each platform that were used last, and what programs that crashed left behind.
 *
 * @returns the entries that were removed, and the bytes of them
 */
export async function pruneShelf(directory: string, keep: number): Promise<{ removed: string[]; bytes: number }> {
  const entries = (await entriesIn(directory)).sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  const kept = new Map<string, number>();
  const removed: string[] = [];
  let bytes = 0;
  for (const { path, name, manifest, files } of entries) {
    const place = `${manifest.platform}-${manifest.arch}-${manifest.isMusl}`;
    const count = (kept.get(place) ?? 0) + 1;
    kept.set(place, count);
    if (count <= keep) continue;
    await discard(path);
    removed.push(name);
    for (const { size } of files) bytes += size;
  }
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (name.startsWith(MAKING) ? await isAbandoned(path) : name.startsWith('node-') && !(await readEntry(directory, name)))
      await discard(path);
  }
  return { removed, bytes };
}

/** Without network, whatever is in the cache and suits is better than nothing. */
export async function anyEntry(directory: string, query: RuntimeQuery): Promise<ShelfEntry | undefined> {
  const entries = (await entriesIn(directory))
    .filter(({ manifest }) => manifest.platform === query.platform && manifest.arch === query.arch && isAllowed(manifest.version, query))
    .filter(({ manifest }) => manifest.isMusl === (query.libc === 'musl'))
    .sort((a, b) => newestFirst(a.manifest.version, b.manifest.version));
  for (const { name } of entries) {
    const entry = await openEntry(directory, name);
    if (entry) return entry;
  }
  return undefined;
}

async function readEntry(directory: string, name: string): Promise<ShelfEntry | undefined> {
  const path = join(directory, name);
  try {
    const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8')) as Manifest;
    const texts = [manifest.version, manifest.platform, manifest.arch, manifest.source];
    const isWhole = texts.every((text) => typeof text === 'string') && /^[\da-f]{64}$/.test(manifest.hash) && manifest.size > 0;
    return isWhole && manifest.format === 1 ? { name, path, manifest } : undefined;
  } catch {
    return undefined;
  }
}

async function filesOf(entry: ShelfEntry): Promise<ShelfFile[]> {
  const files: ShelfFile[] = [];
  for (const name of await readdir(entry.path).catch(() => [])) {
    const [, packing, blob] = /^(gzip|xz|none)-([\da-f]{64})$/.exec(name) ?? [];
    const file = join(entry.path, name);
    const found = blob === undefined ? undefined : await stat(file).catch(() => undefined);
    if (found && blob !== undefined) files.push({ packing: packing as RuntimePacking, blob, file, size: found.size });
  }
  return files;
}

/** The whole checksum the first time that a process opens a file (33 MB: some 50 ms), its size and times after that. */
async function isSound(found: ShelfFile, signal?: AbortSignal): Promise<boolean> {
  try {
    const { size, mtimeMs, ctimeMs, ino } = await stat(found.file);
    const state = `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
    if (compared.get(found.file) === state) return true;
    if ((await sumOf(found.file, signal)).blob !== found.blob) return false;
    compared.set(found.file, state);
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
