/**
 * The executables of Node that a master can push to targets that have none.
 *
 * A build comes from the directory `runtimes` if that has one that suits, else from npm: the version of the master if there is a package of it
 * that the target's libc can run, else the newest release of the newest major that it can. It is packed once and kept in the user's cache.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RuntimeOffer, RuntimePacking, RuntimeProgress, RuntimeQuery } from '../../core/runtime-order.ts';
import { cacheDirectory } from '../cache-directory.ts';
import { buildOfVersion, buildsFor } from './catalog.ts';
import { findOrMake } from './exclusive.ts';
import { asFailure, pushError } from './failure.ts';
import { JoinedWork } from './joined.ts';
import { makeEntry, type Supply, supplyOfBuild, supplyOfSeed } from './make-entry.ts';
import { NotPublished, Unreachable } from './npm.ts';
import { hasXz, packXz, unpackGzip } from './packing.ts';
import { seedsFor } from './seeds.ts';
import { anyEntry, entriesIn, openEntry, packedFile, pruneShelf, type ShelfEntry, type ShelfFile, shelve, touch } from './shelf.ts';
import type { RuntimeStoreOptions, RuntimeWatch, RuntimeWish, StoredRuntime } from './store-options.ts';
import { throttled } from './throttled.ts';

/** Entries that stay for each platform when a new one is made. */
const KEPT = 3;

/** The runtimes that a master can push. {@link close} it at the end. */
export class RuntimeStore {
  readonly #runtimes: string | undefined;
  readonly #joined = new JoinedWork<ShelfEntry, RuntimeProgress>();
  readonly #offered = new Map<string, { file: ShelfFile; entry: ShelfEntry; handle: Promise<FileHandle>; isWanted: boolean }>();
  readonly #closing = new AbortController();
  readonly #background = new Map<string, Promise<void>>();

  constructor(options: RuntimeStoreOptions = {}) {
    const runtimes = options.runtimes ?? process.env['MITOS_RUNTIMES'];
    this.#runtimes = runtimes ? resolve(runtimes) : undefined;
  }

