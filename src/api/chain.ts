/** Calls that depend on each other. */
import { DROP_CHAIN } from '../core/handles.ts';
import type { CallResult, ContextOperations } from './operations.ts';
import type { AnyFunction } from './runtime.ts';

let lastChain = 0;

/** Calls that run one after the other in one context. After one has failed, the rest fail with its error without running. */
export class CallChain {
  readonly #operations: ContextOperations;
  #id: number | undefined;

  /** @internal */
  constructor(operations: ContextOperations) {
    this.#operations = operations;
  }

  /** Adds a call. */
  call<F extends AnyFunction>(fn: F, ...args: Parameters<F>): Promise<CallResult<F>> {
    if (this.#id === undefined) this.#id = ++lastChain;
    return this.#operations.callWith({ chain: this.#id }, fn, args) as Promise<CallResult<F>>;
  }

  /** Forgets a failure: the next call begins a new chain. Calls under way are not touched. */
  reset(): void {
    const id = this.#id;
    if (id === undefined) return;
    this.#id = undefined;
    const { endpoint } = this.#operations.runtime;
    Promise.resolve(this.#operations.target()).then((context) => {
      if (!context.reason) endpoint.sendJson(context.id, DROP_CHAIN, 0, id);
    });
  }
}
