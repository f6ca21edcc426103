/** What is sent of an item: its text and its table of dependencies, made when somebody needs it; and the closure of what it needs. */
import { MitosError, ModuleError } from '../core/errors.ts';
import type { Dep, ModuleDef } from '../core/module-batch.ts';
import type { ModuleEvent } from './graph-options.ts';
import { inlineForm } from './inline-form.ts';
import type { ItemTable } from './item-table.ts';
import { facadeForm, linksOf } from './module-form.ts';
import type { Item } from './module-item.ts';
import type { ModuleResolver } from './module-resolver.ts';
import type { OurModules } from './our-modules.ts';
import type { Versions } from './reload.ts';
import { literalResolves, requiresOf } from './require-scan.ts';
import { isBuiltin } from './resolve.ts';
import { usesFiles } from './resource-uses.ts';
import { FILES } from './resources.ts';
import type { Source } from './source.ts';
import type { SourceForms } from './source-forms.ts';
import { HELPERS_SPECIFIER } from './strip.ts';
import type { TextMaker } from './texts.ts';
import type { Preparation } from './travel.ts';

/** What definitions are made with. */
export interface DefinitionParts {
  table: ItemTable;
  ours: OurModules;
  forms: SourceForms;
  resolver: ModuleResolver;
  texts: TextMaker;
  versions: Versions;
  preparation: Preparation;
}

/** Makes definitions. */
export class Definitions {
  /** Called for every module when it is made ready to be sent. */
  onModule?: ((event: ModuleEvent) => void) | undefined;
  readonly #parts: DefinitionParts;

  constructor(parts: DefinitionParts) {
    this.#parts = parts;
  }

  /** The definition of an item, always the same. Throws a ModuleError if its file has a fault. */
  of(item: Item): ModuleDef {
    if (!item.def) {
      const def = this.#parts.preparation.make(() => this.#build(item), item.source);
      item.def = def;
      this.onModule?.({ id: def.id, url: def.url, kind: def.kind, size: def.code.length });
    }
    return item.def;
  }

  /** What an item needs statically, dependency first, itself last. Without recursion: chains of imports may be long. */
  closure(root: Item): readonly ModuleDef[] {
    return (root.closure ??= this.#collect(root));
  }

  #collect(root: Item): ModuleDef[] {
    const items = this.#parts.table.all;
    const seen = new Set<Item>([root]);
    const out: ModuleDef[] = [];
    const stack = [{ def: this.of(root), left: undefined as [string, Dep][] | undefined }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      top.left ??= Object.entries(top.def.deps).reverse();
      const [specifier, dep] = top.left.pop() ?? [];
      if (specifier === undefined) {
        out.push(top.def);
        stack.pop();
        continue;
      }
      const next = typeof dep === 'number' ? items[dep] : undefined;
      if (!next || seen.has(next)) continue;
      try {
        stack.push({ def: this.of(next), left: undefined });
        seen.add(next);
      } catch (error) {
        this.#parts.versions.noteFault(items[top.def.id] as Item, next);
        if (top.def.kind !== 'cjs' || !MitosError.is(error)) throw error;
        // CommonJS may catch this.
        top.def.deps[specifier] = { code: error.code, message: error.message };
      }
    }
    return out;
  }

  #build(item: Item): ModuleDef {
    const { ours, texts } = this.#parts;
    const { id, source, text } = item;
    if (text) return { id, url: text.url, kind: 'cjs', code: text.code, deps: text.deps ?? ours.deps(text.url) };
    if (!source) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `Cannot serve module ${id}: it has no source`);
    const def: ModuleDef = { id, url: source.url, kind: 'esm', code: '', deps: {} };
    if (item.form === 'facade') {
      const { code, specifiers } = facadeForm(this.#parts.forms.slices(source).exports());
      def.code = code;
      this.#link(item, def, specifiers, []);
      return def;
    }
    if (item.form === 'file') this.#file(item, def, source);
    else this.#part(item, def, source);
    if (item.patched) texts.finish(item, def, item.patched);
    // Not for the code, but for what it reads: evaluated as soon as it is there.
    if (item.form !== 'inline' && source.kind !== 'json' && ours.hasFiles && usesFiles(source.code))
      def.deps[FILES] = ours.filesOf(source.path, source);
    return def;
  }

  /** A part of a main script, or a function in the scope of a module. */
  #part(item: Item, def: ModuleDef, source: Source): void {
    const { forms } = this.#parts;
    if (item.form === 'inline') {
      def.kind = 'inline';
      def.deps[''] = (item.parent as Item).id;
      item.patched = inlineForm(source, item.fn as NonNullable<Item['fn']>, forms.form(source));
      return;
    }
    const slices = forms.slices(source);
    const slice = item.form === 'group' ? slices.group(item.group as number) : slices.inline(item.fn as NonNullable<Item['fn']>);
    item.patched = slice.patched;
    if (slice.isAsync) def.async = true;
    this.#link(item, def, slice.specifiers, slice.requires);
  }

  #file(item: Item, def: ModuleDef, source: Source): void {
    const { forms, resolver } = this.#parts;
    def.kind = source.kind;
    if (source.kind === 'json') {
      def.code = source.code;
      def.names = [];
      return;
    }
    item.patched = forms.lazyForm(source);
    const { specifiers, isAsync, hasHelpers } = source.note(source.hasHook ? 'links, hooked' : 'links', () => linksOf(forms.form(source)));
    if (isAsync) def.async = true;
    if (source.kind === 'esm') this.#link(item, def, specifiers, /\bcreateRequire\b/.test(source.code) ? requiresOf(source) : []);
    else {
      this.#link(item, def, [], requiresOf(source));
      if (hasHelpers) def.deps[HELPERS_SPECIFIER] = resolver.resolve(item, HELPERS_SPECIFIER, 'require');
      if (item.wantsNames) def.names = resolver.names(item);
    }
    this.#linkPlaces(item, def, source);
  }

  /** What is only resolved is sent as a URL, not as a module. */
  #linkPlaces(item: Item, def: ModuleDef, source: Source): void {
    const { table, resolver } = this.#parts;
    for (const specifier of literalResolves(source)) {
      if (isBuiltin(specifier)) continue;
      const target = resolver.tryResolve(item, specifier, source.kind === 'esm' ? 'import' : 'require');
      const found = typeof target === 'number' ? table.all[target]?.source : undefined;
      if (found) def.deps[`resolve ${specifier}`] = found.url;
    }
  }

  #link(item: Item, def: ModuleDef, specifiers: readonly string[], requires: readonly string[]): void {
    const { table, resolver } = this.#parts;
    for (const specifier of specifiers) {
      const target = /^#\d+$/.test(specifier)
        ? table.group(item.source as Source, Number(specifier.slice(1)), item).id
        : resolver.resolve(item, specifier, 'import');
      if (target !== specifier || specifier.startsWith('mitos:')) def.deps[specifier] = target;
    }
    for (const specifier of requires) {
      const target = resolver.tryResolve(item, specifier);
      if (target !== specifier) def.deps[def.kind === 'cjs' ? specifier : `require ${specifier}`] = target;
    }
  }
}
