/**
 * Files that change while the program runs. What a call is made of is always what the disk, or the program, had at one moment:
 * - By default a file stays what the program loaded, or what was sent of it first.
 * - With `reload`, files are looked at before each call. A changed one gets a new source; it and all modules that need it get new ids, and old
 *   ids keep their content, for the calls that run still. Each such step is a generation.
 */
import { ModuleError } from '../core/errors.ts';
import { isUnchanged, type Reading, readSettled, type Stamp, stampOf } from './disk.ts';
import { type Loaded, loadedText } from './loaded-text.ts';
import type { Item } from './module-item.ts';
import { clearResolvers, resolveFrom } from './resolve.ts';

/** Generations whose modules are kept for calls that run still. */
const KEPT_GENERATIONS = 32;
/** Clocks of file systems and of this process may differ by so much. */
const SLACK_MS = 2000;
/** Attempts to find all files of a call at rest. */
const ATTEMPTS = 20;

/** Clocks of file systems are that coarse. */
const GRAIN_MS = 20;

/** When this process started. */
const STARTED_AT = performance.timeOrigin - SLACK_MS;

/** The moment of looking at a disk: what was changed before it has a lower stamp. */
const looking = (): number => Date.now() - GRAIN_MS;

/** A file as it is sent. */
interface Version extends Partial<Reading> {
  readonly text: string;
  /** Since when the file has had this text, at the latest. */
  readonly since: number;
  /** When it was last seen to have it; undefined for what is known to be old. */
  seenAt: number | undefined;
  /** It has been part of a call: without `reload` it stays what it is. */
  isSettled: boolean;
  /** It is what the program itself has loaded. */
  isLoaded: boolean;
}

/** When an item was the current one of its place. */
interface Life {
  readonly at: string;
  born: number;
  died: number;
  /** What it asked for, beyond what it needs statically. */
  asked?: Set<Item>;
  /** What it asked for and did not get. */
  missed?: Map<string, 'import' | 'require'>;
}

/** What is needed of the graph. */
export interface ChangingGraph {
  readonly items: readonly (Item | undefined)[];
  /** The items of a closure. */
  closure(ref: string | number): readonly Item[];
  /** Takes items and sources out of the tables of what is current. */
  forget(items: ReadonlySet<Item>, paths: ReadonlySet<string>): void;
  /** Lets go of items for good. */
  drop(ids: readonly number[]): void;
}

/** Keeps what is sent consistent. */
export class Versions {
  readonly isReloading: boolean;
  readonly #graph: ChangingGraph;
  readonly #versions = new Map<string, Version>();
  readonly #lives = new Map<Item, Life>();
  /** References that were looked at in this turn of the loop. */
  readonly #fresh = new Set<string | number>();
  /** When each generation was last seen to be what stands on the disk. */
  readonly #seenAt: number[] = [looking()];
  #generation = 0;

  constructor(graph: ChangingGraph, isReloading: boolean) {
    this.#graph = graph;
    this.isReloading = isReloading;
  }

  /** The text of a file that is about to become a source. `loaded` is V8's text of it where that is the file's own. */
  read(path: string, loaded: string | undefined): string {
    const version = this.isReloading ? readVersion(path) : oldest(path, loaded);
    this.#versions.set(path, version);
    return version.text;
  }

  /** Takes note of a new item and its place. */
  add(item: Item, at: string): void {
    this.#lives.set(item, { at, born: this.#generation, died: Infinity });
  }

  /** Takes note that a module has asked for another, or in vain. */
  noteAsked(from: Item, specifier: string, kind: 'import' | 'require', target: Item | undefined): void {
    const life = this.#lives.get(from);
    if (!this.isReloading || !life) return;
    if (target) (life.asked ??= new Set()).add(target);
    else (life.missed ??= new Map()).set(specifier, kind);
  }

  /** Takes note that a module would need another, which has a fault. */
  noteFault(from: Item, target: Item): void {
    const life = this.#lives.get(from);
    if (life) (life.asked ??= new Set()).add(target);
  }

  /** Takes note of a new item for a generation that is over: the last one of `asker`. */
  addPast(item: Item, at: string, asker: Item): void {
    const born = this.#lastOf(asker);
    this.#lives.set(item, { at, born, died: born + 1 });
  }

