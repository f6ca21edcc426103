/** Work done for many, side by side, with every result kept. */
import { createAbort } from '../core/abort.ts';
import { systemClock } from '../core/clock.ts';
import { mitosError } from '../core/errors.ts';
import type { CallOptions } from './calls.ts';

/** The time since it was made, in milliseconds. */
export function stopwatch(): () => number {
  const begin = systemClock.now();
  return () => Math.round((systemClock.now() - begin) * 1000) / 1000;
}

/**
 * Results as they come in. Leaving a loop over them early, like an abort of the signal, gives up what still runs and starts nothing more; what has
 * come in stays, and what has not becomes `failed`.
 */
export class Run<M, R> implements AsyncIterable<R> {
  readonly #members: readonly M[];
  readonly #work: (member: M, scope: CallOptions) => Promise<R>;
  readonly #options: CallOptions;
  /** In the order in which they came. */
  readonly #finished: R[] = [];
  /** In the order of the members. */
  readonly #results: R[] = [];
  /** One for each that runs: a signal of many listeners is taken for a leak. */
  readonly #running: Set<AbortController> = new Set();
  #givenUp: { reason: unknown } | undefined;
  readonly #done: Promise<void>;
  #next = 0;
  #wake: (() => void)[] = [];

  /** @internal @param work Never rejects. Told by the signal of its scope that the result is not wanted any more. */
  constructor(members: readonly M[], concurrency: number, options: CallOptions, work: (member: M, scope: CallOptions) => Promise<R>) {
    this.#members = members;
    this.#work = work;
    this.#options = options;
    const { signal } = options;
    const onAbort = (): void => this.#giveUp(signal?.reason);
    if (signal?.aborted) onAbort();
    else if (signal) signal.addEventListener('abort', onAbort);
    const workers = Array.from({ length: Math.min(concurrency, members.length) }, () => this.#workOn());
    this.#done = Promise.all(workers).then(() => signal?.removeEventListener('abort', onAbort));
  }

  /** All results, in the order of what they were asked for. Never rejects. */
  async all(): Promise<R[]> {
    await this.#done;
    return [...this.#results];
  }

  /** Results in the order in which they come in; those that are there already come first. */
  [Symbol.asyncIterator](): AsyncIterableIterator<R> {
    let at = 0;
    const iterator: AsyncIterableIterator<R> = {
      next: async () => {
        const index = at++;
        while (index >= this.#finished.length && index < this.#members.length)
          await new Promise<void>((resolve) => this.#wake.push(resolve));
        const value = this.#finished[index];
        return value ? { done: false, value } : { done: true, value: undefined };
      },
      return: () => {
        this.#giveUp(mitosError('ERR_MITOS_ABORTED', 'The results are not wanted any more'));
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #giveUp(reason: unknown): void {
    this.#givenUp ??= { reason };
    for (const controller of this.#running) controller.abort(reason);
  }

  async #runOne(member: M): Promise<R> {
    const { timeoutMs } = this.#options;
    const scope: CallOptions = timeoutMs === undefined ? {} : { timeoutMs };
    const controller = createAbort();
    if (this.#givenUp) controller.abort(this.#givenUp.reason);
    this.#running.add(controller);
    try {
      return await this.#work(member, { ...scope, signal: controller.signal });
    } finally {
      this.#running.delete(controller);
    }
  }

  /** One of the workers: takes one member after the other. */
  async #workOn(): Promise<void> {
    while (this.#next < this.#members.length) {
      const index = this.#next++;
      const result = await this.#runOne(this.#members[index] as M);
      this.#results[index] = result;
      this.#finished.push(result);
      for (const wake of this.#wake.splice(0)) wake();
    }
  }
}

/** Refuses a number of things to do at once that is none. */
export function checkConcurrency(name: string, value: unknown): void {
  if (!(typeof value === 'number' && value >= 1)) throw new RangeError(`${name} must be a number above 0, not ${String(value)}`);
}
