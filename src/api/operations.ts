/** What can be done with a context, whether it is up already or still starting. */
import {
  type CallOptions,
  type ChainState,
  callSite,
  checkCallOptions,
  requireFunction,
  sendNotice,
  settleCall,
  startCall,
} from './calls.ts';
import { CallChain } from './chain.ts';
import { ConnectionMethods } from './connection-methods.ts';
import type { Context } from './context.ts';
import type { ContextPromise } from './context-promise.ts';
import { type ExecOptions, type ExecOutput, type ExecPromise, startExec, startShell } from './exec.ts';
import type { ConnectOptions } from './options.ts';
import { type Remote, remoteModule } from './remote.ts';
import type { AnyFunction, Runtime } from './runtime.ts';
import { type CheckedStep, type Spec, stepsOf } from './specs.ts';

/** What a call of `F` gives here: iterables and streams arrive as async iterables. */
export type CallResult<F extends AnyFunction> =
  Awaited<ReturnType<F>> extends infer R ? (R extends AsyncGenerator<infer T> | Generator<infer T> ? AsyncIterableIterator<T> : R) : never;

/** Calls with options. */
export interface CallScope {
  /** See {@link ContextOperations.call}. */
  call<F extends AnyFunction>(fn: F, ...args: Parameters<F>): Promise<CallResult<F>>;
  /** See {@link ContextOperations.exec}. */
  exec<O extends ExecOptions = ExecOptions>(command: string | readonly string[], options?: O): ExecPromise<ExecOutput<O>>;
}

/** The operations that {@link Context} and {@link ContextPromise} share. */
export abstract class ContextOperations extends ConnectionMethods {
  /** @internal The process this is used in. */
  abstract readonly runtime: Runtime;

  /** @internal The context, or (in a child that still waits for an id) a promise of it. Never one that rejects unhandled. */
  abstract target(): Context | Promise<Context>;

  /**
   * Runs `fn(...args)` there and gives its result.
   *
   * Calls start in the order they are made; asynchronous ones overlap. What `fn` throws arrives as the `cause` of a
   * CallError. Functions that capture local variables are refused with `ERR_MITOS_CAPTURE` before anything is sent, values
   * that cannot be sent with `ERR_MITOS_NOT_SENDABLE`. When the context ends first, the call rejects with the reason.
   */
  call<F extends AnyFunction>(fn: F, ...args: Parameters<F>): Promise<CallResult<F>> {
    requireFunction(fn);
    return this.callWith({}, fn, args) as Promise<CallResult<F>>;
  }

  /** Calls that are given up by a signal or after a time; the function there is told by its own `self().signal`. */
  with(options: CallOptions): CallScope {
    checkCallOptions(options);
    return {
      call: (fn, ...args) => {
        requireFunction(fn);
        return this.callWith(options, fn, args) as never;
      },
      exec: (command, execOptions) => this.exec(command, { ...options, ...execOptions } as never),
    };
  }

  /** Runs `fn(...args)` there without waiting for it. An error there is logged here. */
  notify<F extends AnyFunction>(fn: F, ...args: Parameters<F>): void {
    requireFunction(fn);
    const target = this.target();
    const send = (context: Context): void => sendNotice(this.runtime, context, fn, args);
    // Whoever opened the context is told that it did not come up.
    if (target instanceof Promise) target.then(send, () => {});
    else send(target);
  }

  /** A chain of calls that run one after the other; when one fails, the rest fail with the same error without running. */
  chain(): CallChain {
    return new CallChain(this);
  }

  /**
   * The exported functions of a module, as functions that run there. The module is resolved here, as seen from `from`.
   * Rejects with `ERR_MITOS_MODULE_NOT_FOUND` when there is no such module.
   */
  import<M = Record<string, AnyFunction>>(specifier: string | URL, options: { from: string | URL }): Promise<Remote<M>> {
    if (!isText(specifier)) throw new TypeError('The specifier must be a string or a URL');
    if (!isText(options?.from)) throw new TypeError('from must say from where the specifier is resolved: import.meta.url');
    return remoteModule<M>(this, String(specifier), String(options.from));
  }

  /** Runs a program there. See {@link ExecPromise}. */
  exec<O extends ExecOptions = ExecOptions>(command: string | readonly string[], options?: O): ExecPromise<ExecOutput<O>> {
    return startExec(this, command, options ?? ({} as O));
  }

  /** Runs a shell command there; what is put in is quoted. */
  $(pieces: TemplateStringsArray, ...values: unknown[]): ExecPromise {
    return startShell(this, pieces, values);
  }

  /** @internal Starts a context by the method of that name. */
  open(method: string, options: ConnectOptions): ContextPromise {
    return this.runtime.open(this, method, options);
  }

  /**
   * Connects through a chain of steps, all in one go: `connect('ssh://deploy@bastion,ssh://10.0.0.4,sudo:root')`, or the same as
   * objects: `connect([{ method: 'ssh', hostname: 'bastion' }, { method: 'sudo' }])`. Gives the last context. What is wrong with a
   * spec is a TypeError at once.
   */
  connect(spec: Spec): ContextPromise {
    const [first, ...others] = stepsOf(spec) as [CheckedStep, ...CheckedStep[]];
    return others.reduce((from, { method, options }) => from.open(method, options), this.open(first.method, first.options));
  }

  /** Ends the context and everything behind it: running calls are aborted and get `graceMs` to end. Done when it is gone. */
  shutdown(options: { graceMs?: number } = {}): Promise<void> {
    const graceMs = graceOf(options);
    return Promise.resolve(this.target()).then((context) => context.end(graceMs));
  }

  /** The same as {@link shutdown}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** @internal A `fn` that is a text is a reference. */
  callWith(options: CallOptions & { chain?: ChainState }, fn: AnyFunction | string, args: readonly unknown[]): Promise<unknown> {
    const { signal, timeoutMs, chain } = options;
    const target = this.target();
    const start = (context: Context): Promise<unknown> => startCall(this.runtime, { target: context, fn, args, signal, timeoutMs, chain });
    return settleCall(target instanceof Promise ? target.then(start) : start(target), callSite());
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || value instanceof URL;
}

/** @internal The time that a shutdown leaves for an orderly end. */
export function graceOf({ graceMs = 500 }: { graceMs?: number }): number {
  if (!(typeof graceMs === 'number' && graceMs >= 0))
    throw new RangeError(`graceMs must be a number of milliseconds, not ${String(graceMs)}`);
  return graceMs;
}