  /** Whether an item has been replaced. */
  isStale(item: Item): boolean {
    return (this.#lives.get(item)?.died ?? Infinity) <= this.#generation;
  }

  /** The item that stood at a place when `asker` was current. */
  past(asker: Item, at: string): Item | undefined {
    const time = this.#lastOf(asker);
    for (const [item, life] of this.#lives) if (life.at === at && life.born <= time && time < life.died) return item;
    return undefined;
  }

  /** True until the files of a reference have been looked at in this turn of the loop. */
  isDue(ref: string | number): boolean {
    return this.isReloading && !this.#fresh.has(ref);
  }

  /**
   * Gives what `find` finds when all its files, and those of `from`, are of one moment; forgets what is not and finds again. Throws
   * `ERR_MITOS_MODULE_CHANGED` if there is no such moment.
   */
  settle<T>(find: () => T, refOf: (found: T) => string | number | undefined, from?: Item): T {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const found = find();
        const ref = refOf(found);
        if (ref === undefined) return found;
        const items = this.#graph.closure(ref);
        const changed = this.changedOf(items);
        if (!changed.size) {
          this.#accept(from ? [...items, ...this.#graph.closure(from.id)] : items, ref);
          return found;
        }
        this.#forget(changed);
      } catch (error) {
        // What stood in the way may have been mended.
        const changed = this.isReloading ? this.#changed([...this.#versions.keys()]) : new Set<string>();
        if (!changed.size) throw error;
        this.#forget(changed);
      }
    }
    throw new ModuleError('ERR_MITOS_MODULE_CHANGED', 'Cannot make the call: its source files keep changing', {
      hint: 'call again when they have been written',
    });
  }

  /** Looks at the files of what is current, and replaces what has been changed. True if something was. */
  refresh(ref: string | number): boolean {
    const items = this.#graph.closure(ref);
    const changed = this.changedOf(items);
    if (changed.size) this.#forget(changed);
    else this.#markFresh(ref);
    return changed.size > 0;
  }

  /** The files among those of some items that are not what was read any more. */
  changedOf(closure: readonly Item[]): Set<string> {
    const items = this.isReloading ? this.#withAsked(closure) : closure;
    const paths = new Set<string>();
    for (const { source } of items) if (source) paths.add(source.path);
    const changed = this.#changed([...paths].filter((path) => this.isReloading || !this.#versions.get(path)?.isSettled));
    if (this.isReloading) for (const item of items) if (this.#hasAppeared(item)) changed.add((item.source as { path: string }).path);
    return changed;
  }

  /** Whether all files of a reference are what they were when `asker` was last current. */
  wasThere(ref: string | number, asker: Item): boolean {
    const time = this.#seenAt[this.#lastOf(asker)] ?? 0;
    return this.#graph.closure(ref).every(({ source }) => !source || (this.#versions.get(source.path)?.since ?? Infinity) <= time);
  }

  /** Some items, and all that they have asked for so far. */
  #withAsked(closure: readonly Item[]): Iterable<Item> {
    const all = new Set(closure);
    // A set can be added to while it is walked.
    for (const item of all) {
      for (const asked of this.#lives.get(item)?.asked ?? []) {
        all.add(asked);
        for (const { id } of asked.closure ?? []) all.add(this.#graph.items[id] as Item);
      }
    }
    return all;
  }

  #lastOf(item: Item): number {
    return Math.min(this.#generation, (this.#lives.get(item)?.died ?? Infinity) - 1);
  }

  #changed(paths: readonly string[]): Set<string> {
    const changed = new Set<string>();
    for (const path of paths) {
      const version = this.#versions.get(path);
      if (!version?.stamp) continue;
      if (isSame(path, version as Reading)) version.seenAt = looking();
      else changed.add(path);
    }
    return changed;
  }

  /** Whether something that a module of the user's own did not find is there now. */
  #hasAppeared(item: Item): boolean {
    const { source, def } = item;
    if (!source?.isOwn) return false;
    const missed = new Map(this.#lives.get(item)?.missed);
    for (const [key, dep] of Object.entries(def?.deps ?? {})) {
      if (typeof dep !== 'object' || dep.code !== 'ERR_MITOS_MODULE_NOT_FOUND') continue;
      const isRequire = key.startsWith('require ');
      missed.set(isRequire ? key.slice(8) : key, isRequire || source.kind === 'cjs' ? 'require' : 'import');
    }
    if (missed.size) clearResolvers();
    return [...missed].some(([specifier, kind]) => 'path' in resolveFrom(source.path, specifier, kind));
  }

