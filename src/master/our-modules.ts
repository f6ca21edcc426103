/**
 * Modules that are ours and not the program's: the api, texts that contexts get on need, and small ones made for a package, which tell a
 * context where its files are, or load an addon of it.
 */
import { pathToFileURL } from 'node:url';
import { ModuleError } from '../core/errors.ts';
import type { Dep } from '../core/module-batch.ts';
import { addonRefusal, addonText } from './addon-text.ts';
import type { Admission } from './admission.ts';
import type { ModuleGraphOptions } from './graph-options.ts';
import type { ItemTable } from './item-table.ts';
import { type Item, importChain } from './module-item.ts';
import { FILES, type Resources } from './resources.ts';
import type { Source } from './source.ts';
import { HELPERS, HELPERS_SPECIFIER } from './strip.ts';

/** The rare parts of the core, as a module. */
export const EXTRA = 'mitos:extra';
const API = 'mitos:api';

/** Texts of ours as modules of one program. */
export class OurModules {
  /** Whether contexts can read files of packages. */
  readonly hasFiles: boolean;
  readonly #table: ItemTable;
  readonly #resources: Resources;
  readonly #admission: Admission;
  readonly #options: Pick<ModuleGraphOptions, 'apiModule' | 'textModules'>;
  /** Those that tell of the files of a source, by its path. */
  readonly #places = new Map<string, Item>();

  constructor(table: ItemTable, resources: Resources, admission: Admission, options: ModuleGraphOptions) {
    this.#table = table;
    this.#resources = resources;
    this.#admission = admission;
    this.#options = options;
    this.hasFiles = options.textModules?.[FILES] !== undefined;
  }

  /** The module with this specifier, for which code of ours asks: `undefined` if there is none. */
  text(specifier: string): number | undefined {
    const texts = this.#options.textModules;
    if (!texts || !Object.hasOwn(texts, specifier)) return undefined;
    return this.#table.text({ url: specifier, code: (texts[specifier] as { code: string }).code }).id;
  }

  /** The module `mitos` as a context sees it, if there is one. */
  api(): number | undefined {
    const { apiModule } = this.#options;
    return apiModule && this.#table.text({ url: API, code: apiModule.code }).id;
  }

  /** What code needs that was transformed. */
  helpers(): number {
    return this.#table.text({ url: HELPERS_SPECIFIER, code: HELPERS }).id;
  }

  /** The module with this specifier. Throws `ERR_MITOS_MODULE_NOT_FOUND`. */
  get(specifier: string): number {
    const id = specifier === API ? this.api() : this.text(specifier);
    if (id === undefined) throw new ModuleError('ERR_MITOS_MODULE_NOT_FOUND', `There is no module "${specifier}"`);
    return id;
  }

  /** What a text of ours is made of, unless it says so itself; all of them make use of the rare parts of the core. */
  deps(url: string): Record<string, Dep> {
    if (url === HELPERS_SPECIFIER) return {};
    const extra = url === EXTRA || url === FILES ? undefined : this.text(EXTRA);
    return { 'mitos:core': 'mitos:core', ...(extra !== undefined && { [EXTRA]: extra }) };
  }

  /** The module that tells a context where the files of a source are. */
  filesOf(path: string, source?: Source): number {
    let item = this.#places.get(path);
    if (!item) {
      // Of a package whose files may all be read one is enough.
      item = this.#table.text({ ...this.#resources.textFor(path, source), deps: { [FILES]: this.get(FILES) } });
      this.#places.set(path, item);
    }
    return item.id;
  }

  /** A native addon: refused, or a module that loads it or refuses, as the options of the context say. */
  addon(path: string, from: Item, isAsked: boolean): Dep {
    const message = addonRefusal(path, importChain(from));
    if (!this.hasFiles) return { code: 'ERR_MITOS_ADDON', message };
    const refused = isAsked ? this.#admission.refuseFile(path, true) : undefined;
    if (refused !== undefined)
      return { code: 'ERR_MITOS_MODULE_DENIED', message: `Cannot serve '${path}', imported by ${importChain(from)}: ${refused}` };
    const root = this.#resources.rootOf(path);
    if (!isAsked) root.grants?.add(path);
    return this.#table.text({
      url: pathToFileURL(path).href,
      code: addonText(root, path, message),
      deps: { [FILES]: this.get(FILES), [`${FILES}/root`]: this.filesOf(path) },
    }).id;
  }

  /** Forgets what was made for files that have changed. */
  forget(items: ReadonlySet<Item>, paths: ReadonlySet<string>): void {
    for (const [path, item] of this.#places) if (items.has(item) || paths.has(path)) this.#places.delete(path);
  }
}
