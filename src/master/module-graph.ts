/**
 * Every module that the program may send, by id: found, transformed and linked here, at the root, and nowhere else. Identifying a function and
 * collecting its closure is synchronous; a file is read once, and what was sent of it stays what it was.
 *
 * This is the whole of it, made of parts with one task each:
 * - `item-table.ts` has what exists: items by id, files and their parts; `our-modules.ts` those that are ours. `reload.ts` says what is current.
 * - `identify.ts` finds the module of a function, `module-resolver.ts` that of a specifier.
 * - `definitions.ts` makes what is sent of an item, with forms of its file (`source-forms.ts`), their texts (`texts.ts`) and the texts for
 *   an older Node (`editions.ts`).
 * - `module-answers.ts` answers contexts that ask.
 */
import { fileURLToPath } from 'node:url';
import { ModuleError } from '../core/errors.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import { EDITION, type ModuleDef } from '../core/module-batch.ts';
import type { Compress } from '../core/module-pack.ts';
import { Admission } from './admission.ts';
import type { ThrownAt } from './api-versions.ts';
import { cacheDirectory } from './cache-directory.ts';
import { keptCompress } from './compress.ts';
import { Definitions } from './definitions.ts';
import { Editions } from './editions.ts';
import { exportNames } from './export-names.ts';
import type { ModuleEvent, ModuleGraphOptions } from './graph-options.ts';
import { FunctionFinder } from './identify.ts';
import { ItemTable } from './item-table.ts';
import { ModuleAnswers } from './module-answers.ts';
import { ModuleCache } from './module-cache.ts';
import { type Item, ownFile } from './module-item.ts';
import { ModuleResolver } from './module-resolver.ts';
import { OurModules } from './our-modules.ts';
import { Versions } from './reload.ts';
import { realPath } from './resolve.ts';
import { Resources } from './resources.ts';
import type { Source } from './source.ts';
import { SourceForms } from './source-forms.ts';
import { firstPlace, mapStackText, sourceMapOf } from './stack-map.ts';
import { TextMaker } from './texts.ts';
import { Preparation } from './travel.ts';

export type { ModuleEvent, ModuleGraphOptions } from './graph-options.ts';

/** The modules of one program. */
export class ModuleGraph {
  /** The time it takes to make modules ready. */
  readonly preparation: Preparation = new Preparation();
  /** Files of its packages, beside modules. */
  readonly resources: Resources = new Resources();
  /** Compresses modules as they travel. */
  readonly compress: Compress;

  readonly #admission = new Admission();
  readonly #cache: ModuleCache;
  readonly #versions: Versions;
  readonly #table: ItemTable;
  readonly #ours: OurModules;
  readonly #resolver: ModuleResolver;
  readonly #finder: FunctionFinder;
  readonly #definitions: Definitions;
  readonly #editions: Editions;
  readonly #answers: ModuleAnswers;
  #refs = new WeakMap<object, string>();

  constructor(options: ModuleGraphOptions = {}) {
    const { preparation, resources } = this;
    const admission = this.#admission;
    const isReloading = options.reload === true;
    const cache = (this.#cache = options.cache ?? new ModuleCache(cacheDirectory('modules')));
    this.compress = keptCompress(cache, (id) => ownFile(this.itemOf(id)) !== undefined);
    const forms = new SourceForms();
    const texts = new TextMaker(cache, options.minify);
    const versions = (this.#versions = this.#makeVersions(isReloading));
    const table = (this.#table = new ItemTable({ versions, admission, cache, preparation, entries: options.entries ?? [] }));
    const ours = (this.#ours = new OurModules(table, resources, admission, options));
    const resolver = (this.#resolver = new ModuleResolver(table, ours, admission));
    const definitions = (this.#definitions = new Definitions({ table, ours, forms, resolver, texts, versions, preparation }));
    this.#editions = new Editions((id) => table.all[id], texts);
    this.#finder = new FunctionFinder({
      isReloading,
      source: (path, loaded) => table.source(path, loaded),
      file: (source, importer) => table.file(source.path, importer),
      group: (source, index, importer) => table.group(source, index, importer),
      inline: (source, fn, importer) => table.inline(source, fn, importer),
      slices: (source) => forms.slices(source),
      form: (source) => forms.form(source),
    });
    this.#answers = new ModuleAnswers({
      ...{ table, ours, resolver, definitions, versions, admission, resources },
      itemOf: (id) => this.itemOf(id),
      closureOf: (id, edition) => this.closureOf(id, edition),
    });
  }

  #makeVersions(isReloading: boolean): Versions {
    return new Versions(
      {
        items: () => this.#table.all,
        item: (id) => this.#table.all[id],
        closure: (ref) => this.closureOf(ref).map(({ id }) => this.#table.at(id) as Item),
        file: (path) => this.#table.file(path),
        current: (path) => this.#table.current(path),
        resolve: (from, specifier, kind) => this.#resolver.resolve(from, specifier, kind, true),
        forget: (items, paths) => {
          this.#table.forget(items, paths);
          this.#ours.forget(items, paths);
          this.#refs = new WeakMap();
        },
        drop: (ids) => {
          this.#table.drop(ids);
          this.#editions.drop(ids);
        },
      },
      isReloading,
    );
  }

  /** Called for every module when it is made ready to be sent. */
  set onModule(listener: ((event: ModuleEvent) => void) | undefined) {
    this.#definitions.onModule = listener;
  }

  /**
   * The reference under which a context calls `fn`.
   *
   * Throws a ModuleError before anything is sent: `ERR_MITOS_CAPTURE` if the function takes something from a function around it,
   * `ERR_MITOS_NOT_CALLABLE` if it cannot be found or has no meaning elsewhere, `ERR_MITOS_MODULE_SYNTAX` if its file cannot be parsed.
   */
  identify(fn: (...args: never[]) => unknown): string {
    let ref = typeof fn === 'function' ? this.#refs.get(fn) : undefined;
    if (ref === undefined || (this.#versions.isDue(ref) && this.#versions.refresh(ref))) {
      ref = this.#versions.settle(
        () => this.#finder.identify(fn),
        (found) => found,
      );
      this.#refs.set(fn, ref);
    }
    return ref;
  }

  /** With `reload`: the same reference in the newest form of its module. Throws what {@link addEntry} throws. */
  refresh(ref: string): string {
    return this.#versions.isReloading ? this.#versions.newest(ref) : ref;
  }

  /** The reference of a function that a child found in code which it had been sent: `line` and `column` (from 0) as its V8 gives them. */
  identifyAt(moduleId: number, line: number, column: number, text: string): string {
    const item = this.itemOf(moduleId);
    if (!item) throw new ModuleError('ERR_MITOS_NOT_CALLABLE', `Cannot call a function of module ${moduleId}: there is no such module`);
    this.#definitions.of(item);
    return this.#versions.asIn(this.#table.at(moduleId), () => {
      const ref = this.#finder.identifyAt(item, line, column, text);
      this.closureOf(ref);
      return ref;
    });
  }

