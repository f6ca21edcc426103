/** A module in a context: what the importer keeps of it, and what can be said of a definition. */
import { builtinModules } from 'module';
import { fileURLToPath } from 'url';
import { Script } from 'vm';
import type { Dep, ModuleDef } from './module-batch.ts';

/** Things by name. */
export type Table = Record<string, unknown>;
/** Gives the value of an export, whenever it is asked for. */
export type Getter = () => unknown;
/** How an export is read, and written by code that is inlined in its module. */
export type Accessor = [get: Getter, set?: (value: unknown) => void];
/** Exports by name; null for a name that two `export *` give differently. */
export type Exports = Map<string, Accessor | null>;

/** The `module` of CommonJS. */
export type CommonModule = Table & { exports: unknown; loaded: boolean; children: unknown[] };

/** A module in this context. */
export interface Loaded {
  def: ModuleDef;
  /** The table of its definition, and what was learned since: a definition may be handed on to children, so it stays as it is. */
  links: Record<string, Dep>;
  ns: Table;
  /** Static imports, in order. */
  deps: Loaded[];
  /** Sources of `export *`. */
  stars: Exporting[];
  /** What the code gave to `$mitos.e`: own exports, and names passed on from `[specifier, name]`. */
  own: Record<string, Getter | Accessor>;
  passed: Record<string, [specifier: string, name: string]>;
  /** 0 new, 1 linked, 2 evaluating or evaluated. */
  state: number;
  /** The whole static closure is here. */
  whole?: boolean;
  /** All exports, once known. */
  all?: Exports;
  body?: Iterator<unknown>;
  /** Of CommonJS, and that of who required it first. */
  module?: CommonModule;
  parent?: CommonModule | undefined;
  /** Boxed, because anything can be thrown. */
  failure?: [unknown];
  pending?: Promise<unknown> | undefined;
  /** The code's `$mitos`. */
  scope?: Scope;
}

/** What has exports: a module, or a builtin with all of them known. */
export type Exporting = Pick<Loaded, 'all'> & Partial<Loaded>;

/** What the code of a module sees of the importer. */
export interface Scope extends Table {
  h?: (code: string) => unknown;
  i(specifier: string): Table;
}

export const assign: typeof Object.assign = Object.assign;
export const defineProperty: typeof Object.defineProperty = Object.defineProperty;
export const keys: typeof Object.keys = Object.keys;

/** An object without prototype. */
export const bare = <T = Table>(): T => Object.create(null) as T;

export const isBuiltin = (id: string): boolean => id.startsWith('node:') || builtinModules.indexOf(id) >= 0;

export const has = (object: unknown, key: string): boolean => Object.prototype.hasOwnProperty.call(object, key);

export const isFunction = (value: unknown): value is (...args: unknown[]) => unknown => typeof value === 'function';

/** Defines an enumerable accessor. */
export const getter = (object: Table, key: string, get: Getter, set?: (value: unknown) => void): unknown =>
  defineProperty(object, key, { enumerable: true, get, set } as PropertyDescriptor);

/** The file of a module, at the master. */
export const fileOf = ({ url }: ModuleDef): string => (url.startsWith('file:') ? fileURLToPath(url) : url);

/** The name under which stack traces show a module: the master maps it back. */
export const scriptName = ({ id, url }: ModuleDef): string => `mitos:${id}/${url.replace(/.*\//, '').replace(/[^\w.-]/g, '_')}`;

/** The code of a module as a function. `head` is what stands before its body, see {@link wrapperLength} at the master. */
export const compile = (def: ModuleDef, head: string): unknown =>
  new Script(`(${head}{${def.code}\n})`, { filename: scriptName(def) }).runInThisContext();
