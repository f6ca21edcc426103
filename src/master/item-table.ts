/** The tables of the module graph: everything that has a module id, the files that it comes from, and what is current of both. */
import { EDITION } from '../core/module-batch.ts';
import type { Admission } from './admission.ts';
import { isMainScript, isProgramText } from './entry.ts';
import type { ModuleCache } from './module-cache.ts';
import type { Item } from './module-item.ts';
import type { Versions } from './reload.ts';
import { notesOf, Source } from './source.ts';
import type { Preparation } from './travel.ts';

/** What the tables are made with. */
export interface ItemTableOptions {
  versions: Versions;
  admission: Admission;
  cache: ModuleCache;
  preparation: Preparation;
  /** Further main scripts, by path. */
  entries: readonly string[];
}

/** A part of a file, as opposed to all of it. */
export type Part = Pick<Item, 'form' | 'group' | 'fn' | 'parent'>;

/** Items by id and by place. What is not there yet is made. */
export class ItemTable {
  /** Items by id, of all times; none where one was dropped. */
  readonly all: (Item | undefined)[] = [];
  readonly #options: ItemTableOptions;
  readonly #sources = new Map<string, Source>();
  /** Whole files by path, and all other items by what is unique to them. */
  readonly #files = new Map<string, Item>();
  readonly #parts = new Map<string, Item>();

  constructor(options: ItemTableOptions) {
    this.#options = options;
  }

  /** The plain item with this id, or of which this is the id of an edition. */
  at(id: number): Item | undefined {
    return this.all[id % EDITION];
  }

  /** The source of a file, if it has been read. */
  sourceAt(path: string): Source | undefined {
    return this.#sources.get(path);
  }

  /** The current item of a file, if there is one. */
  current(path: string): Item | undefined {
    return this.#files.get(path);
  }

  /** A file, which is read now if it has not been. `loaded` is V8's text of it where that is the file's own. */
  source(path: string, loaded?: string): Source {
    const { versions, admission, cache, preparation, entries } = this.#options;
    let source = this.#sources.get(path);
    if (!source) {
      const isEntry = (text: string, { isOwn }: Source): boolean =>
        isMainScript(path) || entries.includes(path) || (isOwn && isProgramText(path, text));
      const make = (text: string): Source => new Source(path, text, isEntry, notesOf(cache, path, text));
      source = preparation.make(() => make(versions.read(path, loaded)));
      this.#sources.set(path, source);
      admission.add(path);
    }
    return source;
  }

  /** The item of a file. */
  file(path: string, importer?: Item): Item {
    const { versions } = this.#options;
    const past = versions.pastFile(path);
    if (past) return past;
    let item = this.#files.get(path);
    if (!item) {
      const source = this.source(path);
      item = this.#add({ form: source.isEntry ? 'facade' : 'file', source, ...(importer ? { importer } : {}) });
      this.#files.set(path, item);
      versions.add(item, path);
    }
    return item;
  }

  /** The item of a part of a main script, by the number of its group. */
  group(source: Source, group: number, importer?: Item): Item {
    return this.#part(source, `#${group}`, { form: 'group', group }, importer);
  }

  /** The item of a function that is written where it is used. */
  inline(source: Source, fn: Item['fn'] & object, importer?: Item): Item {
    const part: Part = source.isEntry ? { form: 'slice', fn } : { form: 'inline', fn, parent: this.file(source.path) };
    return this.#part(source, `@${fn.start}`, part, importer);
  }

  /** The item of a text of ours, which is the one that its URL had first. */
  text(text: Item['text'] & object): Item {
    let item = this.#parts.get(text.url);
    if (!item) this.#parts.set(text.url, (item = this.#add({ form: 'text', text })));
    return item;
  }

  /** Takes items and sources out of the tables of what is current. */
  forget(items: ReadonlySet<Item>, paths: ReadonlySet<string>): void {
    for (const table of [this.#files, this.#parts]) for (const [at, item] of table) if (items.has(item)) table.delete(at);
    for (const path of paths) this.#sources.delete(path);
  }

  /** Lets go of items for good. */
  drop(ids: readonly number[]): void {
    for (const id of ids) this.all[id] = undefined;
  }

  #part(source: Source, name: string, part: Part, importer?: Item): Item {
    const { versions } = this.#options;
    const at = `${source.path} ${name}`;
    const { isPast } = versions;
    let item = isPast ? versions.past(at) : this.#parts.get(at);
    if (!item) {
      item = this.#add({ ...part, source, ...(importer ? { importer } : {}) });
      versions.add(item, at);
      if (!isPast) this.#parts.set(at, item);
    }
    return item;
  }

  #add(item: Omit<Item, 'id' | 'wantsNames'>): Item {
    // Ids start at 1.
    const added: Item = { ...item, id: Math.max(1, this.all.length), wantsNames: false };
    this.all[added.id] = added;
    return added;
  }
}
