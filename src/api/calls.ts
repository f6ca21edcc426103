/** The caller's side of a call: what is sent, what settles the promise, and how the error reads. */
import { CallError, MitosError, mitosError } from '../core/errors.ts';
import { CALL, CANCEL } from '../core/handles.ts';
import { CONTROL, type ContextId, ERROR, HEADER } from '../core/wire.ts';
import type { Context } from './context.ts';
import type { AnyFunction, Runtime } from './runtime.ts';

/** When to give up. */
export interface CallOptions {
  /** Gives up when it aborts: the promise rejects with its reason, and the signal of the function there aborts too. */
  signal?: AbortSignal | undefined;
  /** Gives up after so many milliseconds, with `ERR_MITOS_TIMEOUT`. */
  timeoutMs?: number | undefined;
}

/** A chain of calls, as this side knows it. */
export interface ChainState {
  readonly id: number;
  /** Set once a call of the chain has failed: the later ones are not even sent. */
  failure: { error: unknown } | undefined;
}

/** Everything about one call. */
export interface CallRequest extends CallOptions {
  target: Context;
  /** A function, or a reference that is known already. */
  fn: AnyFunction | string;
  args: readonly unknown[];
  chain?: ChainState | undefined;
  /** Where the call was made, for the stack of an error. */
  site?: { stack?: string } | undefined;
}

/** Refuses options that make no sense. */
export function checkCallOptions(options: CallOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('The options of a call must be an object');
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    throw new RangeError(`timeoutMs must be a number of milliseconds, not ${String(timeoutMs)}`);
  }
  if (signal !== undefined && (typeof signal !== 'object' || signal === null || typeof signal.aborted !== 'boolean')) {
    throw new TypeError('signal must be an AbortSignal');
  }
}

/** Makes a call and gives what it gives. Calls to one context start there in the order they are made here. */
export function startCall(runtime: Runtime, request: CallRequest): Promise<unknown> {
  const { target, fn, signal, chain } = request;
  if (target.id === runtime.endpoint.id && typeof fn === 'function') {
    return new Promise((resolve) => resolve(runtime.runHere(fn, request.args, signal)));
  }
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      withVia(error, target);
      if (chain && !chain.failure) chain.failure = { error };
      reject(error);
    };
    if (signal?.aborted) return fail(signal.reason);
    target.inOrder(
      () => (typeof fn === 'string' ? fn : runtime.identify(fn)),
      (ref) => {
        if (chain?.failure) throw chain.failure.error;
        transmit(runtime, request, ref, resolve, fail);
      },
      fail,
    );
  });
}

/** Sends a call that wants no reply. */
export function sendNotice(runtime: Runtime, target: Context, fn: AnyFunction, args: readonly unknown[]): void {
  const onError = (error: unknown): void => {
    const text = `Cannot notify "${target.name}": ${error instanceof Error ? error.message : String(error)}`;
    runtime.log({ id: runtime.endpoint.id, source: 'mitos', level: 'error', text });
  };
  target.inOrder(
    () => runtime.identify(fn),
    (ref) => {
      const message = encodeCall(runtime, target.id, ref, args);
      runtime.sendModules(target.id, ref);
      runtime.endpoint.send(target.id, CALL, 0, message);
    },
    onError,
  );
}

function encodeCall(runtime: Runtime, dst: ContextId, head: string, args: readonly unknown[]): Buffer {
  const size = Buffer.byteLength(head);
  const message = runtime.live.encode(args, 'args', dst, 2 + size);
  message.writeUInt16BE(size, HEADER);
  message.write(head, HEADER + 2);
  return message;
}

function headOf(ref: string, chain: number | undefined, timeoutMs: number | undefined): string {
  if (chain === undefined && timeoutMs === undefined) return ref;
  return `${ref}\n${JSON.stringify({ c: chain, d: timeoutMs })}`;
}

