/** The same thing done in many contexts, with every result kept. */
import { systemClock } from '../core/clock.ts';
import { MitosError, mitosError } from '../core/errors.ts';
import { type CallOptions, checkCallOptions } from './calls.ts';
import type { Context } from './context.ts';
import type { ExecOptions, ExecOutput, ExecResult } from './exec.ts';
import { type CallResult, ContextOperations } from './operations.ts';
import type { AnyFunction } from './runtime.ts';

/** How a group works. `signal` gives up everything, `timeoutMs` is the time for each context. */
export interface GroupOptions extends CallOptions {
  /** How many contexts work at once. @default all of them */
  concurrency?: number | undefined;
}

/** What came of one context. */
export type GroupResult<T> = {
  /** Where. */
  context: Context;
  /** Time from the start of the call there to its end, in milliseconds. */
  ms: number;
} & (
  | { status: 'ok'; value: T }
  /** `failed`: the function threw, was given up, or could not be called. `unreachable`: the context did not come up, or was lost. */
  | { status: 'failed' | 'unreachable'; error: unknown }
);

/** Contexts that do the same. */
export interface Group {
  /** Calls `fn(...args)` in every context. Works like {@link ContextOperations.call}. */
  call<F extends AnyFunction>(fn: F, ...args: Parameters<F>): GroupRun<CallResult<F>>;
  /** Runs a program in every context. Works like {@link ContextOperations.exec}. */
  exec<O extends ExecOptions = ExecOptions>(command: string | readonly string[], options?: O): GroupRun<ExecResult<ExecOutput<O>>>;
}

/**
 * Contexts that do the same. Work begins at once, not when results are read; a context that fails does not disturb the others.
 *
 * @param contexts Also such as are still starting: those that do not come up are `unreachable`.
 * @example
 * ```ts
 * for await (const { context, status, ms } of group(contexts, { concurrency: 50 }).call(upgrade)) console.log(context.name, status, ms);
 * ```
 */
export function group(contexts: Iterable<ContextOperations>, options: GroupOptions = {}): Group {
  const members = [...contexts];
  for (const member of members) {
    if (!(member instanceof ContextOperations)) throw new TypeError('A group consists of contexts');
  }
  const { concurrency = Math.max(members.length, 1) } = options;
  checkCallOptions(options);
  if (!(typeof concurrency === 'number' && concurrency >= 1))
    throw new RangeError(`concurrency must be a number above 0, not ${String(concurrency)}`);
  return {
    call: (fn, ...args) => {
      if (typeof fn !== 'function') throw new TypeError('The first argument must be a function');
      return new GroupRun(members, concurrency, options, (member, scope) => member.with(scope).call(fn, ...args));
    },
    exec: (command, execOptions) =>
      new GroupRun(members, concurrency, options, (member, scope) =>
        Promise.resolve(member.exec(command, { ...scope, ...execOptions }) as never),
      ),
  };
}

/**
 * Results as they come in. Leaving a loop over them early, like an abort of the signal, gives up what still runs and starts nothing more; what has
 * come in stays, and what has not becomes `failed`.
 */
export class GroupRun<T> implements AsyncIterable<GroupResult<T>> {
  readonly #members: readonly ContextOperations[];
  readonly #options: GroupOptions;
  readonly #work: (member: ContextOperations, options: CallOptions) => Promise<T>;
  /** In the order in which they came. */
  readonly #finished: GroupResult<T>[] = [];
  /** In the order of the contexts. */
  readonly #results: GroupResult<T>[] = [];
  readonly #controller: AbortController | undefined = typeof AbortController === 'undefined' ? undefined : new AbortController();
  readonly #done: Promise<void>;
  #next = 0;
  #givenUp: { reason: unknown } | undefined;
  #wake: (() => void)[] = [];

  /** @internal */
  constructor(
    members: readonly ContextOperations[],
    concurrency: number,
    options: GroupOptions,
    work: (member: ContextOperations, options: CallOptions) => Promise<T>,
  ) {
    this.#members = members;
    this.#options = options;
    this.#work = work;
    const { signal } = options;
    const onAbort = (): void => this.#giveUp(signal?.reason);
    if (signal?.aborted) onAbort();
    else if (signal) signal.addEventListener('abort', onAbort);
    const workers = Array.from({ length: Math.min(concurrency, members.length) }, () => this.#workOn());
    this.#done = Promise.all(workers).then(() => signal?.removeEventListener('abort', onAbort));
  }

  /** All results, in the order of the contexts. Never rejects. */
  async all(): Promise<GroupResult<T>[]> {
    await this.#done;
    return [...this.#results];
  }

  /** Results in the order in which they come in; those that are there already come first. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GroupResult<T>> {
    let at = 0;
    const iterator: AsyncIterableIterator<GroupResult<T>> = {
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
    if (this.#givenUp) return;
    this.#givenUp = { reason };
    this.#controller?.abort(reason);
  }

  /** One of the workers: takes one context after the other. */
  async #workOn(): Promise<void> {
    while (this.#next < this.#members.length) {
      const index = this.#next++;
      const result = await this.#runIn(this.#members[index] as ContextOperations);
      this.#results[index] = result;
      this.#finished.push(result);
      for (const wake of this.#wake.splice(0)) wake();
    }
  }

  async #runIn(member: ContextOperations): Promise<GroupResult<T>> {
    const begin = systemClock.now();
    const ms = (): number => Math.round((systemClock.now() - begin) * 1000) / 1000;
    let context: Context | undefined;
    try {
      const work = this.#givenUp ? Promise.reject(this.#givenUp.reason) : this.#start(member);
      work.catch(() => {});
      context = await member.target();
      return { context, status: 'ok', value: await work, ms: ms() };
    } catch (error) {
      // Only a child that gets no id for a new context has none; what was given is all that can be shown then.
      return { context: context ?? (member as Context), status: isUnreachable(error) ? 'unreachable' : 'failed', error, ms: ms() };
    }
  }

  #start(member: ContextOperations): Promise<T> {
    const { timeoutMs } = this.#options;
    return this.#work(member, {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(this.#controller ? { signal: this.#controller.signal } : {}),
    });
  }
}

/** Whether the context itself did not answer. */
function isUnreachable(error: unknown): boolean {
  return MitosError.is(error) && /^(Connect|Channel)Error$/.test(error.name) && !/_(TOO_LARGE|LIMIT)$/.test(error.code);
}
