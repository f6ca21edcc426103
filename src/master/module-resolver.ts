/** Where the specifiers in modules lead. A module that cannot be had is an answer, too. */
import { extname } from 'node:path';
import { MitosError } from '../core/errors.ts';
import type { Dep } from '../core/module-batch.ts';
import { type Admission, isModulePath } from './admission.ts';
import { isApi } from './entry.ts';
import type { ItemTable } from './item-table.ts';
import { missingModule } from './missing.ts';
import { type Item, importChain } from './module-item.ts';
import type { OurModules } from './our-modules.ts';
import { commonNames } from './require-scan.ts';
import { loadedCommonModules, type RequestKind, resolveFrom } from './resolve.ts';
import type { Source } from './source.ts';
import { HELPERS_SPECIFIER } from './strip.ts';

/** Resolves for the graph. */
export class ModuleResolver {
  readonly #table: ItemTable;
  readonly #ours: OurModules;
  readonly #admission: Admission;

  constructor(table: ItemTable, ours: OurModules, admission: Admission) {
    this.#table = table;
    this.#ours = ours;
    this.#admission = admission;
  }

  /**
   * The module, builtin or refusal that a specifier means. What a context asked for (`isAsked`) has to be part of the program. Throws
   * what stands in the way of reading a file.
   */
  resolve(from: Item, specifier: string, kind: RequestKind, isAsked = false): Dep {
    const source = from.source as Source;
    if (specifier === HELPERS_SPECIFIER) return this.#ours.helpers();
    const api = isApi(specifier, source.path) ? this.#ours.api() : undefined;
    if (api !== undefined) return api;
    const found = resolveFrom(source.path, specifier, kind);
    if ('builtin' in found) return found.builtin;
    if ('missing' in found) {
      return missingModule({ specifier, from: source.path, chain: importChain(from), reason: found.missing });
    }
    const { path } = found;
    if (path.endsWith('.node')) return this.#ours.addon(path, from, isAsked);
    // What this process has itself loaded as CommonJS may also be a file without extension.
    const isSource = isModulePath(path) || (!extname(path) && loadedCommonModules()[path] !== undefined);
    const refused = isAsked || !isSource ? this.#admission.refuseFile(path) : undefined;
    if (refused !== undefined) return denied(from, specifier, refused);
    const item = this.#table.file(path, from);
    if (kind === 'import') this.#wantNames(item);
    return item.id;
  }

  /** The same, for code that may catch what goes wrong with a module, as CommonJS may: never throws. */
  tryResolve(from: Item, specifier: string, kind: RequestKind = 'require'): Dep {
    try {
      return this.resolve(from, specifier, kind);
    } catch (error) {
      if (!MitosError.is(error)) return denied(from, specifier, (error as Error).message);
      return { code: error.code, message: error.message };
    }
  }

  /** The names that ES modules can import of a CommonJS one. */
  names(item: Item): string[] {
    return this.#names(item, new Set());
  }

  #wantNames(item: Item): void {
    if (item.wantsNames || item.form !== 'file' || item.source?.kind === 'esm') return;
    item.wantsNames = true;
    if (item.def && !item.def.names) item.def.names = this.names(item);
  }

  #names(item: Item, seen: Set<Item>): string[] {
    if (seen.has(item) || item.source?.kind !== 'cjs') return [];
    seen.add(item);
    const { code } = item.source;
    const { exports, reexports } = item.source.note('names', () => commonNames(code));
    const names = new Set(exports);
    for (const specifier of reexports) {
      const target = this.resolve(item, specifier, 'require');
      if (typeof target === 'number') for (const name of this.#names(this.#table.all[target] as Item, seen)) names.add(name);
    }
    return [...names];
  }
}

function denied(from: Item, specifier: string, reason: string): Dep {
  return { code: 'ERR_MITOS_MODULE_DENIED', message: `Cannot serve '${specifier}', imported by ${importChain(from)}: ${reason}` };
}