  /** The module that a specifier means, as seen from a file: for `context.import()`. */
  addEntry(specifier: string | URL, from: string): number | string {
    const path = realPath(from.startsWith('file:') ? fileURLToPath(from) : from);
    // Only a place to resolve from: the file itself is neither read nor sent.
    const importer: Item = { id: 0, form: 'file', source: { path, kind: 'esm' } as Source, wantsNames: false };
    this.#admission.add(path);
    const target = this.#versions.settle(
      () => this.#resolver.resolve(importer, String(specifier), 'import'),
      (found) => (typeof found === 'number' ? found : undefined),
    );
    if (typeof target === 'object') throw new ModuleError(target.code as 'ERR_MITOS_MODULE_NOT_FOUND', target.message);
    if (typeof target === 'number') this.#versions.noteEntry(this.#table.all[target] as Item);
    return target;
  }

  /** The names that a module exports, as far as its text tells. */
  exportsOf(id: number): string[] {
    const source = this.#table.all[id]?.source;
    return source ? exportNames(source, (path) => this.#table.sourceAt(path)) : [];
  }

  /**
   * The modules that a reference or module needs statically, dependency first, itself last; in an edition, if one is given. The same array for
   * the same module. Throws `ERR_MITOS_MODULE_SYNTAX` if there is no such edition of it.
   */
  closureOf(refOrId: string | number, edition?: number): ModuleDef[] {
    const id = typeof refOrId === 'number' ? refOrId : /^\d+#/.test(refOrId) ? Number.parseInt(refOrId, 10) : -1;
    const item = this.#table.at(id);
    if (!item) return [];
    const closure = this.#definitions.closure(item);
    return edition === undefined ? (closure as ModuleDef[]) : this.#editions.closure(closure, edition);
  }

  /** The id of a module of ours: `mitos:api`, or one of the text modules. */
  internalModule(name: string): number {
    return this.#ours.get(name);
  }

  /** What an id stands for, of whichever edition. */
  itemOf(id: number): Item | undefined {
    return id < EDITION ? this.#table.all[id] : (this.#editions.item(id) ?? this.#table.at(id));
  }

  /** Whether a module has been made ready to be sent. */
  isServed(id: number): boolean {
    return typeof id === 'number' && this.itemOf(id)?.def !== undefined;
  }

  /** Answers a child. Never throws: a refusal is a target with a code and a message. */
  answer(query: ModuleQuery): ModuleAnswer {
    return this.#answers.answer(query);
  }

  /** Keeps what was found out for the next run. */
  flush(): Promise<void> {
    return this.#cache.flush();
  }

  /** Replaces places in shipped code by the user's own files, lines and columns. */
  mapStack(stack: string): string {
    return mapStackText(stack, (id) => {
      const item = this.itemOf(id);
      return item?.def ? item : undefined;
    });
  }

  /** The place in the program's text that the first line of a stack, as a context gives it, stands for. */
  thrownAt(stack: string): ThrownAt | undefined {
    return firstPlace(stack, (id) => this.itemOf(id));
  }

  /** The source map of a module that was shipped, for debuggers. */
  sourceMap(id: number): string | undefined {
    const item = this.itemOf(id);
    return item?.def && sourceMapOf(item);
  }
}
