/** What CommonJS code finds in a context, as Node gives it: `module`, `require` and what hangs on these. */
import { createRequire } from 'module';
import { dirname } from 'path';
import { fileURLToPath } from 'url';
import { assign, type CommonModule, compile, fileOf, getter, has, keys, type Loaded, type Table } from './loaded.ts';

/** The `require` of this process. */
export const load = createRequire('/') as (id: string) => Table;
const Module = load('module') as { prototype: object; _nodeModulePaths(path: string): string[]; _extensions: object };

/** The `require` of a module. `require` and `resolve` do what they do for `from`; `cache` is the one of this context. */
export function requireFunction(
  from: Loaded,
  require: (from: Loaded, specifier: string) => unknown,
  resolve: (from: Loaded, specifier: string, kind: 'require') => string,
  cache: Table,
): unknown {
  return assign((specifier: string) => require(from, specifier), {
    resolve: assign((specifier: string) => resolve(from, specifier, 'require').replace(/^file:.*/, (url) => fileURLToPath(url)), {
      paths: (specifier: string) => createRequire(fileOf(from.def)).resolve.paths(specifier),
    }),
    extensions: Module._extensions,
    main: undefined,
    cache,
  });
}

/** The builtin `module`. `requireAt` gives the `require` of a file that is a module of this context. */
export function moduleModule(real: Table, requireAt: (file: string) => unknown): Table {
  const create = (file: string | URL): unknown => requireAt(`${file as string}`) || createRequire(file);
  // It is a function, a class and an object that is patched: all of that has to stay so.
  return new Proxy(real, { get: (target, key) => (key === 'createRequire' ? create : target[key as string]) });
}

/** Evaluates CommonJS and JSON. */
export function evaluateCommon(loaded: Loaded, cache: Table): void {
  const { def, ns, scope, parent } = loaded as Required<Loaded>;
  const filename = fileOf(def);
  const path = dirname(filename);
  const module: CommonModule = (loaded.module = assign(Object.create(Module.prototype), {
    id: filename,
    path,
    exports: {},
    filename,
    loaded: false,
    children: [],
    parent,
    paths: Module._nodeModulePaths(path),
    require: scope['r'],
  }));
  if (parent) parent.children.push(module);
  cache[filename] = module;
  if (def.kind === 'json') module.exports = JSON.parse(def.code) as object;
  else {
    const fn = compile(def, 'function(exports,require,module,__filename,__dirname,$mitos)') as (...args: unknown[]) => void;
    fn.call(module.exports, module.exports, scope['r'], module, filename, path, scope);
  }
  module.loaded = true;
  // Without a list of names, those of the object are as good.
  if (!def.names && module.exports)
    for (const key of keys(module.exports as Table)) if (!has(ns, key)) getter(ns, key, () => (module.exports as Table)[key]);
}
