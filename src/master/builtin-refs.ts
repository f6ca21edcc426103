/** The reference of a function that Node itself provides. Looks only into builtins that are loaded already: who holds a function has loaded its module. */
import { builtinModules, createRequire } from 'node:module';

type Table = Record<string, unknown>;

const require = createRequire(import.meta.url);
const refs = new WeakMap<object, string>();
const seen = new Set<string>();
/** Under these names first: `fs.promises` is there on every Node that a target may run, `fs/promises` is not. */
const NESTED: Record<string, readonly string[]> = {
  fs: ['promises'],
  dns: ['promises'],
  util: ['types'],
  timers: ['promises'],
  path: ['posix', 'win32'],
};

function note(value: unknown, ref: string): void {
  if (typeof value === 'function' && !refs.has(value)) refs.set(value, ref);
}

function noteAll(holder: unknown, prefix: string, depth: number): void {
  if ((typeof holder !== 'object' && typeof holder !== 'function') || holder === null) return;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
    if (!('value' in descriptor) || name === 'prototype' || name.includes('.')) continue;
    const value: unknown = descriptor.value;
    note(value, `${prefix}${name}`);
    if (depth > 0) noteAll(value, `${prefix}${name}.`, depth - 1);
  }
}

function scan(): void {
  const loaded = new Set(
    (process as unknown as { moduleLoadList: string[] }).moduleLoadList.map((one) => one.replace(/^NativeModule /, '')),
  );
  for (const id of builtinModules) {
    if (seen.has(id) || !loaded.has(id) || id.startsWith('_')) continue;
    seen.add(id);
    const exports = require(id) as Table;
    note(exports, `node:${id}#default`);
    for (const name of NESTED[id] ?? []) if (name in exports) noteAll(exports[name], `node:${id}#${name}.`, 0);
    noteAll(exports, `node:${id}#`, 1);
  }
  if (seen.has('*globals')) return;
  seen.add('*globals');
  noteAll(process, 'node:process#', 0);
  for (const name of [
    'console',
    'JSON',
    'Math',
    'Object',
    'Reflect',
    'Date',
    'Number',
    'String',
    'Array',
    'Promise',
    'performance',
    'Atomics',
  ]) {
    noteAll((globalThis as unknown as Table)[name], `globalThis#${name}.`, 0);
  }
  noteAll(globalThis, 'globalThis#', 0);
}

/** The reference of a builtin function, or undefined. */
export function builtinRef(fn: object): string | undefined {
  if (!refs.has(fn)) scan();
  return refs.get(fn);
}
