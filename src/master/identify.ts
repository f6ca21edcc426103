/** From a function value to the reference by which a context calls it. */

import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { locateFunction } from '../api/locate.ts';
import { ModuleError } from '../core/errors.ts';
import type { ModuleDef } from '../core/module-batch.ts';
import { bindingPath, DEFAULT_HEAD } from './binding-path.ts';
import { builtinRef } from './builtin-refs.ts';
import { findCapture, usesThis } from './captures.ts';
import { functionAt, functionFrom, matchFunction } from './function-match.ts';
import type { Form } from './module-form.ts';
import { type Item, isReshaped } from './module-item.ts';
import { loadedCommonModules, realPath } from './resolve.ts';
import type { Slices } from './slices.ts';
import type { Source } from './source.ts';
import { shippedOffset } from './stack-map.ts';
import { langOf } from './strip.ts';
import { child, holderOf, nameOf, type Syntax } from './syntax.ts';

type Callable = (...args: never[]) => unknown;

/** What the finder needs of the graph. */
export interface FinderGraph {
  source(path: string, loaded?: string): Source;
  file(source: Source, importer?: Item): Item;
  group(source: Source, index: number, importer?: Item): Item;
  inline(source: Source, fn: Syntax, importer?: Item): Item;
  slices(source: Source): Slices;
  form(source: Source): Form;
}

function refuse(fn: Callable | string, reason: string, hint?: string): ModuleError {
  const name = typeof fn === 'string' ? fn : fn.name ? `"${fn.name}"` : 'an anonymous function';
  return new ModuleError('ERR_MITOS_NOT_CALLABLE', `Cannot call ${name} in another context: ${reason}`, hint === undefined ? {} : { hint });
}

/** Finds the reference of functions. */
export class FunctionFinder {
  readonly #graph: FinderGraph;

  constructor(graph: FinderGraph) {
    this.#graph = graph;
  }

  /** The reference of a function value of this process. */
  identify(fn: Callable): string {
    if (typeof fn !== 'function')
      throw new ModuleError(
        'ERR_MITOS_NOT_CALLABLE',
        `Cannot call a value of type ${fn === null ? 'null' : typeof fn}: it is not a function`,
      );
    if (types.isProxy(fn)) throw refuse('a proxy', 'what it does is not in any module', 'Pass the function behind it');
    const text = Function.prototype.toString.call(fn);
    const builtin = builtinRef(fn);
    if (/^class\b/.test(text))
      throw refuse(fn, 'a class cannot be called', 'Pass one of its static methods, or a function that creates an instance');
    if (builtin !== undefined) return builtin;
    if (/\{\s*\[native code\]\s*\}$/.test(text)) {
      const reason = fn.name.startsWith('bound ')
        ? 'a bound function carries values that stay here'
        : 'it is native and belongs to no builtin module';
      throw refuse(fn, reason, 'Pass a function that makes the call, with the values as arguments');
    }
    const place = locateFunction(fn);
    if (!place) throw refuse(fn, 'V8 does not know where it was written');
    const path = pathOf(place.url);
    if (path === undefined) {
      throw refuse(
        fn,
        place.url.startsWith('node:') ? 'it belongs to no public part of Node' : 'it was made by eval or typed in, not written in a file',
        'Move it to a file',
      );
    }
    return this.#locate(fn, path, place);
  }

