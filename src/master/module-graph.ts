/**
 * Every module that the program may send, by id: found, transformed and linked here, at the root, and nowhere else. Identifying a function and
 * collecting its closure is synchronous; a file is read once, and what was sent of it stays what it was.
 */
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MitosError, ModuleError } from '../core/errors.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import { type Dep, EDITION, type ModuleDef } from '../core/module-batch.ts';
import { addonRefusal, addonText } from './addon-text.ts';
import { Admission, isModulePath, refusal } from './admission.ts';
import type { ThrownAt } from './api-versions.ts';
import { cacheDirectory } from './cache-directory.ts';
import { Editions, editionOf } from './editions.ts';
import { isApi, isMainScript, isProgramText } from './entry.ts';
import { exportNames } from './export-names.ts';
import type { ModuleEvent, ModuleGraphOptions } from './graph-options.ts';
import { FunctionFinder } from './identify.ts';
import { inlineForm } from './inline-form.ts';
import { missingModule } from './missing.ts';
import { ModuleCache } from './module-cache.ts';
import { cjsForm, esmForm, type Form, facadeForm, linksOf } from './module-form.ts';
import { describeItem, type Item, importChain } from './module-item.ts';
import type { Patched } from './patch.ts';
import { Versions } from './reload.ts';
import { commonNames, literalResolves, requiresOf } from './require-scan.ts';
import { isBuiltin, loadedCommonModules, type RequestKind, realPath, resolveFrom } from './resolve.ts';
import { refusePath } from './resource-rules.ts';
import { usesFiles } from './resource-uses.ts';
import { FILES, Resources } from './resources.ts';
import { Slices } from './slices.ts';
import { notesOf, Source } from './source.ts';
import { firstPlace, mapStackText, sourceMapOf } from './stack-map.ts';
import { HELPERS, HELPERS_SPECIFIER } from './strip.ts';
import { editionFor } from './syntax-level.ts';
import { TextMaker } from './texts.ts';
import { Preparation } from './travel.ts';

/** The rare parts of the core, as a module. */
export const EXTRA = 'mitos:extra';
export type { ModuleEvent, ModuleGraphOptions } from './graph-options.ts';

/** The modules of one program. */
export class ModuleGraph {
  /** The time it takes to make modules ready. */
  readonly preparation: Preparation = new Preparation();
  /** Called for every module when it is made ready to be sent. */
  onModule?: (event: ModuleEvent) => void;
  /** Files of its packages, beside modules. */
  readonly resources: Resources = new Resources();

  readonly #options: ModuleGraphOptions;
  readonly #items: (Item | undefined)[] = [];
  readonly #sources = new Map<string, Source>();
  readonly #files = new Map<string, Item>();
  readonly #parts = new Map<string, Item>();
  readonly #slices = new WeakMap<Source, Slices>();
  readonly #forms = new WeakMap<Source, Form>();
  readonly #admission = new Admission();
  readonly #finder: FunctionFinder;
  readonly #versions: Versions;
  readonly #cache: ModuleCache;
  readonly #texts: TextMaker;
  readonly #editions: Editions;
  #refs = new WeakMap<object, string>();

