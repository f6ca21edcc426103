/** Namespaces of modules, as ES modules see them: live, in order, and closed. */
import {
  type Accessor,
  defineProperty,
  type Exporting,
  type Exports,
  getter,
  isFunction,
  keys,
  type Loaded,
  type Table,
} from './loaded.ts';

/** Finds the module that a specifier in another leads to. */
type SourceOf = (from: Loaded, specifier: string) => Loaded | undefined;

/** All that a module exports. `path` are those that are being looked at. */
function exportsOf(loaded: Exporting, sourceOf: SourceOf, path: readonly Exporting[]): Exports {
  if (loaded.all) return loaded.all;
  const all: Exports = new Map();
  if (path.indexOf(loaded) >= 0) return all;
  const inside = path.concat(loaded);
  const { own, passed, stars } = loaded as Loaded;
  for (const key of keys(own)) all.set(key, isFunction(own[key]) ? [own[key]] : (own[key] as Accessor));
  for (const key of keys(passed)) {
    const [specifier, name] = passed[key] as [string, string];
    const source = sourceOf(loaded as Loaded, specifier);
    all.set(
      key,
      (source && exportsOf(source, sourceOf, inside).get(name)) || [
        () => ((source ? source.ns : (loaded as Required<Loaded>).scope.i(specifier)) as Table)[name],
      ],
    );
  }
  const direct = new Set(all.keys());
  for (const star of stars) {
    exportsOf(star, sourceOf, inside).forEach((accessor, key) => {
      const there = all.get(key);
      if (key !== 'default' && !direct.has(key))
        all.set(key, there === undefined || (there && accessor && there[0] === accessor[0]) ? accessor : null);
    });
  }
  if (!path.length) loaded.all = all;
  return all;
}

/** Gives the namespace of a linked module what it exports. */
export function fillNamespace(loaded: Loaded, sourceOf: SourceOf): void {
  const { ns, def } = loaded;
  const all = exportsOf(loaded, sourceOf, []);
  defineProperty(ns, Symbol.toStringTag, { value: 'Module' });
  for (const key of Array.from(all.keys()).sort()) {
    const accessor = all.get(key);
    if (accessor) getter(ns, key, accessor[0], accessor[1]);
  }
  if (def.names || def.kind === 'esm') Object.preventExtensions(ns);
}
