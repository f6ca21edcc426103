/** The same thing done in many contexts, with every result kept. */
import { MitosError } from '../core/errors.ts';
import { type CallOptions, checkCallOptions } from './calls.ts';
import type { Context } from './context.ts';
import type { ExecOptions, ExecOutput, ExecResult } from './exec.ts';
import { type CallResult, ContextOperations } from './operations.ts';
import { checkConcurrency, Run, stopwatch } from './run.ts';
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
  checkConcurrency('concurrency', concurrency);
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

/** Results of a group; see {@link Run}. */
export class GroupRun<T> extends Run<ContextOperations, GroupResult<T>> {
  /** @internal */
  constructor(
    members: readonly ContextOperations[],
    concurrency: number,
    options: GroupOptions,
    work: (member: ContextOperations, options: CallOptions) => Promise<T>,
  ) {
    super(members, concurrency, options, (member, scope) => runIn(member, scope, work));
  }
}

async function runIn<T>(
  member: ContextOperations,
  scope: CallOptions,
  start: (member: ContextOperations, options: CallOptions) => Promise<T>,
): Promise<GroupResult<T>> {
  const ms = stopwatch();
  let context: Context | undefined;
  try {
    const work = scope.signal?.aborted ? Promise.reject(scope.signal.reason) : start(member, scope);
    work.catch(() => {});
    context = await member.target();
    return { context, status: 'ok', value: await work, ms: ms() };
  } catch (error) {
    // Only a child that gets no id for a new context has none; what was given is all that can be shown then.
    return { context: context ?? (member as Context), status: isUnreachable(error) ? 'unreachable' : 'failed', error, ms: ms() };
  }
}

/** @internal Whether the context itself did not answer. */
export function isUnreachable(error: unknown): boolean {
  return MitosError.is(error) && /^(Connect|Channel)Error$/.test(error.name) && !/_(TOO_LARGE|LIMIT)$/.test(error.code);
}
