/**
 * Evaluates modules in a context. It never resolves anything: every module arrives with its table of dependencies, and what the table lacks is
 * asked of the host. Rules of ES modules are kept by running each module as a generator in two steps, as engines do:
 * 1. link: hoist functions, ask for the namespaces of the static imports (`$mitos.i`), define exports (`$mitos.e`), yield;
 * 2. evaluate: dependencies first, then the body. Only a graph with top-level await becomes asynchronous.
 * The code sees one name, `$mitos`: `i` import, `e` export, `s` export star, `d` dynamic import, `m` import.meta, `r` require, `h` the scope hook.
 */
import { builtinModules } from 'module';
import { dirname } from 'path';
import { load, moduleModule, requireFunction } from './commonjs.ts';
import { type ErrorCode, mitosError } from './errors.ts';
import { inScope, run } from './evaluation.ts';
import {
  type Accessor,
  assign,
  bare,
  compile,
  fileOf,
  getter,
  has,
  isBuiltin,
  isFunction,
  keys,
  type Loaded,
  type Scope,
  type Table,
} from './loaded.ts';
import { type Dep, EDITION, type ModuleDef } from './module-batch.ts';
import { fillNamespace } from './namespace.ts';

/**
 * What a context asks the master: a specifier as seen from a module (`resolve` and `locate`: where `import` and `require` would find it), or a module
 * it knows by id only, as this version of Node can read it. A negative `from` is a package that it may read files of; `specifier` is a path below.
 */
export type ModuleQuery =
  | { from: number; specifier: string; kind: 'import' | 'require' | 'resolve' | 'locate' }
  | { id: number; node?: string };

/** The answer: where the query leads, and the modules of its static closure, dependency first. */
export interface ModuleAnswer {
  /** Where the query leads. */
  target: Dep;
  /** Modules to define; those already known may be left out, and are ignored. */
  modules: readonly ModuleDef[];
}

/** What an {@link Importer} needs of the context it runs in. */
export interface ImporterHost {
  /** What `mitos:core` gives. */
  core: object;
  /** Asks the master where a query leads. The modules of the answer are defined before it is given. */
  request(query: ModuleQuery): Promise<Dep>;
  /** The same; blocks this thread until the answer is there. */
  requestSync(query: ModuleQuery): Dep;
}

type Kind = 'import' | 'require';

const { node } = process.versions;
const major = parseInt(node);

function walk(start: unknown, path: readonly string[]): unknown {
  let holder: unknown;
  let value = start;
  for (const key of path) {
    holder = value;
    if (holder == null || !has(holder, key))
      throw mitosError('ERR_MITOS_NOT_CALLABLE', `Cannot call "${path.join('.')}": there is no such function here`);
    value = (holder as Table)[key];
  }
  return path.length > 1 && isFunction(value) ? value.bind(holder) : value;
}

/** The modules of one context: definitions, instances, and the rules by which they are evaluated. One instance of a module, however it is reached. */
export class Importer {
  /** Takes modules in. Nothing is evaluated; a module that is already here stays as it is. */
  readonly define: (defs: readonly ModuleDef[]) => void;
  /** Tells whether a module has been defined. */
  readonly has: (id: number) => boolean;
  /** The modules that `id` needs statically, as far as they are here, dependency first, itself last. */
  readonly closure: (id: number) => ModuleDef[];
  /**
   * The function that a reference names: `node:os#hostname`, `12#name.of.export`, `12#.name` for a binding that is not exported.
   * What is found on a class or object is bound to it. The result is a promise only if modules have to be fetched, or await at top level.
   */
  readonly resolveRef: (ref: string) => unknown;
  /** Evaluates a module once and gives its namespace; a promise only if modules have to be fetched, or await at top level. */
  readonly namespace: (id: number) => unknown;
  /** Visits what builtins that were asked for and evaluated modules export; `id` as it stands in references. */
  readonly eachNamespace: (visit: (id: string | number, ns: Table) => void) => void;
  /** The id of the module whose `import.meta.url` or `__filename` this is. */
  readonly idOf: (url: string) => number | undefined;

