/**
 * Every module that the program may send, by id: found, transformed and linked here, at the root, and nowhere else. Identifying a function and
 * collecting its closure is synchronous; a file is read once, and what was sent of it stays what it was.
 */
import { fileURLToPath } from 'node:url';
import { MitosError, ModuleError } from '../core/errors.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import type { Dep, ModuleDef } from '../core/module-batch.ts';
import { Admission } from './admission.ts';
import { isApi, isMainScript, isProgramText } from './entry.ts';
import { FunctionFinder } from './identify.ts';
import { inlineForm } from './inline-form.ts';
import { cjsForm, esmForm, type Form } from './module-form.ts';
import { describeItem, type Item, importChain } from './module-item.ts';
import { commonNames, literalRequires } from './require-scan.ts';
import { isBuiltin, loadedCommonModules, type RequestKind, realPath, resolveFrom } from './resolve.ts';
import { ascii, key, Namespaces } from './rewrite.ts';
import { Slices } from './slices.ts';
import { readSource, Source } from './source.ts';
import { mapStackText, sourceMapOf } from './stack-map.ts';
import { HELPERS, HELPERS_SPECIFIER } from './strip.ts';

/** The rare parts of the core, as a module. */
export const EXTRA = 'mitos:extra';

/** Options of a {@link ModuleGraph}. */
export interface ModuleGraphOptions {
  /** What a served module gets when it imports `mitos`: a CommonJS text. */
  apiModule?: { code: string };
  /** Modules of ours, by specifier: CommonJS texts that only the api module and each other may ask for. They may require `mitos:core`. */
  textModules?: Readonly<Record<string, { code: string }>>;
  /** Further main scripts, by path: never evaluated on a target. */
  entries?: readonly string[];
}

/** Said of every module when it is made ready to be sent. */
export interface ModuleEvent {
  id: number;
  url: string;
  kind: ModuleDef['kind'];
  /** Characters of its code. */
  size: number;
}

/** The modules of one program. */
export class ModuleGraph {
  /** Called for every module when it is made ready to be sent. */
  onModule?: (event: ModuleEvent) => void;

  readonly #options: ModuleGraphOptions;
  readonly #items: Item[] = [];
  readonly #sources = new Map<string, Source>();
  readonly #files = new Map<string, Item>();
  readonly #parts = new Map<string, Item>();
  readonly #slices = new WeakMap<Source, Slices>();
  readonly #forms = new WeakMap<Source, Form>();
  readonly #admission = new Admission();
  readonly #finder: FunctionFinder;
  #refs = new WeakMap<object, string>();

  constructor(options: ModuleGraphOptions = {}) {
    this.#options = options;
    this.#finder = new FunctionFinder({
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
    if (ref === undefined) {
      ref = this.#finder.identify(fn);
      this.#refs.set(fn, ref);
    }
    return ref;
  }

  /** The reference of a function that a child found in code which it had been sent: `line` and `column` (from 0) as its V8 gives them. */
  identifyAt(moduleId: number, line: number, column: number, text: string): string {
    const item = this.#items[moduleId];
    if (!item) throw new ModuleError('ERR_MITOS_NOT_CALLABLE', `Cannot call a function of module ${moduleId}: there is no such module`);
    this.#def(item);
    return this.#finder.identifyAt(item, line, column, text);
  }

  /** The module that a specifier means, as seen from a file: for `context.import()`. */
  addEntry(specifier: string | URL, from: string): number | string {
    const path = realPath(from.startsWith('file:') ? fileURLToPath(from) : from);
    const text = String(specifier);
    // Only a place to resolve from: the file itself is neither read nor sent.
    const importer: Item = { id: 0, form: 'file', source: { path, kind: 'esm' } as Source, wantsNames: false };
    this.#admission.add(path);
    const target = this.#resolve(importer, text, 'import');
    if (typeof target === 'object') throw new ModuleError(target.code as 'ERR_MITOS_MODULE_NOT_FOUND', target.message);
    if (typeof target === 'number') this.closureOf(target);
    return target;
  }

  /** The modules that a reference or module needs statically, dependency first, itself last. The same array for the same module. */
  closureOf(refOrId: string | number): ModuleDef[] {
    const id = typeof refOrId === 'number' ? refOrId : /^\d+#/.test(refOrId) ? Number.parseInt(refOrId, 10) : -1;
    const item = this.#items[id];
    if (!item) return [];
    item.closure ??= this.#collect(item);
    return item.closure as ModuleDef[];
  }

