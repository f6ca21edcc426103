/** Modules whose functions run elsewhere. */
import type { CallResult, ContextOperations } from './operations.ts';
import type { AnyFunction } from './runtime.ts';

/**
 * A module seen from afar: its functions, each of which runs in the context and gives a promise. On the master, `Object.keys` gives the names that it
 * exports as far as its text tells: nothing of it is run for that.
 */
export type Remote<M> = {
  readonly [K in keyof M as M[K] extends AnyFunction ? K : never]: M[K] extends AnyFunction
    ? (...args: Parameters<M[K]>) => Promise<CallResult<M[K]>>
    : never;
};

/** @internal Makes a {@link Remote}. */
export async function remoteModule<M>(operations: ContextOperations, specifier: string, from: string): Promise<Remote<M>> {
  const { runtime } = operations;
  const id = await runtime.resolveModule(specifier, from);
  const functions = new Map<string, AnyFunction>();
  return new Proxy(Object.create(null) as object, {
    get: (_target, name) => {
      if (typeof name !== 'string' || name === 'then') return undefined;
      let fn = functions.get(name);
      if (!fn) {
        const ref = `${id}#${name}`;
        functions.set(name, (fn = (...args) => callNow(operations, ref, args)));
      }
      return fn;
    },
    has: (_target, name) => typeof name === 'string' && name !== 'then',
    // For `Object.keys`: what can be seen of it without running it.
    ownKeys: () => runtime.exportsOf?.(id) ?? [],
    getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true }),
  }) as Remote<M>;
}

function callNow(operations: ContextOperations, ref: string, args: readonly unknown[]): Promise<unknown> {
  const { runtime } = operations;
  try {
    return operations.callWith({}, runtime.refresh ? runtime.refresh(ref) : ref, args);
  } catch (error) {
    return Promise.reject(error);
  }
}