  constructor(options: ModuleGraphOptions = {}) {
    this.#options = options;
    this.#versions = new Versions(
      {
        items: this.#items,
        closure: (ref) => this.closureOf(ref).map(({ id }) => this.#items[id % EDITION] as Item),
        file: (path) => this.#file(path),
        current: (path) => this.#files.get(path),
        resolve: (from, specifier, kind) => this.#resolve(from, specifier, kind, true),
        forget: (items, paths) => this.#forget(items, paths),
        drop: (ids) => {
          for (const id of ids) this.#items[id] = undefined;
          this.#editions.drop(ids);
        },
      },
      options.reload === true,
    );
    this.#cache = options.cache ?? new ModuleCache(cacheDirectory('modules'));
    this.#texts = new TextMaker(this.#cache, options.minify);
    this.#editions = new Editions((id) => this.#items[id], this.#texts);
    this.#finder = new FunctionFinder({
      isReloading: options.reload === true,
      source: (path, loaded) => this.#source(path, loaded),
      file: (source, importer) => this.#file(source.path, importer),
      group: (source, index, importer) => this.#part(source, `#${index}`, { form: 'group', group: index }, importer),
      inline: (source, fn, importer) => this.#inline(source, fn, importer),
      slices: (source) => this.#slicesOf(source),
      form: (source) => this.#form(source),
    });
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
    this.#def(item);
    return this.#versions.asIn(this.#plain(item), () => {
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
      () => this.#resolve(importer, String(specifier), 'import'),
      (found) => (typeof found === 'number' ? found : undefined),
    );
    if (typeof target === 'object') throw new ModuleError(target.code as 'ERR_MITOS_MODULE_NOT_FOUND', target.message);
    if (typeof target === 'number') this.#versions.noteEntry(this.#items[target] as Item);
    return target;
  }

  /** The names that a module exports, as far as its text tells. */
  exportsOf(id: number): string[] {
    const source = this.#items[id]?.source;
    return source ? exportNames(source, (path) => this.#sources.get(path)) : [];
  }

  /**
   * The modules that a reference or module needs statically, dependency first, itself last; in an edition, if one is given. The same array for
   * the same module. Throws `ERR_MITOS_MODULE_SYNTAX` if there is no such edition of it.
   */
  closureOf(refOrId: string | number, edition?: number): ModuleDef[] {
    const id = typeof refOrId === 'number' ? refOrId : /^\d+#/.test(refOrId) ? Number.parseInt(refOrId, 10) : -1;
    const item = this.#items[id % EDITION];
    if (!item) return [];
    item.closure ??= this.#collect(item);
    return edition === undefined ? (item.closure as ModuleDef[]) : this.#editions.closure(item.closure, edition);
  }

  /** The id of a module of ours: `mitos:api`, or one of the text modules. */
  internalModule(name: string): number {
    const text = name === 'mitos:api' ? this.#options.apiModule : this.#options.textModules?.[name];
    if (!text) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `There is no module "${name}"`);
    return this.#text(name, text.code).id;
  }

  /** What an id stands for, of whichever edition. */
  itemOf(id: number): Item | undefined {
    return id < EDITION ? this.#items[id] : (this.#editions.item(id) ?? this.#items[id % EDITION]);
  }

  /** Whether a module has been made ready to be sent. */
  isServed(id: number): boolean {
    return typeof id === 'number' && this.itemOf(id)?.def !== undefined;
  }

  /** Answers a child. Never throws: a refusal is a target with a code and a message. */
  answer(query: ModuleQuery): ModuleAnswer {
    try {
      if ('id' in query) {
        const item = typeof query.id === 'number' ? this.itemOf(query.id) : undefined;
        if (!item) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve module ${String(query.id)}: it was never offered`);
        // Hops ask for exactly this text, contexts for one that their Node understands.
        const modules = this.closureOf(query.id, query.node === undefined ? editionOf(query.id) : editionFor(String(query.node)));
        return { target: modules.at(-1)?.id ?? query.id, modules };
      }
      if (query.from < 0) return this.#moduleAt(query.from, query.specifier);
      return this.#answer(query.from, query.specifier, query.kind);
    } catch (error) {
      return MitosError.is(error)
        ? refusal(error.code, error.message, error.hint)
        : refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve a module: ${(error as Error).message}`);
    }
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

  #answer(from: number, specifier: string, kind: 'import' | 'require' | 'resolve' | 'locate'): ModuleAnswer {
    const item = typeof from === 'number' ? this.itemOf(from) : undefined;
    const edition = editionOf(Number(from));
    const path = item?.source?.path;
    const shown = JSON.stringify(String(specifier).slice(0, 200));
    // The rare parts of the core are asked for by the core itself, which is no module.
    const isOurs = (item?.text || specifier === EXTRA) && Object.hasOwn(this.#options.textModules ?? {}, specifier);
    const text = isOurs ? this.#options.textModules?.[specifier] : undefined;
    if (text) {
      const { id } = this.#text(specifier, text.code);
      return { target: id, modules: this.closureOf(id, edition) };
    }
    if (!item?.def || path === undefined) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown}: who asks was never served`);
    if (isBuiltin(specifier)) return { target: specifier, modules: [] };
    const early = this.#admission.refuseSpecifier(specifier, path);
    if (early !== undefined) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown} to ${describeItem(item)}: ${early}`);
    const isImport = kind === 'import' || (kind === 'resolve' && item.source?.kind === 'esm');
    const resource =
      kind === 'resolve' || kind === 'locate' ? this.#resourceAt(item, specifier, isImport ? 'import' : 'require') : undefined;
    if (resource) return resource;
    const target = this.#versions.find(
      this.#plain(item),
      specifier,
      isImport ? 'import' : 'require',
      kind === 'import' || kind === 'require',
    );
    if (typeof target !== 'number') return { target, modules: [] };
    if (kind === 'resolve' || kind === 'locate') return { target, modules: [this.#def(this.#items[target] as Item)] };
    return { target, modules: this.closureOf(target, edition) };
  }

  /** Where a context that wants to know only that finds a file which is no module. */
  #resourceAt(item: Item, specifier: string, kind: RequestKind): ModuleAnswer | undefined {
    if (!this.#options.textModules?.[FILES]) return undefined;
    const found = resolveFrom((item.source as Source).path, specifier, kind);
    if (!('path' in found) || isModulePath(found.path) || this.#admission.refuseFile(found.path, true) !== undefined) return undefined;
    const { grants } = this.resources.rootOf(found.path);
    if (grants) return { target: pathToFileURL(found.path).href, modules: [] };
    return { target: pathToFileURL(found.path).href, modules: this.closureOf(this.#filesOf(found.path)) };
  }

  /** The module under which a file of a package that was offered is served: for what starts threads. */
  #moduleAt(from: number, below: unknown): ModuleAnswer {
    const root = this.resources.root(-from);
    if (!root) return refusal('ERR_MITOS_MODULE_DENIED', 'it belongs to no package that was offered');
    const path = join(root.path, String(below));
    const refused = refusePath(below, root.dotted) ?? this.#admission.refuseSpecifier(path, path);
    if (refused !== undefined) return refusal('ERR_MITOS_MODULE_DENIED', refused);
    const seen: Item = { id: 0, form: 'file', source: { path, kind: 'esm' } as Source, wantsNames: false };
    const target = this.#resolve(seen, path, 'import', true);
    if (typeof target !== 'number') return { target, modules: [] };
    if (this.#items[target]?.form === 'facade')
      return refusal(
        'ERR_MITOS_MODULE_DENIED',
        'it is a main script, whose top level runs at the root only; put what the thread runs into a file of its own',
      );
    return { target, modules: this.closureOf(target) };
  }

  /** The module that tells a context where the files of a source are. */
  #filesOf(path: string, source?: Source): number {
    const at = `${FILES} ${path}`;
    let item = this.#parts.get(at);
    if (!item) {
      const { url, code } = this.resources.textFor(path, source);
      // Of a package whose files may all be read one is enough.
      item = this.#text(url, code, { [FILES]: this.internalModule(FILES) });
      this.#parts.set(at, item);
    }
    return item.id;
  }

  #forget(items: ReadonlySet<Item>, paths: ReadonlySet<string>): void {
    for (const table of [this.#files, this.#parts]) for (const [at, item] of table) if (items.has(item)) table.delete(at);
    for (const path of paths) {
      this.#sources.delete(path);
      this.#parts.delete(`${FILES} ${path}`);
    }
    this.#refs = new WeakMap();
  }

  // ---- items --------------------------------------------------------------------------------------------------------------------------

  #source(path: string, loaded?: string): Source {
    let source = this.#sources.get(path);
    if (!source) {
      const isEntry = (text: string, { isOwn }: Source): boolean =>
        isMainScript(path) || (this.#options.entries ?? []).includes(path) || (isOwn && isProgramText(path, text));
      const make = (text: string): Source => new Source(path, text, isEntry, notesOf(this.#cache, path, text));
      source = this.preparation.make(() => make(this.#versions.read(path, loaded)));
      this.#sources.set(path, source);
      this.#admission.add(path);
    }
    return source;
  }

  /** The plain item, of which editions are copies. */
  #plain({ id }: Item): Item {
    return this.#items[id % EDITION] as Item;
  }

  #add(item: Omit<Item, 'id' | 'wantsNames'>): Item {
    // Ids start at 1.
    const added: Item = { ...item, id: Math.max(1, this.#items.length), wantsNames: false };
    this.#items[added.id] = added;
    return added;
  }

  #file(path: string, importer?: Item): Item {
    const past = this.#versions.pastFile(path);
    if (past) return past;
    let item = this.#files.get(path);
    if (!item) {
      const source = this.#source(path);
      item = this.#add({ form: source.isEntry ? 'facade' : 'file', source, ...(importer ? { importer } : {}) });
      this.#files.set(path, item);
      this.#versions.add(item, path);
    }
    return item;
  }

  #part(source: Source, name: string, part: Pick<Item, 'form' | 'group' | 'fn' | 'parent'>, importer?: Item): Item {
    const at = `${source.path} ${name}`;
    const { isPast } = this.#versions;
    let item = isPast ? this.#versions.past(at) : this.#parts.get(at);
    if (!item) {
      item = this.#add({ ...part, source, ...(importer ? { importer } : {}) });
      this.#versions.add(item, at);
      if (!isPast) this.#parts.set(at, item);
    }
    return item;
  }

  #inline(source: Source, fn: Item['fn'] & object, importer?: Item): Item {
    if (source.isEntry) return this.#part(source, `@${fn.start}`, { form: 'slice', fn }, importer);
    return this.#part(source, `@${fn.start}`, { form: 'inline', fn, parent: this.#file(source.path) }, importer);
  }

  #text(url: string, code: string, deps?: Record<string, Dep>): Item {
    let item = this.#parts.get(url);
    if (!item) {
      item = this.#add({ form: 'text', text: { url, code, ...(deps && { deps }) } });
      this.#parts.set(url, item);
    }
    return item;
  }

  #slicesOf(source: Source): Slices {
    let slices = this.#slices.get(source);
    if (!slices) this.#slices.set(source, (slices = new Slices(source)));
    return slices;
  }

  #form(source: Source): Form {
    let form = this.#forms.get(source);
    if (!form || form.hasHook !== source.hasHook)
      this.#forms.set(source, (form = source.kind === 'esm' ? esmForm(source) : cjsForm(source)));
    return form;
  }

  /** The form of a file that is made only where it is looked at: what it was shaped into may be known from an earlier run. */
  #lazyForm(source: Source): Patched {
    const form = (): Patched => this.#form(source).patched;
    return {
      get code() {
        return form().code;
      },
      toOriginal: (offset) => form().toOriginal(offset),
    };
  }

  // ---- dependencies -------------------------------------------------------------------------------------------------------------------

  /** Where a specifier leads. A module that cannot be had is an answer too. */
  #resolve(from: Item, specifier: string, kind: RequestKind, isAsked = false): Dep {
    const source = from.source as Source;
    if (specifier === HELPERS_SPECIFIER) return this.#text(HELPERS_SPECIFIER, HELPERS).id;
    if (isApi(specifier, source.path) && this.#options.apiModule) return this.#text('mitos:api', this.#options.apiModule.code).id;
    const found = resolveFrom(source.path, specifier, kind);
    if ('builtin' in found) return found.builtin;
    if ('missing' in found) {
      return missingModule({ specifier, from: source.path, chain: importChain(from), reason: found.missing });
    }
    const { path } = found;
    if (path.endsWith('.node')) return this.#addon(path, from, isAsked);
    // What this process has itself loaded as CommonJS may also be a file without extension.
    const isSource = isModulePath(path) || (!extname(path) && loadedCommonModules()[path] !== undefined);
    const refused = isAsked || !isSource ? this.#admission.refuseFile(path) : undefined;
    if (refused !== undefined)
      return { code: 'ERR_MITOS_MODULE_DENIED', message: `Cannot serve '${specifier}', imported by ${importChain(from)}: ${refused}` };
    const item = this.#file(path, from);
    if (kind === 'import') this.#wantNames(item);
    return item.id;
  }

  /** A native addon: refused, or a module that loads it or refuses, as the options of the context say. */
  #addon(path: string, from: Item, isAsked: boolean): Dep {
    const message = addonRefusal(path, importChain(from));
    if (!this.#options.textModules?.[FILES]) return { code: 'ERR_MITOS_ADDON', message };
    const refused = isAsked ? this.#admission.refuseFile(path, true) : undefined;
    if (refused !== undefined)
      return { code: 'ERR_MITOS_MODULE_DENIED', message: `Cannot serve '${path}', imported by ${importChain(from)}: ${refused}` };
    const root = this.resources.rootOf(path);
    if (!isAsked) root.grants?.add(path);
    return this.#text(pathToFileURL(path).href, addonText(root, path, message), {
      [FILES]: this.internalModule(FILES),
      [`${FILES}/root`]: this.#filesOf(path),
    }).id;
  }

  #wantNames(item: Item): void {
    if (item.wantsNames || item.form !== 'file' || item.source?.kind === 'esm') return;
    item.wantsNames = true;
    if (item.def && !item.def.names) item.def.names = this.#names(item, new Set());
  }

  #names(item: Item, seen: Set<Item>): string[] {
    if (seen.has(item) || item.source?.kind !== 'cjs') return [];
    seen.add(item);
    const { code } = item.source;
    const { exports, reexports } = item.source.note('names', () => commonNames(code));
    const names = new Set(exports);
    for (const specifier of reexports) {
      const target = this.#resolve(item, specifier, 'require');
      if (typeof target === 'number') for (const name of this.#names(this.#items[target] as Item, seen)) names.add(name);
    }
    return [...names];
  }

  // ---- definitions --------------------------------------------------------------------------------------------------------------------

  #def(item: Item): ModuleDef {
    if (!item.def) {
      const def = this.preparation.make(() => this.#build(item), item.source);
      item.def = def;
      this.onModule?.({ id: def.id, url: def.url, kind: def.kind, size: def.code.length });
    }
    return item.def;
  }

  #build(item: Item): ModuleDef {
    const { id, source, text } = item;
    if (text) return { id, url: text.url, kind: 'cjs', code: text.code, deps: text.deps ?? this.#textDeps(text.url) };
    if (!source) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `Cannot serve module ${id}: it has no source`);
    const def: ModuleDef = { id, url: source.url, kind: 'esm', code: '', deps: {} };
    if (item.form === 'facade') {
      const { code, specifiers } = facadeForm(this.#slicesOf(source).exports());
      def.code = code;
      this.#link(item, def, specifiers, []);
      return def;
    }
    if (item.form === 'inline') {
      def.kind = 'inline';
      def.deps[''] = (item.parent as Item).id;
      item.patched = inlineForm(source, item.fn as NonNullable<Item['fn']>, this.#form(source));
    } else if (item.form !== 'file') {
      const slices = this.#slicesOf(source);
      const slice = item.form === 'group' ? slices.group(item.group as number) : slices.inline(item.fn as NonNullable<Item['fn']>);
      item.patched = slice.patched;
      if (slice.isAsync) def.async = true;
      this.#link(item, def, slice.specifiers, slice.requires);
    } else if (source.kind === 'json') {
      def.kind = 'json';
      def.code = source.code;
      def.names = [];
    } else {
      item.patched = this.#lazyForm(source);
      def.kind = source.kind;
      const { specifiers, isAsync, hasHelpers } = source.note(source.hasHook ? 'links, hooked' : 'links', () =>
        linksOf(this.#form(source)),
      );
      if (isAsync) def.async = true;
      if (source.kind === 'esm') this.#link(item, def, specifiers, /\bcreateRequire\b/.test(source.code) ? requiresOf(source) : []);
      else {
        this.#link(item, def, [], requiresOf(source));
        if (hasHelpers) def.deps[HELPERS_SPECIFIER] = this.#resolve(item, HELPERS_SPECIFIER, 'require');
        if (item.wantsNames) def.names = this.#names(item, new Set());
      }
    }
    if (item.form === 'file') this.#resolves(item, def);
    if (item.patched) this.#texts.finish(item, def, item.patched);
    // Not for the code, but for what it reads: evaluated as soon as it is there.
    if (item.form !== 'inline' && source.kind !== 'json' && this.#options.textModules?.[FILES] && usesFiles(source.code))
      def.deps[FILES] = this.#filesOf(source.path, source);
    return def;
  }

  /** What is only resolved is sent as a URL, not as a module. */
  #resolves(item: Item, def: ModuleDef): void {
    const source = item.source as Source;
    for (const specifier of source.kind === 'json' ? [] : literalResolves(source)) {
      if (isBuiltin(specifier)) continue;
      const target = this.#tryResolve(item, specifier, source.kind === 'esm' ? 'import' : 'require');
      const found = typeof target === 'number' ? this.#items[target]?.source : undefined;
      if (found) def.deps[`resolve ${specifier}`] = found.url;
    }
  }

  /** What other modules of ours are made of; all of them make use of the rare parts of the core. */
  #textDeps(url: string): Record<string, Dep> {
    if (url === HELPERS_SPECIFIER) return {};
    const extra = url === EXTRA || url === FILES ? undefined : this.#options.textModules?.[EXTRA];
    return { 'mitos:core': 'mitos:core', ...(extra && { [EXTRA]: this.#text(EXTRA, extra.code).id }) };
  }

  #link(item: Item, def: ModuleDef, specifiers: readonly string[], requires: readonly string[]): void {
    const source = item.source as Source;
    for (const specifier of specifiers) {
      const target =
        specifier.startsWith('#') && /^#\d+$/.test(specifier)
          ? this.#part(source, specifier, { form: 'group', group: Number(specifier.slice(1)) }, item).id
          : this.#resolve(item, specifier, 'import');
      if (target !== specifier || specifier.startsWith('mitos:')) def.deps[specifier] = target;
    }
    for (const specifier of requires) {
      const target = this.#tryResolve(item, specifier);
      if (target !== specifier) def.deps[def.kind === 'cjs' ? specifier : `require ${specifier}`] = target;
    }
  }

  /** CommonJS may catch what goes wrong with a module it requires, so that is an answer, too. */
  #tryResolve(item: Item, specifier: string, kind: RequestKind = 'require'): Dep {
    try {
      return this.#resolve(item, specifier, kind);
    } catch (error) {
      if (!MitosError.is(error))
        return {
          code: 'ERR_MITOS_MODULE_DENIED',
          message: `Cannot serve '${specifier}', imported by ${importChain(item)}: ${(error as Error).message}`,
        };
      return { code: error.code, message: error.message };
    }
  }

  /** Depth first, without recursion: chains of imports may be long. */
  #collect(root: Item): ModuleDef[] {
    const seen = new Set<Item>([root]);
    const out: ModuleDef[] = [];
    const stack = [{ def: this.#def(root), left: undefined as [string, Dep][] | undefined }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      top.left ??= Object.entries(top.def.deps).reverse();
      const [specifier, dep] = top.left.pop() ?? [];
      if (specifier === undefined) {
        out.push(top.def);
        stack.pop();
        continue;
      }
      const next = typeof dep === 'number' ? this.#items[dep] : undefined;
      if (!next || seen.has(next)) continue;
      try {
        stack.push({ def: this.#def(next), left: undefined });
        seen.add(next);
      } catch (error) {
        this.#versions.noteFault(this.#items[top.def.id] as Item, next);
        if (top.def.kind !== 'cjs' || !MitosError.is(error)) throw error;
        // CommonJS may catch this.
        top.def.deps[specifier] = { code: error.code, message: error.message };
      }
    }
    return out;
  }
}
