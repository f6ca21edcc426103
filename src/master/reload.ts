/**
 * Files that change while the program runs. What a call is made of is always what the disk, or the program, had at one moment:
 * - By default a file stays what the program loaded, or what was sent of it first.
 * - With `reload`, files are looked at before each call. A changed one gets a new source; it and all modules that need it get new ids, and old
 *   ids keep their content, for the calls that run still. Each such step is a generation.
 */
import { ModuleError } from '../core/errors.ts';
import type { Dep } from '../core/module-batch.ts';
import type { Reading } from './disk.ts';
import { isSame, looking, oldest, readVersion, STARTED_AT, type Version } from './file-version.ts';
import { describeItem, type Item } from './module-item.ts';
import { clearResolvers, type RequestKind, resolveFrom } from './resolve.ts';

/** Generations whose modules are kept for calls that run still. */
const KEPT_GENERATIONS = 32;
/** Attempts to find all files of a call at rest. */
const ATTEMPTS = 20;

/** When an item was the current one of its place. */
interface Life {
  readonly at: string;
  born: number;
  died: number;
  /** What it asked for, beyond what it needs statically. */
  asked?: Set<Item>;
  /** What it asked for and did not get. */
  missed?: Map<string, RequestKind>;
}

/** What is needed of the graph. */
export interface ChangingGraph {
  /** All items that have not been dropped, of whatever time. */
  items(): readonly (Item | undefined)[];
  /** The item with this id. */
  item(id: number): Item | undefined;
  /** The items of a closure. */
  closure(ref: string | number): readonly Item[];
  /** The current item of a file, made if there is none. */
  file(path: string): Item;
  /** The current item of a file, if there is one. */
  current(path: string): Item | undefined;
  /** Where a specifier leads. */
  resolve(from: Item, specifier: string, kind: RequestKind): Dep;
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
  /** Files of modules that were imported by name, by their first ids. */
  readonly #entries = new Map<number, string>();
  /** A module that has been replaced, while what it asks for is looked up: among the modules of its own time. */
  #asker: Item | undefined;
  /** References that were looked at in this turn of the loop. */
  readonly #fresh = new Set<string | number>();
  /** When each generation was last seen to be what stands on the disk. */
  readonly #seenAt = new Map<number, number>([[0, looking()]]);
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
    const born = this.#asker ? this.#lastOf(this.#asker) : this.#generation;
    this.#lives.set(item, { at, born, died: this.#asker ? born + 1 : Infinity });
  }

  /** Takes note that a module was imported by name, and will be by the same reference. */
  noteEntry({ id, source }: Item): void {
    if (this.isReloading && source) this.#entries.set(id, source.path);
  }

  /** The same reference in the newest form of its module. */
  newest(ref: string): string {
    const [id = '', name = ''] = ref.split(/#(.*)/s);
    const path = this.#entries.get(Number(id));
    if (path === undefined) return ref;
    const item = this.#graph.current(path);
    const isFresh = item?.closure && !(this.isDue(item.id) && this.refresh(item.id));
    return `${isFresh ? item.id : this.settle(() => this.#graph.file(path).id, Number)}#${name}`;
  }

  /** Takes note that a module has asked for another, or in vain. */
  #noteAsked(from: Item, specifier: string, kind: RequestKind, target: Item | undefined): void {
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

  /** Where a specifier leads that a context asks for: to a module that is of one time with the one that asks. */
  find(item: Item, specifier: string, kind: RequestKind, isWhole: boolean): Dep {
    if (this.isDue(item.id) && !this.#isStale(item)) this.refresh(item.id);
    if (!this.#isStale(item)) {
      const target = this.settle(
        () => this.#graph.resolve(item, specifier, kind),
        (found) => (isWhole && typeof found === 'number' ? found : undefined),
        item,
      );
      if (!this.#isStale(item)) {
        this.#noteAsked(item, specifier, kind, typeof target === 'number' ? this.#graph.item(target) : undefined);
        return target;
      }
    }
    return this.asIn(item, () => {
      const target = this.#graph.resolve(item, specifier, kind);
      if (typeof target === 'number') this.#graph.closure(target);
      return target;
    });
  }

  /** Does what finds or makes modules for `item`: if that has been replaced, among those of its time. */
  asIn<T>(item: Item | undefined, act: () => T): T {
    const before = this.#asker;
    this.#asker = item && this.#isStale(item) ? item : undefined;
    try {
      return act();
    } finally {
      this.#asker = before;
    }
  }

  /** Whether modules of a time that is over are being looked up. */
  get isPast(): boolean {
    return this.#asker !== undefined;
  }

  /** The item that stood at a place in the time of the module that asks. */
  past(at: string): Item | undefined {
    const time = this.#lastOf(this.#asker as Item);
    for (const [item, life] of this.#lives) if (life.at === at && life.born <= time && time < life.died) return item;
    return undefined;
  }

  /** The item of a file in the time of the module that asks; undefined if that is now. */
  pastFile(path: string): Item | undefined {
    const asker = this.#asker;
    const past = asker && this.past(path);
    if (!asker || past) return past;
    // Nobody has asked for it in that time: the one of now will do if it was the same then.
    const item = this.asIn(undefined, () => this.#graph.item(this.settle(() => this.#graph.file(path).id, Number)) as Item);
    if (this.#wasThere(item.id, asker)) return item;
    throw new ModuleError(
      'ERR_MITOS_MODULE_CHANGED',
      `Cannot serve ${describeItem(item)} to ${describeItem(asker)}: they have been changed on disk since the call began`,
      { hint: 'make the call again' },
    );
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
  #wasThere(ref: string | number, asker: Item): boolean {
    const time = this.#seenAt.get(this.#lastOf(asker)) ?? 0;
    return this.#graph.closure(ref).every(({ source }) => !source || (this.#versions.get(source.path)?.since ?? Infinity) <= time);
  }

  /** Some items, and all that they have asked for so far. */
  #withAsked(closure: readonly Item[]): Iterable<Item> {
    const all = new Set(closure);
    // A set can be added to while it is walked.
    for (const item of all) {
      for (const asked of this.#lives.get(item)?.asked ?? []) {
        all.add(asked);
        for (const { id } of asked.closure ?? []) all.add(this.#graph.item(id) as Item);
      }
    }
    return all;
  }

  #isStale(item: Item): boolean {
    return (this.#lives.get(item)?.died ?? Infinity) <= this.#generation;
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
    this.#seenAt.set(this.#generation, looking());
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
    this.#seenAt.set(this.#generation, looking());
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
    for (const item of this.#graph.items()) {
      if (!item || this.#isStale(item)) continue;
      if (item.source && paths.has(item.source.path)) affected.add(item);
      for (const dep of Object.values(item.def?.deps ?? {})) if (typeof dep === 'number') use(item, this.#graph.item(dep));
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
    this.#seenAt.delete(this.#generation - KEPT_GENERATIONS - 1);
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