  /**
   * Finds, fetches and packs the runtime that suits a target. Equal requests at the same time are one; a runtime that is in the cache takes
   * milliseconds.
   *
   * For a target with xz it offers xz if that was made, else gzip now and xz the next time. Rejects with `ERR_MITOS_RUNTIME_PUSH` when there is
   * none, it cannot be fetched or is not what it must be; with `ERR_MITOS_RESOURCE` when there is no space for it.
   */
  async offer(query: RuntimeQuery, watch: RuntimeWatch = {}): Promise<RuntimeOffer> {
    return this.#guarded(async (directory) => {
      const entry = await this.#find(directory, await this.#suppliesFor(query), query, watch);
      const file = await this.#fileFor(entry, query.packing, watch.signal);
      await touch(entry);
      return this.#offerOf(entry, file, query.packing === 'xz' && file.packing === 'gzip');
    });
  }

  /**
   * Bytes of a blob that was offered; fewer than `length` only at its end. Works as long as the store is open, also when the cache was pruned
   * meanwhile.
   */
  async read(blob: string, offset: number, length: number): Promise<Buffer> {
    const offered = this.#offered.get(blob);
    if (!offered) throw pushError(`no blob ${JSON.stringify(blob.slice(0, 64))} was offered`);
    const wanted = Math.max(0, Math.min(length, offered.file.size - offset));
    const handle = await offered.handle;
    const buffer = Buffer.allocUnsafe(wanted);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await handle.read(buffer, done, wanted - done, offset + done);
      if (bytesRead === 0) throw pushError('the file of a runtime in the cache was cut short');
      done += bytesRead;
    }
    if (offered.isWanted && offset + wanted >= offered.file.size) this.#improve(offered.entry);
    return buffer;
  }

  /** Puts a runtime into the cache with all its packed forms. Rejects as {@link offer} does. */
  async fetch(wish: RuntimeWish = {}): Promise<StoredRuntime> {
    const arch = wish.arch ?? (process.arch === 'arm' ? 'armv7l' : process.arch);
    const query: RuntimeQuery = { platform: wish.platform ?? 'linux', arch, libc: 'unknown', packing: 'xz' };
    return this.#guarded(async (directory) => {
      const entry = await this.#find(directory, await this.#suppliesFor(query, wish.version), query, wish);
      await this.#addXz(directory, entry, wish, true);
      await touch(entry);
      const stored = (await this.list()).find(({ path }) => path === entry.path);
      if (!stored) throw pushError('it was removed while it was made');
      return stored;
    });
  }

  /** The runtimes in the cache, those used last first. */
  async list(): Promise<StoredRuntime[]> {
    return this.#guarded(async (directory) => {
      const entries = await entriesIn(directory);
      entries.sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
      return entries.map(({ manifest, files, lastUsed, path }) => {
        const { version, platform, arch, isMusl, source, size } = manifest;
        const packings = Object.fromEntries(files.map((file) => [file.packing, file.size]));
        return { version, platform, arch, isMusl, source, size, packings, lastUsed, path };
      });
    });
  }

  /**
   * Removes runtimes from the cache, and what programs that crashed left there. What a running program is making or sending stays usable.
   *
   * @param keep How many stay for each platform: those used last.
   */
  async prune(keep = 1): Promise<{ removed: string[]; bytes: number }> {
    return this.#guarded((directory) => pruneShelf(directory, keep));
  }

  /** Ends everything that runs, and closes all files. Safe to call again. */
  async close(): Promise<void> {
    const reason = new DOMException('The store of runtimes was closed', 'AbortError');
    this.#closing.abort(reason);
    await this.#joined.abort(reason);
    await Promise.allSettled(this.#background.values());
    const handles = [...this.#offered.values()].map(({ handle }) => handle);
    this.#offered.clear();
    await Promise.allSettled(handles.map(async (handle) => (await handle).close()));
  }

  async #guarded<T>(work: (directory: string) => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted();
    const directory = cacheDirectory('runtimes');
    if (directory === undefined) {
      throw pushError(
        'there is no directory to keep it in: neither $XDG_CACHE_HOME/mitos nor ~/.cache/mitos can be made or is yours alone',
        {
          hint: 'let MITOS_CACHE_DIR name a directory that only you can write',
        },
      );
    }
    try {
      return await work(directory);
    } catch (error) {
      throw asFailure(error, directory);
    }
  }

  /** Where a runtime can come from, the best first. */
  async #suppliesFor(query: RuntimeQuery, wanted?: string): Promise<Supply[]> {
    const directory = this.#runtimes;
    const seeds = directory === undefined ? [] : await seedsFor(directory, query, wanted);
    const seed = wanted === undefined ? seeds[0] : seeds.find(({ version }) => `${version}.`.startsWith(`${wanted}.`));
    if (seed && directory !== undefined) return [supplyOfSeed(seed, directory)];
    // Of those that are not the master's own version one is enough: all of them are published.
    return (wanted === undefined ? buildsFor(query).slice(0, 2) : [buildOfVersion(query, wanted)]).map(supplyOfBuild);
  }

  async #find(directory: string, supplies: readonly Supply[], query: RuntimeQuery, watch: RuntimeWatch): Promise<ShelfEntry> {
    const tried: string[] = [];
    for (const supply of supplies) {
      try {
        return await this.#joined.run(supply.name, throttled(watch), (signal, tell) => this.#make(directory, supply, signal, tell));
      } catch (error) {
        if (!(error instanceof NotPublished || error instanceof Unreachable)) throw error;
        tried.push(error.message);
        if (error instanceof NotPublished) continue;
        const entry = supplies.length > 1 ? await anyEntry(directory, query) : undefined;
        if (entry) return entry;
        break;
      }
    }
    throw pushError(tried.join('; '), { data: { tried, ...(this.#runtimes === undefined ? {} : { runtimes: this.#runtimes }) } });
  }

  async #make(directory: string, supply: Supply, signal: AbortSignal, tell: (progress: RuntimeProgress) => void): Promise<ShelfEntry> {
    const { name } = supply;
    return findOrMake({
      directory,
      name,
      signal,
      find: () => openEntry(directory, name, signal),
      make: async (workspace) => {
        const entry = await makeEntry(supply, directory, workspace, { signal, tell });
        await pruneShelf(directory, KEPT).catch(() => undefined);
        return entry;
      },
    });
  }

  async #fileFor(entry: ShelfEntry, packing: RuntimePacking, signal: AbortSignal | undefined): Promise<ShelfFile> {
    const found = await packedFile(entry, packing, signal);
    if (found) return found;
    const gzip = await packedFile(entry, 'gzip', signal);
    if (!gzip) throw pushError('it was removed from the cache meanwhile', { hint: 'try again' });
    if (packing !== 'none') return gzip;
    const end = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]);
    const make = async (workspace: string): Promise<ShelfFile | undefined> => {
      const file = `${workspace}/node`;
      await shelve(entry.path, 'none', file, await unpackGzip(gzip.file, file, { signal: end }));
      return packedFile(entry, 'none', end);
    };
    const find = (): Promise<ShelfFile | undefined> => packedFile(entry, 'none', end);
    const made = await findOrMake({ directory: `${entry.path}/..`, name: `${entry.name}.none`, signal: end, find, make });
    if (!made) throw pushError('it could not be unpacked');
    return made;
  }

  #offerOf(entry: ShelfEntry, file: ShelfFile, isWanted: boolean): RuntimeOffer {
    this.#closing.signal.throwIfAborted();
    const { version, hash, size } = entry.manifest;
    const offered = this.#offered.get(file.blob);
    if (offered) offered.isWanted ||= isWanted;
    else {
      const handle = open(file.file);
      handle.catch(() => this.#offered.delete(file.blob));
      this.#offered.set(file.blob, { file, entry, handle, isWanted: isWanted && hasXz() });
    }
    return { version, hash, size, blob: file.blob, packedSize: file.size, packing: file.packing };
  }

  /** Makes the xz form for the next time, once its gzip form was sent: nobody waits for it, and it ends with the program. */
  #improve(entry: ShelfEntry): void {
    if (this.#background.has(entry.name) || this.#closing.signal.aborted) return;
    const work = this.#addXz(`${entry.path}/..`, entry, { signal: this.#closing.signal }, false).catch(() => undefined);
    this.#background.set(entry.name, work);
  }

  async #addXz(directory: string, entry: ShelfEntry, watch: RuntimeWatch, isPatient: boolean): Promise<void> {
    if (!hasXz()) return;
    const signal = AbortSignal.any([this.#closing.signal, ...(watch.signal ? [watch.signal] : [])]);
    const { onProgress } = throttled(watch);
    const total = entry.manifest.size;
    await findOrMake({
      directory,
      name: `${entry.name}.xz`,
      signal,
      isImpatient: !isPatient,
      find: () => packedFile(entry, 'xz', signal),
      make: async (workspace) => {
        const gzip = await packedFile(entry, 'gzip', signal);
        if (!gzip) return undefined;
        const file = `${workspace}/xz`;
        const onBytes = (done: number): void => onProgress?.({ phase: 'pack', done, total });
        await shelve(entry.path, 'xz', file, await packXz(gzip.file, file, { signal, onBytes, isPatient }));
        return packedFile(entry, 'xz', signal);
      },
    });
  }
}