function transmit(runtime: Runtime, request: CallRequest, ref: string, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  const { target, signal, timeoutMs, chain } = request;
  const { endpoint, live } = runtime;
  const dst = target.id;
  const disposers: (() => void)[] = [];
  const startedAt = performance.now();
  const settle = (): void => {
    for (const dispose of disposers) dispose();
  };
  live.disposers = disposers;
  let message: Buffer;
  try {
    message = encodeCall(runtime, dst, headOf(ref, chain?.id, timeoutMs), request.args);
  } finally {
    live.disposers = undefined;
  }
  runtime.sendModules(dst, ref);
  const replyTo = endpoint.expect(dst, {
    onReply: (reply) => {
      settle();
      target.noteRoundTrip(performance.now() - startedAt);
      readReply(runtime, request, reply, resolve, reject);
    },
    onDead: (reason) => {
      settle();
      reject(reason);
    },
  });
  const giveUp = (error: unknown): void => {
    settle();
    endpoint.forget(replyTo);
    endpoint.sendJson(dst, CANCEL, 0, { call: replyTo, reason: error instanceof Error ? error.message : String(error) }, CONTROL);
    reject(error);
  };
  if (timeoutMs !== undefined) {
    const timer = setTimeout(() => giveUp(timeoutError(target, timeoutMs)), timeoutMs);
    disposers.push(() => clearTimeout(timer));
  }
  if (signal) {
    const onAbort = (): void => giveUp(signal.reason);
    signal.addEventListener('abort', onAbort);
    disposers.push(() => signal.removeEventListener('abort', onAbort));
  }
  try {
    endpoint.send(dst, CALL, replyTo, message);
  } catch (error) {
    settle();
    endpoint.forget(replyTo);
    throw error;
  }
}

function timeoutError(target: Context, timeoutMs: number): MitosError {
  return mitosError('ERR_MITOS_TIMEOUT', `The call in "${target.name}" did not end within ${timeoutMs} ms`, {
    hint: 'the function was told by its signal; if it does not stop by itself, shut the context down',
  });
}

function readReply(runtime: Runtime, request: CallRequest, reply: Buffer, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  let value: unknown;
  try {
    value = runtime.live.decode(reply);
  } catch (error) {
    reject(error);
    return;
  }
  if (!((reply[2] as number) & ERROR)) {
    resolve(value);
    return;
  }
  const [isThrown, error] = Array.isArray(value) ? (value as [number, unknown]) : [0, value];
  if (error instanceof Error && error.stack) {
    Object.defineProperty(error, 'stack', { value: runtime.mapStack(error.stack), configurable: true, writable: true });
  }
  reject(isThrown || !MitosError.is(error) ? callError(request, error) : error);
}

/** What the frames of this layer have in common: they say nothing to who made a call. */
const HERE = /((?:file:|mitos:|\/).*[/_])[^/]*:\d+:\d+\)?$/.exec((new Error().stack || '').split('\n')[1] || '')?.[1];

/** The error of a function that threw: the local call site, and below it the stack from there. */
function callError(request: CallRequest, cause: unknown): CallError {
  const { target, site } = request;
  const message = cause instanceof Error ? cause.message : String(cause);
  const error = new CallError('ERR_MITOS_CALL', message, { cause });
  const local = (site?.stack || error.stack || '').split('\n').slice(1).filter((line) => !HERE || !line.includes(HERE)).join('\n');
  const remote = cause instanceof Error && cause.stack ? cause.stack : String(cause);
  const stack = `CallError: ${message}\n${local}\n    --- in "${target.name}" ---\n${remote.replace(/^/gm, '    ')}`;
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return error;
}

/** Adds the names of the contexts crossed, nearest first. */
function withVia(error: unknown, target: Context): void {
  if (MitosError.is(error) && !error.via.length) {
    const via: string[] = [];
    for (let at: Context | null = target; at?.via; at = at.via) via.unshift(at.name);
    (error as { via: readonly string[] }).via = via;
  }
}