  // One closure over the tables, not private methods: these cost a WeakSet each where Node 12 has to run it, and names that are not minified.
  constructor(host: ImporterHost) {
    const table = new Map<number, Loaded>();
    const builtins = new Map<string, Table>();
    /** `require.cache`. Deleting a key makes the next `require` evaluate the module again. */
    const cache: Table = {};

    /** The one instance of a module, whichever of its editions is asked for; none while its code cannot be read here. */
    const at = (id: number): Loaded | undefined => {
      const loaded = table.get(id % EDITION);
      return loaded && !((loaded.def.level as number) > major) ? loaded : undefined;
    };

    const define = (defs: readonly ModuleDef[]): void => {
      for (const def of defs) {
        if (!at(def.id))
          table.set(def.id % EDITION, {
            def,
            links: assign(bare<Record<string, Dep>>(), def.deps),
            ns: bare(),
            deps: [],
            stars: [],
            passed: {},
            state: 0,
            own: {},
          });
        // What gets files of packages must be there before anything takes functions of fs.
        if (def.url.startsWith('mitos:files')) namespace(def.id);
      }
    };

    const idOf = (url: string): number | undefined => {
      for (const [id, { def }] of Array.from(table)) if (def.url === url || fileOf(def) === url) return id;
      return undefined;
    };

    /** What `root` needs statically, dependency first, without recursion; `missing` gets the ids that are not here. */
    const orderOf = (root: number, missing: number[] = []): Loaded[] => {
      const order: Loaded[] = [];
      const stack = [root % EDITION];
      /** 1 entered, 2 left. */
      const marks = new Map<number, number>();
      while (stack.length) {
        const id = stack[stack.length - 1] as number;
        const mark = marks.get(id);
        const loaded = at(id);
        marks.set(id, mark ? 2 : 1);
        if (loaded && !mark) {
          for (const key of keys(loaded.def.deps).reverse()) {
            const dep = loaded.def.deps[key];
            if (typeof dep === 'number' && !marks.has(dep % EDITION)) stack.push(dep % EDITION);
          }
        } else {
          stack.pop();
          if (mark === 1 && loaded) order.push(loaded);
          if (!loaded) missing.push(id);
        }
      }
      return order;
    };
    const missingFor = (id: number): number | undefined => {
      const there = at(id);
      if (there && there.whole) return undefined;
      const missing: number[] = [];
      const order = orderOf(id, missing);
      if (!missing.length) for (const loaded of order) loaded.whole = true;
      return missing[0];
    };
    const take = (target: Dep, wanted: number): Dep => {
      if (!at(wanted))
        spaceOf(typeof target === 'object' ? target : { code: 'ERR_MITOS_PROTOCOL', message: `Module ${wanted} did not arrive` });
      return target;
    };

    // ---- where a specifier leads

    const keyOf = ({ def }: Loaded, specifier: string, kind: Kind): string =>
      (kind === 'require') !== (def.kind === 'cjs') ? `${kind} ${specifier}` : specifier;
    const known = (from: Loaded, specifier: string, kind: Kind): Dep | undefined => {
      const key = keyOf(from, specifier, kind);
      return has(from.links, key) ? from.links[key] : isBuiltin(specifier) ? specifier : undefined;
    };
    const learn = (from: Loaded, specifier: string, kind: Kind, target: Dep): Dep => (from.links[keyOf(from, specifier, kind)] = target);
    const ask = (from: Loaded, specifier: string, kind: Kind): Dep =>
      known(from, specifier, kind) || learn(from, specifier, kind, host.requestSync({ from: from.def.id, specifier, kind }));

    /** The namespace of a target that is no module of ours, or the module. Throws what stands in the way. */
    const spaceOf = (dep: Dep, nodeCode?: string): Table | Loaded => {
      if (typeof dep === 'string') return builtin(dep);
      if (typeof dep === 'object') {
        const error = mitosError(dep.code as ErrorCode, dep.message, dep);
        // Packages probe for optional dependencies, and know Node's own code only.
        if (nodeCode !== undefined && /NOT_F/.test(dep.code)) (error as { code: string }).code = dep.node || nodeCode || dep.code;
        throw error;
      }
      for (let id; (id = missingFor(dep)) !== undefined; ) take(host.requestSync({ id, node }), id);
      return at(dep) as Loaded;
    };
    const isLoaded = (target: Table | Loaded): target is Loaded => at((target as { def?: { id?: number } }).def?.id as number) === target;

    const builtin = (name: string): Table => {
      const id = name.replace(/^node:/, '');
      let ns = builtins.get(id);
      if (!ns) {
        let exports = id === 'mitos:core' ? (host.core as Table) : load(builtinModules.indexOf(id) < 0 ? name : id);
        if (id === 'module')
          exports = moduleModule(exports, (file) => {
            const from = idOf(file);
            return from && requireOf(at(from) as Loaded);
          });
        ns = { default: exports };
        for (const key in exports) if (key !== 'default') getter(ns, key, () => exports[key]);
        builtins.set(id, ns);
      }
      return ns;
    };

    // ---- linking

    const link = (loaded: Loaded, fresh: Loaded[]): void => {
      if (loaded.state) return;
      const { def } = loaded;
      loaded.state = 1;
      fresh.push(loaded);
      const attempt = <T>(step: () => T): T | undefined => {
        try {
          return step();
        } catch (error) {
          loaded.failure = [error];
          return undefined;
        }
      };
      const filename = fileOf(def);
      const scope: Scope = (loaded.scope = {
        i: (specifier: string) =>
          attempt(() => {
            const target = spaceOf(ask(loaded, specifier, 'import'));
            if (!isLoaded(target)) return target;
            loaded.deps.push(target);
            link(target, fresh);
            return target.ns;
          }) || {},
        e: (own: Loaded['own'], passed?: Loaded['passed']) => {
          loaded.own = own;
          loaded.passed = passed || {};
        },
        s: (specifier: string) => {
          const ns = scope.i(specifier);
          loaded.stars.push(
            sourceOf(loaded, specifier) || { all: new Map(keys(ns).map((key): [string, Accessor] => [key, [() => ns[key]]])) },
          );
        },
        d: (specifier: unknown) => importFrom(loaded, specifier),
        m: {
          dirname: dirname(filename),
          filename,
          url: def.url,
          resolve: (specifier: string) => resolveFrom(loaded, specifier, 'import').replace(/^(?!\w+:)/, 'node:'),
        },
        r: requireOf(loaded),
      });
      if (def.kind === 'inline') scope.i('');
      else if (def.kind === 'esm') {
        attempt(() => {
          const make = compile(def, `${def.async ? 'async ' : ''}function*($mitos)`) as (scope: object) => Iterator<unknown>;
          const step = (loaded.body = make(scope)).next() as unknown;
          // Of an async generator: it can only fail here if its own first lines do.
          if (step instanceof Promise) step.catch((error) => (loaded.failure = [error]));
        });
      } else {
        const exported = (): unknown => loaded.module && loaded.module.exports;
        for (const name of def.names || [])
          loaded.own[name] = () => {
            const exports = exported() as Table | null | undefined;
            return exports == null ? undefined : exports[name];
          };
        loaded.own['default'] = exported;
      }
    };
    const sourceOf = (loaded: Loaded, specifier: string): Loaded | undefined => at(known(loaded, specifier, 'import') as number);

    const start = (loaded: Loaded): Promise<unknown> | undefined => {
      if (loaded.state < 2) {
        const fresh: Loaded[] = [];
        for (const one of orderOf(loaded.def.id)) link(one, fresh);
        for (const one of fresh) fillNamespace(one, sourceOf);
      }
      return run(loaded, cache);
    };

    // ---- what code calls

    const requireOf = (from: Loaded): unknown => requireFunction(from, requireFrom, resolveFrom, cache);

    const requireFrom = (from: Loaded, specifier: string): unknown => {
      if (typeof specifier !== 'string') throw new TypeError('The "id" argument must be of type string');
      let target = spaceOf(ask(from, specifier, 'require'), 'MODULE_NOT_FOUND');
      if (!isLoaded(target)) return target['default'];
      const { def } = target;
      if (target.module && !has(cache, fileOf(def))) {
        table.delete(def.id % EDITION);
        define([def]);
        target = at(def.id) as Loaded;
      }
      if (target.state < 2) target.parent = from.module;
      if (start(target))
        throw assign(new Error(`Cannot require "${specifier}": it awaits at top level; use import()`), {
          code: 'ERR_REQUIRE_ASYNC_MODULE',
        });
      return target.module ? target.module.exports : has(target.ns, 'module.exports') ? target.ns['module.exports'] : target.ns;
    };

    const resolveFrom = (from: Loaded, specifier: string, kind: Kind): string => {
      const isRequire = kind === 'require';
      const dep =
        from.links[`resolve ${keyOf(from, specifier, kind)}`] ||
        known(from, specifier, kind) ||
        host.requestSync({ from: from.def.id, specifier, kind: isRequire ? 'locate' : 'resolve' });
      if (typeof dep === 'string') return dep;
      // Throws: it is a refusal.
      if (typeof dep === 'object') return spaceOf(dep, isRequire ? 'MODULE_NOT_FOUND' : 'ERR_MODULE_NOT_FOUND') as never;
      if (!at(dep)) take(host.requestSync({ id: dep, node }), dep);
      return (at(dep) as Loaded).def.url;
    };

    const importFrom = async (from: Loaded, name: unknown): Promise<unknown> => {
      const specifier = `${name as string}`;
      const dep =
        known(from, specifier, 'import') ||
        learn(from, specifier, 'import', await host.request({ from: from.def.id, specifier, kind: 'import' }));
      return typeof dep === 'number' ? namespace(dep) : spaceOf(dep, /node_modules/.test(from.def.url) ? 'ERR_MODULE_NOT_FOUND' : '');
    };

    const namespace = (id: number): unknown => {
      const missing = missingFor(id);
      if (missing !== undefined) {
        return host.request({ id: missing, node }).then((answer) => {
          take(answer, missing);
          return namespace(id);
        });
      }
      const loaded = at(id) as Loaded;
      const pending = start(loaded);
      return pending ? pending.then(() => loaded.ns) : loaded.ns;
    };

    this.define = define;
    this.idOf = idOf;
    this.has = (id) => !!at(id);
    this.closure = (id) => orderOf(id).map(({ def }) => def);
    this.namespace = namespace;
    this.resolveRef = (ref) => {
      const [, id, rest] = /^(.*?)#(.*)/.exec(ref) as unknown as [string, string, string];
      const path = rest.split('.');
      if (!(+id >= 0)) return walk(id === 'globalThis' ? globalThis : builtin(id), path);
      const ns = namespace(+id);
      const find = (value: unknown): unknown => {
        if (path[0]) return walk(value, path);
        const name = path[1] as string;
        return walk({ [name]: inScope(at(+id) as Loaded, name) }, path.slice(1));
      };
      return ns instanceof Promise ? ns.then(find) : find(ns);
    };
    this.eachNamespace = (visit) => {
      builtins.forEach((ns, id) => visit(`node:${id}`, ns));
      table.forEach(({ ns, state }, id) => state > 1 && visit(id, ns));
    };
  }
}
