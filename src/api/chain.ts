/** Calls that depend on each other. */
import { DROP_CHAIN } from '../core/handles.ts';
import { type ChainState, requireFunction } from './calls.ts';
import type { CallResult, ContextOperations } from './operations.ts';
import type { AnyFunction } from './runtime.ts';

let lastChain = 0;

/** Calls that run one after the other in one context. After one has failed, the rest fail with its error without running. */
export class CallChain {
  readonly #operations: ContextOperations;
  #state: ChainState | undefined;

  /** @internal */
  constructor(operations: ContextOperations) {
    this.#operations = operations;
  }

  /** Adds a call. */
  call<F extends AnyFunction>(fn: F, ...args: Parameters<F>): Promise<CallResult<F>> {
    requireFunction(fn);
    if (!this.#state) this.#state = { id: ++lastChain, failure: undefined };
    return this.#operations.callWith({ chain: this.#state }, fn, args) as Promise<CallResult<F>>;
  }

  /** Forgets a failure: the next call begins a new chain. Calls under way are not touched. */
  reset(): void {
    const state = this.#state;
    if (!state) return;
    this.#state = undefined;
    const { endpoint } = this.#operations.runtime;
    Promise.resolve(this.#operations.target()).then(
      (context) => {
        if (!context.reason && context.id !== endpoint.id) endpoint.sendJson(context.id, DROP_CHAIN, 0, state.id);
      },
      () => {},
    );
  }
}
