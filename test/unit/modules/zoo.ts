/** The fixtures of these tests, and a context in this process: graph, packed batch, importer, as a real one has them with a wire in between. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Importer, type ModuleQuery } from '#src/core/importer.js';
import { type Dep, type ModuleDef, unpackModules } from '#src/core/module-batch.js';
import { packModules } from '#src/core/module-pack.js';
import { ModuleGraph, type ModuleGraphOptions } from '#src/master/module-graph.js';

// oxlint-disable-next-line typescript/no-explicit-any -- fixtures are plain JavaScript, seen without types
export type Loose = any;
export type AnyFunction = (...args: never[]) => unknown;

/** The folder of the fixtures. */
export const ZOO: string = join(process.cwd(), 'test/fixtures/raw/zoo');

/** Loads a fixture in this process. */
export async function zoo(file: string): Promise<Loose> {
  return import(pathToFileURL(join(ZOO, file)).href);
}

/** What `mitos` is in a context, for these tests. */
export const API_CODE = 'exports.self=()=>require("mitos:core").name;';

/** A context in this process. */
export class FakeContext {
  readonly graph: ModuleGraph;
  readonly importer: Importer;
  /** What the importer asked for. */
  readonly queries: ModuleQuery[] = [];

  constructor(options: ModuleGraphOptions & { graph?: ModuleGraph } = {}) {
    this.graph = options.graph ?? new ModuleGraph({ apiModule: { code: API_CODE }, ...options });
    const requestSync = (query: ModuleQuery): Dep => {
      this.queries.push(query);
      const { target, modules } = this.graph.answer(query);
      this.importer.define(overWire(modules));
      return target;
    };
    this.importer = new Importer({ core: { name: 'core' }, request: async (query) => requestSync(query), requestSync });
  }

  /** Sends what a reference needs. */
  send(refOrId: string | number): void {
    this.importer.define(overWire(this.graph.closureOf(refOrId)));
  }

  /** The function as the context has it. */
  take(fn: AnyFunction): Loose {
    const ref = this.graph.identify(fn);
    this.send(ref);
    return this.importer.resolveRef(ref);
  }

  /** A module's namespace as the context has it. */
  namespace(file: string): Loose {
    const id = this.graph.addEntry(pathToFileURL(join(ZOO, file)), pathToFileURL(join(ZOO, 'package.json')).href);
    this.send(id);
    return this.importer.namespace(id as number);
  }
}

/** Packs and unpacks. */
export function overWire(modules: readonly ModuleDef[]): ModuleDef[] {
  return unpackModules(packModules(modules), 1 << 28);
}
