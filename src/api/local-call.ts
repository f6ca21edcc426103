/** Calls of a context to itself. No message is sent and nothing is copied; in all else they are like any other call. */
import { createAbort } from '../core/abort.ts';
import { mitosError } from '../core/errors.ts';
import type { CallRequest } from './calls.ts';
import type { Context } from './context.ts';
import type { AnyFunction, Runtime } from './runtime.ts';

/** How a call ends. */
export interface CallEnd {
  resolve(value: unknown): void;
  /** There was no result: the call did not run, or was given up. */
  reject(error: unknown): void;
  /** The function threw. */
  threw(cause: unknown): void;
}

/** Makes a call of this context to itself. */
export function callHere(runtime: Runtime, request: CallRequest, end: CallEnd): void {
  const { target, fn, args, chain, signal, timeoutMs } = request;
  const fail = (error: unknown): void => {
    if (chain && !chain.failure) chain.failure = { error };
    end.reject(error);
  };
  if (signal?.aborted) {
    fail(signal.reason);
    return;
  }
  const controller = createAbort();
  let isOver = false;
  const giveUp = (error: unknown): void => {
    isOver = true;
    controller.abort(error);
    fail(error);
  };
  const onAbort = (): void => giveUp(signal?.reason);
  const onTime = (): void => giveUp(mitosError('ERR_MITOS_TIMEOUT', `The call in "${target.name}" did not end within ${timeoutMs} ms`));
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs);
  if (signal) signal.addEventListener('abort', onAbort);
  const run = async (found: unknown): Promise<void> => {
    if (chain?.failure) return fail(chain.failure.error);
    if (isOver) return;
    if (typeof found !== 'function') return fail(mitosError('ERR_MITOS_NOT_CALLABLE', `Cannot call "${String(fn)}": it is not a function`));
    try {
      const value = await runtime.runHere(found as AnyFunction, args, controller.signal);
      end.resolve(isGenerator(value) ? overlap(value) : value);
    } catch (cause) {
      if (chain && !chain.failure) chain.failure = { error: cause };
      end.threw(cause);
    }
  };
  const act = (found: unknown): void => {
    const before = chain && chain.tail;
    const done = (before ? before.then(() => run(found)) : run(found)).then(() => {
      clearTimeout(timer);
      if (signal) signal.removeEventListener('abort', onAbort);
    });
    if (chain) chain.tail = done;
  };
  target.inOrder(() => (typeof fn === 'string' ? runtime.resolveHere(fn) : fn), act, fail);
}

/** Runs `fn` here for nobody in particular; its error is logged. */
export function noticeHere(runtime: Runtime, target: Context, fn: AnyFunction, args: readonly unknown[]): void {
  const log = (error: unknown): void => {
    const text = error instanceof Error && error.stack ? error.stack : String(error);
    runtime.log({ id: target.id, source: 'mitos', level: 'error', text });
  };
  callHere(runtime, { target, fn, args }, { resolve: () => {}, reject: log, threw: log });
}

function isGenerator(value: unknown): value is Generator {
  return Object.prototype.toString.call(value) === '[object Generator]';
}

async function* overlap(generator: Generator): AsyncGenerator {
  yield* generator;
}
