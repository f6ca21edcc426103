/**
 * Answers to contexts that ask for modules. A context is not trusted: it gets what the program made known to it, what that leads to inside
 * of the program (see `admission.ts`), and nothing else.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MitosError } from '../core/errors.ts';
import type { ModuleAnswer, ModuleQuery } from '../core/importer.ts';
import type { ModuleDef } from '../core/module-batch.ts';
import { type Admission, isModulePath, refusal } from './admission.ts';
import type { Definitions } from './definitions.ts';
import { editionOf } from './editions.ts';
import type { ItemTable } from './item-table.ts';
import { describeItem, type Item } from './module-item.ts';
import type { ModuleResolver } from './module-resolver.ts';
import { EXTRA, type OurModules } from './our-modules.ts';
import type { Versions } from './reload.ts';
import { isBuiltin, type RequestKind, resolveFrom } from './resolve.ts';
import { refusePath } from './resource-rules.ts';
import type { Resources } from './resources.ts';
import type { Source } from './source.ts';
import { editionFor } from './syntax-level.ts';

/** What answers are made of. */
export interface AnswerParts {
  table: ItemTable;
  ours: OurModules;
  resolver: ModuleResolver;
  definitions: Definitions;
  versions: Versions;
  admission: Admission;
  resources: Resources;
  /** What an id stands for, of whichever edition. */
  itemOf(id: number): Item | undefined;
  /** What a module needs, in an edition. */
  closureOf(id: number, edition?: number): ModuleDef[];
}

/** Answers for one program. */
export class ModuleAnswers {
  readonly #parts: AnswerParts;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /** Never throws: a refusal is a target with a code and a message. */
  answer(query: ModuleQuery): ModuleAnswer {
    try {
      if ('id' in query) return this.#byId(query.id, query.node);
      if (query.from < 0) return this.#inPackage(-query.from, query.specifier);
      return this.#bySpecifier(query);
    } catch (error) {
      return MitosError.is(error)
        ? refusal(error.code, error.message, error.hint)
        : refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve a module: ${(error as Error).message}`);
    }
  }

  /** A module that was made known. Hops ask for exactly this text, contexts for one that their Node understands. */
  #byId(id: number, node: string | undefined): ModuleAnswer {
    const { itemOf, closureOf } = this.#parts;
    if (typeof id !== 'number' || !itemOf(id)) {
      return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve module ${String(id)}: it was never offered`);
    }
    const modules = closureOf(id, node === undefined ? editionOf(id) : editionFor(String(node)));
    return { target: modules.at(-1)?.id ?? id, modules };
  }

  /** What a specifier means in a module that the context has. */
  #bySpecifier({ from, specifier, kind }: Extract<ModuleQuery, { from: number }>): ModuleAnswer {
    const { table, ours, admission, versions, definitions, itemOf, closureOf } = this.#parts;
    const item = typeof from === 'number' ? itemOf(from) : undefined;
    const edition = editionOf(Number(from));
    const path = item?.source?.path;
    const shown = JSON.stringify(String(specifier).slice(0, 200));
    // The rare parts of the core are asked for by the core itself, which is no module.
    const text = item?.text || specifier === EXTRA ? ours.text(specifier) : undefined;
    if (text !== undefined) return { target: text, modules: closureOf(text, edition) };
    if (!item?.def || path === undefined) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown}: who asks was never served`);
    if (isBuiltin(specifier)) return { target: specifier, modules: [] };
    const refused = admission.refuseSpecifier(specifier, path);
    if (refused !== undefined) return refusal('ERR_MITOS_MODULE_DENIED', `Cannot serve ${shown} to ${describeItem(item)}: ${refused}`);
    const isPlace = kind === 'resolve' || kind === 'locate';
    const how = kind === 'import' || (kind === 'resolve' && item.source?.kind === 'esm') ? 'import' : 'require';
    const resource = isPlace ? this.#resource(path, specifier, how) : undefined;
    if (resource) return resource;
    const isWhole = kind === 'import' || kind === 'require';
    const target = versions.find(table.at(item.id) as Item, specifier, how, isWhole);
    if (typeof target !== 'number') return { target, modules: [] };
    return { target, modules: isPlace ? [definitions.of(table.all[target] as Item)] : closureOf(target, edition) };
  }

  /** Where a context that wants to know only that finds a file which is no module. */
  #resource(from: string, specifier: string, kind: RequestKind): ModuleAnswer | undefined {
    const { ours, admission, resources, closureOf } = this.#parts;
    if (!ours.hasFiles) return undefined;
    const found = resolveFrom(from, specifier, kind);
    if (!('path' in found) || isModulePath(found.path) || admission.refuseFile(found.path, true) !== undefined) return undefined;
    const target = pathToFileURL(found.path).href;
    return { target, modules: resources.rootOf(found.path).grants ? [] : closureOf(ours.filesOf(found.path)) };
  }

  /** The module under which a file of a package that was offered is served: for what starts threads. */
  #inPackage(rootId: number, below: unknown): ModuleAnswer {
    const { table, resolver, admission, resources, closureOf } = this.#parts;
    const root = resources.root(rootId);
    if (!root) return refusal('ERR_MITOS_MODULE_DENIED', 'it belongs to no package that was offered');
    const path = join(root.path, String(below));
    const refused = refusePath(below, root.dotted) ?? admission.refuseSpecifier(path, path);
    if (refused !== undefined) return refusal('ERR_MITOS_MODULE_DENIED', refused);
    const seen: Item = { id: 0, form: 'file', source: { path, kind: 'esm' } as Source, wantsNames: false };
    const target = resolver.resolve(seen, path, 'import', true);
    if (typeof target !== 'number') return { target, modules: [] };
    if (table.all[target]?.form === 'facade')
      return refusal(
        'ERR_MITOS_MODULE_DENIED',
        'it is a main script, whose top level runs at the root only; put what the thread runs into a file of its own',
      );
    return { target, modules: closureOf(target) };
  }
}