  #locate(fn: Callable, path: string, place: { line: number; column: number; source(): string }): string {
    const loaded = place.source();
    let source: Source;
    try {
      const isPlain = langOf(path) === 'js' && !/^\/\/# sourceMappingURL=data:/m.test(loaded);
      source = this.#graph.source(path, isPlain ? loaded : undefined);
    } catch (error) {
      if (error instanceof ModuleError) throw error;
      throw refuse(fn, `its file ${path} cannot be read: ${(error as Error).message}`);
    }
    const node = matchFunction(source, loaded, place.line, place.column);
    if (!node) throw refuse(fn, `it is not found in ${path}, which is not what was loaded`);
    return this.#common(source, fn) ?? this.#refOf(source, node, fn.name);
  }

  /** The reference of a function at a place in shipped code. */
  identifyAt(item: Item, line: number, column: number, text: string): string {
    const shown = text.length > 60 ? `${text.slice(0, 57)}…` : text;
    if (!item.source) throw refuse(`"${shown}"`, 'it is a part of mitos itself');
    const { source, patched } = item;
    const offset = shippedOffset(item, line, column);
    const toSource = (at: number): number => patched?.toOriginal(at) ?? at;
    const node = isReshaped(item) ? functionFrom(source, item.def as ModuleDef, offset, toSource) : functionAt(source, toSource(offset));
    if (!node) throw refuse(`"${shown}"`, `it is not found in ${item.source.path}`);
    return this.#refOf(item.source, node, nameOf(child(node, 'id')));
  }

  /** Functions of installed CommonJS packages are named by where their exports hold them. */
  #common(source: Source, fn: Callable): string | undefined {
    if (source.kind !== 'cjs' || source.isOwn) return undefined;
    const module = loadedCommonModules()[source.path];
    if (!module) return undefined;
    const path = findIn(module.exports, fn, 3);
    return path && `${this.#graph.file(source).id}#${['default', ...path].join('.')}`;
  }

  #refOf(source: Source, node: Syntax, name: string): string {
    const shown = `${name ? `"${name}"` : 'an anonymous function'} (${source.describe(node.start)})`;
    const holder = holderOf(node);
    if (holder?.type === 'MethodDefinition' && (!holder['static'] || holder['kind'] !== 'method')) {
      throw refuse(
        shown,
        'it is a method of instances, and the instance stays here',
        'Make it static, or pass a function that creates the instance',
      );
    }
    if (child(holder ?? node, 'key')?.type === 'PrivateIdentifier') throw refuse(shown, 'it is private to its class');
    const path = bindingPath(source, node);
    const ref = path && this.#pathRef(source, node, path);
    if (ref !== undefined) return ref;
    const capture = findCapture(source.tree.scopes, node);
    if (capture) {
      throw new ModuleError(
        'ERR_MITOS_CAPTURE',
        `Cannot call ${shown} in another context: it captures "${capture.name}" of the function around it, used at ${source.describe(capture.node.start)}`,
        { hint: `Pass "${capture.name}" as an argument`, data: { variable: capture.name } },
      );
    }
    if (isMethod(node) && usesThis(node))
      throw refuse(shown, 'it uses "this", and its object stays here', 'Pass a function that takes what it needs as arguments');
    if (!source.isEntry && !this.#ensureHook(source))
      throw refuse(shown, 'it is not exported by its package', 'Wrap it in a function of your own');
    return `${this.#graph.inline(source, node).id}#default`;
  }

  #pathRef(source: Source, node: Syntax, path: readonly string[]): string | undefined {
    const [head, ...rest] = path as [string, ...string[]];
    if (source.isEntry) {
      // An object of a main script is sent only if the function cannot do without it.
      if (rest.length && !usesThis(node) && isInObject(node)) return undefined;
      const name = head === DEFAULT_HEAD ? 'default' : head;
      const group = this.#graph.slices(source).groupOf(name);
      return group === undefined ? undefined : `${this.#graph.group(source, group).id}#${[name, ...rest].join('.')}`;
    }
    const exported = head === DEFAULT_HEAD ? 'default' : this.#graph.form(source).exported.get(head);
    const hooked = source.hasHook || (exported === undefined && this.#ensureHook(source));
    if (exported === undefined && !hooked) return undefined;
    const { id } = this.#graph.file(source);
    return exported !== undefined && !exported.includes('.')
      ? `${id}#${[exported, ...rest].join('.')}`
      : hooked
        ? `${id}#.${path.join('.')}`
        : undefined;
  }

  /** A file that has not been sent yet gets the hook by which its scope is reached; installed packages have none otherwise. */
  #ensureHook(source: Source): boolean {
    if (!source.hasHook && !this.#graph.file(source).def) source.hasHook = true;
    return source.hasHook;
  }
}

function pathOf(url: string): string | undefined {
  const plain = url.replace(/[?#].*$/, '');
  if (plain.startsWith('file:')) return realPath(fileURLToPath(plain));
  return isAbsolute(plain) ? realPath(plain) : undefined;
}

function isMethod(node: Syntax): boolean {
  const holder = node.parent;
  return holder?.type === 'MethodDefinition' || (holder?.type === 'Property' && holder['method'] === true);
}

function isInObject(node: Syntax): boolean {
  return holderOf(node)?.type === 'Property';
}

function findIn(holder: unknown, fn: Callable, depth: number): string[] | undefined {
  if (holder === fn) return [];
  if (depth === 0 || holder === null || (typeof holder !== 'object' && typeof holder !== 'function')) return undefined;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
    if (name === 'prototype' || name === '' || name.includes('.')) continue;
    let value: unknown = descriptor.value;
    // Bundlers export by getters; only at the first level, where they are known to be harmless.
    if (depth === 3 && descriptor.get) {
      try {
        value = (holder as Record<string, unknown>)[name];
      } catch {
        continue;
      }
    }
    if (value === fn) return [name];
    const path = typeof value === 'object' || typeof value === 'function' ? findIn(value, fn, depth - 1) : undefined;
    if (path) return [name, ...path];
  }
  return undefined;
}