  /** The id of a module of ours: `mitos:api`, or one of the text modules. */
  internalModule(name: string): number {
    const text = name === 'mitos:api' ? this.#options.apiModule : this.#options.textModules?.[name];
    if (!text) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `There is no module "${name}"`);
    return this.#text(name, text.code).id;
  }

  /** Answers a child. Never throws: a refusal is a target with a code and a message. */
  answer(query: ModuleQuery): ModuleAnswer {
    try {
      if ('id' in query) {
        const item = typeof query.id === 'number' ? this.#items[query.id] : undefined;
        if (!item) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve module ${String(query.id)}: it was never offered`);
        return { target: query.id, modules: this.closureOf(query.id) };
      }
      return this.#answer(query.from, query.specifier, query.kind);
    } catch (error) {
      return MitosError.is(error)
        ? refusal(error.code, error.message)
        : refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve a module: ${(error as Error).message}`);
    }
  }

  /** Replaces places in shipped code by the user's own files, lines and columns. */
  mapStack(stack: string): string {
    return mapStackText(stack, (id) => {
      const item = this.#items[id];
      return item?.def ? item : undefined;
    });
  }

  /** The source map of a module that was shipped, for debuggers. */
  sourceMap(id: number): string | undefined {
    const item = this.#items[id];
    return item?.def && sourceMapOf(item);
  }

  #answer(from: number, specifier: string, kind: 'import' | 'require' | 'resolve'): ModuleAnswer {
    const item = typeof from === 'number' ? this.#items[from] : undefined;
    const path = item?.source?.path;
    const shown = JSON.stringify(String(specifier).slice(0, 200));
    // The rare parts of the core are asked for by the core itself, which is no module.
    const isOurs = (item?.text || specifier === EXTRA) && Object.hasOwn(this.#options.textModules ?? {}, specifier);
    const text = isOurs ? this.#options.textModules?.[specifier] : undefined;
    if (text) {
      const { id } = this.#text(specifier, text.code);
      return { target: id, modules: this.closureOf(id) };
    }
    if (!item || path === undefined || !item.def)
      return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown}: the asking module was never served`);
    if (isBuiltin(specifier)) return { target: specifier, modules: [] };
    const early = this.#admission.refuseSpecifier(specifier, path);
    if (early !== undefined) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown} to ${describeItem(item)}: ${early}`);
    const isImport = kind === 'import' || (kind === 'resolve' && item.source?.kind === 'esm');
    const target = this.#resolve(item, specifier, isImport ? 'import' : 'require', true);
    if (typeof target !== 'number') return { target, modules: [] };
    if (kind === 'resolve') return { target, modules: [this.#def(this.#items[target] as Item)] };
    return { target, modules: this.closureOf(target) };
  }

  // ---- items --------------------------------------------------------------------------------------------------------------------------

  #source(path: string, loaded?: string): Source {
    let source = this.#sources.get(path);
    if (!source) {
      const isEntry = (text: string, { isOwn }: Source): boolean =>
        isMainScript(path) || (this.#options.entries ?? []).includes(path) || (isOwn && isProgramText(path, text));
      source = new Source(path, loaded ?? readSource(path), isEntry);
      this.#sources.set(path, source);
      this.#admission.add(path);
    }
    return source;
  }

  #add(item: Omit<Item, 'id' | 'wantsNames'>): Item {
    // Ids start at 1.
    const added: Item = { ...item, id: Math.max(1, this.#items.length), wantsNames: false };
    this.#items[added.id] = added;
    return added;
  }

  #file(path: string, importer?: Item): Item {
    let item = this.#files.get(path);
    if (!item) {
      const source = this.#source(path);
      item = this.#add({ form: source.isEntry ? 'facade' : 'file', source, ...(importer ? { importer } : {}) });
      this.#files.set(path, item);
    }
    return item;
  }

  #part(source: Source, name: string, part: Pick<Item, 'form' | 'group' | 'fn' | 'parent'>, importer?: Item): Item {
    const at = `${source.path} ${name}`;
    let item = this.#parts.get(at);
    if (!item) {
      item = this.#add({ ...part, source, ...(importer ? { importer } : {}) });
      this.#parts.set(at, item);
    }
    return item;
  }

  #inline(source: Source, fn: Item['fn'] & object, importer?: Item): Item {
    if (source.isEntry) return this.#part(source, `@${fn.start}`, { form: 'slice', fn }, importer);
    return this.#part(source, `@${fn.start}`, { form: 'inline', fn, parent: this.#file(source.path) }, importer);
  }

  #text(url: string, code: string): Item {
    let item = this.#parts.get(url);
    if (!item) {
      item = this.#add({ form: 'text', text: { url, code } });
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

  // ---- dependencies -------------------------------------------------------------------------------------------------------------------

  /** Where a specifier leads. A module that cannot be had is an answer too. */
  #resolve(from: Item, specifier: string, kind: RequestKind, isAsked = false): Dep {
    const source = from.source as Source;
    if (specifier === HELPERS_SPECIFIER) return this.#text(HELPERS_SPECIFIER, HELPERS).id;
    if (isApi(specifier, source.path) && this.#options.apiModule) return this.#text('mitos:api', this.#options.apiModule.code).id;
    const found = resolveFrom(source.path, specifier, kind);
    if ('builtin' in found) return found.builtin;
    if ('missing' in found) {
      return { code: 'ERR_MITOS_MODULE_NOT_FOUND', message: `Cannot find module '${specifier}', imported by ${importChain(from)}` };
    }
    const { path } = found;
    if (path.endsWith('.node')) {
      return {
        code: 'ERR_MITOS_ADDON',
        message: `Cannot send native addon ${path}, imported by ${importChain(from)}: it is built for this machine; load it only where it is installed, or use a package without native code`,
      };
    }
    const refused = isAsked || !/\.(?:[cm]?[jt]s|[jt]sx|json)$/.test(path) ? this.#admission.refuseFile(path) : undefined;
    if (refused !== undefined)
      return { code: 'ERR_MITOS_MODULE_DENIED', message: `Cannot serve '${specifier}', imported by ${importChain(from)}: ${refused}` };
    const item = this.#file(path, from);
    if (kind === 'import') this.#wantNames(item);
    return item.id;
  }

  #wantNames(item: Item): void {
    if (item.wantsNames || item.form !== 'file' || item.source?.kind === 'esm') return;
    item.wantsNames = true;
    if (item.def && !item.def.names) item.def.names = this.#names(item, new Set());
  }

  #names(item: Item, seen: Set<Item>): string[] {
    if (seen.has(item) || item.source?.kind !== 'cjs') return [];
    seen.add(item);
    const { exports, reexports } = commonNames(item.source.code);
    const names = new Set(exports);
    for (const specifier of reexports) {
      const target = this.#resolve(item, specifier, 'require');
      if (typeof target === 'number') for (const name of this.#names(this.#items[target] as Item, seen)) names.add(name);
    }
    return [...names];
  }

  #requires(item: Item): string[] {
    const source = item.source as Source;
    const cache = loadedCommonModules();
    const isLoaded = cache[source.path] !== undefined;
    return literalRequires(source, isLoaded)
      .filter(({ specifier, atTop }) => {
        if (isBuiltin(specifier)) return false;
        if (!isLoaded && atTop) return true;
        const found = resolveFrom(source.path, specifier, 'require');
        // A module that cannot be found is said to be so at once: packages probe for optional ones.
        return 'path' in found ? cache[found.path] !== undefined : isLoaded || atTop;
      })
      .map(({ specifier }) => specifier);
  }

  // ---- definitions --------------------------------------------------------------------------------------------------------------------

  #def(item: Item): ModuleDef {
    if (!item.def) {
      const def = this.#build(item);
      item.def = def;
      this.onModule?.({ id: def.id, url: def.url, kind: def.kind, size: def.code.length });
    }
    return item.def;
  }

  #build(item: Item): ModuleDef {
    const { id, source, text } = item;
    if (text) return { id, url: text.url, kind: 'cjs', code: text.code, deps: this.#textDeps(text.url) };
    if (!source) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `Cannot serve module ${id}: it has no source`);
    const def: ModuleDef = { id, url: source.url, kind: 'esm', code: '', deps: {} };
    if (item.form === 'facade') return this.#facade(item, def);
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
      const form = this.#form(source);
      item.patched = form.patched;
      def.kind = source.kind;
      if (form.isAsync) def.async = true;
      if (source.kind === 'esm') this.#link(item, def, form.specifiers, []);
      else {
        this.#link(item, def, [], this.#requires(item));
        if (form.patched.code.includes(HELPERS_SPECIFIER)) def.deps[HELPERS_SPECIFIER] = this.#resolve(item, HELPERS_SPECIFIER, 'require');
        if (item.wantsNames) def.names = this.#names(item, new Set());
      }
    }
    if (item.patched) def.code = item.patched.code;
    return def;
  }

  /** What other modules of ours are made of; all of them make use of the rare parts of the core. */
  #textDeps(url: string): Record<string, Dep> {
    if (url === HELPERS_SPECIFIER) return {};
    const extra = url === EXTRA ? undefined : this.#options.textModules?.[EXTRA];
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
  #tryResolve(item: Item, specifier: string): Dep {
    try {
      return this.#resolve(item, specifier, 'require');
    } catch (error) {
      if (!MitosError.is(error))
        return {
          code: 'ERR_MITOS_MODULE_DENIED',
          message: `Cannot serve '${specifier}', imported by ${importChain(item)}: ${(error as Error).message}`,
        };
      return { code: error.code, message: error.message };
    }
  }

  /** The exports of a main script, each from the slice that declares it. */
  #facade(item: Item, def: ModuleDef): ModuleDef {
    const source = item.source as Source;
    const namespaces = new Namespaces('');
    const aliases: string[] = [];
    const getters: string[] = [];
    for (const { name, specifier, from } of this.#slicesOf(source).exports()) {
      const namespace = namespaces.of(specifier);
      if (from === '*') getters.push(`${key(name)}:()=>${namespace}`);
      else aliases.push(`${key(name)}:[${ascii(specifier)},${ascii(from)}]`);
    }
    def.code = `"use strict";${namespaces.declare()}$mitos.e({${getters.join()}},{${aliases.join()}});yield;`;
    this.#link(item, def, namespaces.specifiers, []);
    return def;
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
        if (top.def.kind !== 'cjs' || !MitosError.is(error)) throw error;
        // CommonJS may catch this.
        top.def.deps[specifier] = { code: error.code, message: error.message };
      }
    }
    return out;
  }
}

function refusal(code: string, message: string): ModuleAnswer {
  return { target: { code, message }, modules: [] };
}