  /** Refuses files of different times; what is left is what a call is made of. */
  #accept(items: readonly Item[], ref: string | number): void {
    const paths = new Set(items.flatMap(({ source }) => (source ? [source.path] : [])));
    const used = [...paths].flatMap((path) => {
      const version = this.#versions.get(path);
      return version ? [{ path, version }] : [];
    });
    const fresh = used.filter(({ version }) => !version.isLoaded && version.since > STARTED_AT);
    const newest = fresh.sort((a, b) => b.version.since - a.version.since)[0];
    for (const { path, version } of newest ? used : []) {
      if (version.stamp && isSame(path, version as Reading)) version.seenAt = looking();
      else if (newest && (version.seenAt ?? STARTED_AT) < newest.version.since) throw mixture(newest.path, path);
    }
    for (const { version } of used) version.isSettled = true;
    this.#seenAt[this.#generation] = looking();
    this.#markFresh(ref);
  }

  #markFresh(ref: string | number): void {
    if (!this.isReloading) return;
    if (!this.#fresh.size) queueMicrotask(() => this.#fresh.clear());
    this.#fresh.add(ref);
  }

  #forget(paths: ReadonlySet<string>): void {
    if (!paths.size) return;
    const affected = this.#affected(paths);
    clearResolvers();
    this.#fresh.clear();
    for (const path of paths) this.#versions.delete(path);
    this.#graph.forget(affected, paths);
    this.#generation++;
    this.#seenAt[this.#generation] = looking();
    for (const item of affected) {
      const life = this.#lives.get(item);
      if (life && life.died === Infinity) life.died = this.#generation;
    }
    this.#dropOld();
  }

  /** Items of some files, and all items that need one of them, or have asked for one. */
  #affected(paths: ReadonlySet<string>): Set<Item> {
    const users = new Map<Item, Item[]>();
    const affected = new Set<Item>();
    const use = (item: Item, needed: Item | undefined): void => {
      if (!needed) return;
      const list = users.get(needed);
      if (list) list.push(item);
      else users.set(needed, [item]);
    };
    for (const item of this.#graph.items) {
      if (!item || this.isStale(item)) continue;
      if (item.source && paths.has(item.source.path)) affected.add(item);
      for (const dep of Object.values(item.def?.deps ?? {})) if (typeof dep === 'number') use(item, this.#graph.items[dep]);
      use(item, item.parent);
      for (const asked of this.#lives.get(item)?.asked ?? []) use(item, asked);
    }
    for (const item of affected) for (const user of users.get(item) ?? []) affected.add(user);
    return affected;
  }

  #dropOld(): void {
    const ids: number[] = [];
    for (const [item, { died }] of this.#lives) {
      if (died > this.#generation - KEPT_GENERATIONS) continue;
      ids.push(item.id);
      this.#lives.delete(item);
    }
    delete this.#seenAt[this.#generation - KEPT_GENERATIONS - 1];
    if (ids.length) this.#graph.drop(ids);
  }
}

function mixture(newer: string, older: string): ModuleError {
  return new ModuleError(
    'ERR_MITOS_MODULE_CHANGED',
    `Cannot send ${newer} together with ${older}: ${older} has been changed on disk since the program loaded or sent it, and ${newer} is newer than that`,
    { hint: 'restart the program, or make its router with { reload: true }' },
  );
}

/** A file that cannot be read any more has changed, too. */
function isSame(path: string, version: Reading): boolean {
  try {
    return isUnchanged(path, version);
  } catch {
    return false;
  }
}

function readVersion(path: string): Version {
  const reading = readSettled(path);
  return { ...reading, since: Math.min(reading.stamp.ctimeMs, Date.now()), seenAt: looking(), isSettled: false, isLoaded: false };
}

/** The text that the program has loaded; of what it has not loaded, the text that is there now. */
function oldest(path: string, loaded: string | undefined): Version {
  const stamp = stampOf(path);
  if (loaded !== undefined && (!stamp || stamp.ctimeMs <= STARTED_AT)) return old(loaded, stamp);
  let now: Version | undefined;
  try {
    now = readVersion(path);
  } catch (error) {
    if (loaded === undefined) throw error;
    // Not to be read: the program has it all the same.
    return old(loaded);
  }
  if (now.since <= STARTED_AT) return now;
  const known: Loaded = loaded === undefined ? loadedText(path, now.text) : { state: 'known', text: loaded };
  if (known.state === 'lost') {
    throw new ModuleError('ERR_MITOS_MODULE_CHANGED', `Cannot send ${path}: it has been changed on disk since the program loaded it`, {
      hint: 'restart the program, or make its router with { reload: true }',
    });
  }
  if (known.state === 'not loaded') return now;
  return known.text === now.text ? { ...now, isLoaded: true } : old(known.text);
}

/** What the program has loaded. A stamp says that it is what stands on the disk, too. */
function old(text: string, stamp?: Stamp): Version {
  return { text, ...(stamp && { stamp, isSure: true }), since: STARTED_AT, seenAt: stamp && looking(), isSettled: true, isLoaded: true };
}
