/** The caller's side of a call: what is sent, what settles the promise, and how the error reads. */

import { systemClock } from '../core/clock.ts';
import type { ReplyHandler } from '../core/endpoint.ts';
import { CallError, MitosError, mitosError } from '../core/errors.ts';
import { CALL, CANCEL } from '../core/handles.ts';
import { type ContextId, ERROR, HEADER } from '../core/wire.ts';
import type { Context } from './context.ts';
import { callHere, noticeHere } from './local-call.ts';
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
  /** The last call, when they run in this very context. */
  tail?: Promise<void>;
}

/** Everything about one call. */
export interface CallRequest extends CallOptions {
  target: Context;
  /** A function, or a reference that is known already. */
  fn: AnyFunction | string;
  args: readonly unknown[];
  chain?: ChainState | undefined;
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

/** @internal Refuses what cannot be called. */
export function requireFunction(fn: unknown): void {
  if (typeof fn !== 'function') throw new TypeError(`The first argument must be a function, not ${fn === null ? 'null' : typeof fn}`);
}

/** Makes a call and gives what it gives. Calls to one context start there in the order they are made here. */
export function startCall(runtime: Runtime, request: CallRequest): Promise<unknown> {
  const { target } = request;
  if (target.id === runtime.endpoint.id) {
    return new Promise((resolve, reject) =>
      callHere(runtime, request, { resolve, reject, threw: (cause) => resolve(new Thrown(target, cause)) }),
    );
  }
  return new Promise((resolve, reject) => new PendingCall(runtime, request, resolve, reject).start());
}

/**
 * Gives what a call has given. An error of a function is made here, inside an asynchronous function that the caller waits
 * for: V8 then knows the caller's own frames, and calls that succeed pay nothing for them.
 */
export async function settleCall(outcome: Promise<unknown>, site: CallSite | undefined): Promise<unknown> {
  const value = await outcome;
  if (value instanceof Thrown) throw callError(value.target, value.cause, site, value.hint);
  return value;
}

/** Where a call was made. */
export interface CallSite {
  stack?: string;
}

/** How many call sites are noted in how many milliseconds: one costs as much as half a call, and most are never shown. */
const SITES = 32;
const SITES_MS = 16;
let sitesSince = 0;
let sitesTaken = 0;

/** Notes where a call is made, for callers that do not await it at once. Under load V8's own trace has to do. */
export function callSite(): CallSite | undefined {
  const now = systemClock.now();
  if (now - sitesSince > SITES_MS) {
    sitesSince = now;
    sitesTaken = 0;
  }
  if (sitesTaken >= SITES) return undefined;
  sitesTaken++;
  const site: CallSite = {};
  Error.captureStackTrace(site, callSite);
  return site;
}

/** What a function threw. */
class Thrown {
  readonly target: Context;
  readonly cause: unknown;
  readonly hint: string | undefined;

  constructor(target: Context, cause: unknown, hint?: string) {
    this.target = target;
    this.cause = cause;
    this.hint = hint;
  }
}

/** Sends a call that wants no reply. */
export function sendNotice(runtime: Runtime, target: Context, fn: AnyFunction, args: readonly unknown[]): void {
  if (target.id === runtime.endpoint.id) {
    noticeHere(runtime, target, fn, args);
    return;
  }
  const onError = (error: unknown): void => {
    const text = `Cannot notify "${target.name}": ${error instanceof Error ? error.message : String(error)}`;
    runtime.log({ id: runtime.endpoint.id, source: 'mitos', level: 'error', text });
  };
  target.inOrder(
    () => runtime.identify(fn),
    (ref) => {
      const message = encodeCall(runtime, target.id, ref, args);
      runtime.sendModules(target.id, ref, message);
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

/** Calls to a context whose time is taken, for `roundTripMs`. */
const TIMED_CALLS = 16;

/** A call under way. One object a call and few closures: this is what a round trip costs on this side. */
class PendingCall implements ReplyHandler {
  readonly #runtime: Runtime;
  readonly #request: CallRequest;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  /** What has to be undone when the call is over. */
  readonly #disposers: (() => void)[] = [];
  #replyTo = 0;
  /** When the time of the call is over. */
  #dueAt = 0;
  #startedAt = 0;

  constructor(runtime: Runtime, request: CallRequest, resolve: (value: unknown) => void, reject: (error: unknown) => void) {
    this.#runtime = runtime;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Identifies the function and sends the call, after everything that was asked of the context before. */
  start(): void {
    const { target, fn, signal } = this.#request;
    try {
      if (signal?.aborted) throw signal.reason;
      const ref = typeof fn === 'string' ? fn : this.#runtime.identify(fn);
      if (typeof ref === 'string' && target.isIdle) {
        this.#send(ref);
      } else {
        if (ref instanceof Promise) ref.catch(() => {});
        target.inOrder(
          () => ref,
          (known) => this.#send(known),
          (error) => this.#fail(error),
        );
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  onReply(reply: Buffer): void {
    this.#dispose();
    const { target } = this.#request;
    if (this.#startedAt) target.noteRoundTrip(systemClock.now() - this.#startedAt);
    try {
      const value = this.#runtime.live.decode(reply);
      if ((reply[2] as number) & ERROR) this.#onError(value);
      else this.#resolve(value);
    } catch (error) {
      this.#fail(error);
    }
  }

  onDead(reason: MitosError): void {
    this.#dispose();
    this.#fail(reason);
  }

  #send(ref: string): void {
    const { target, args, chain, timeoutMs, signal } = this.#request;
    const { endpoint, live } = this.#runtime;
    if (chain?.failure) throw chain.failure.error;
    if (signal?.aborted) throw signal.reason;
    live.disposers = this.#disposers;
    let message: Buffer;
    try {
      message = encodeCall(this.#runtime, target.id, headOf(ref, chain?.id, timeoutMs), args);
    } finally {
      live.disposers = undefined;
    }
    this.#runtime.sendModules(target.id, ref, message);
    if (target.timedCalls < TIMED_CALLS) {
      target.timedCalls++;
      this.#startedAt = systemClock.now();
    }
    this.#replyTo = endpoint.expect(target.id, this);
    this.#watch();
    try {
      endpoint.send(target.id, CALL, this.#replyTo, message);
    } catch (error) {
      this.#dispose();
      endpoint.forget(this.#replyTo);
      throw error;
    }
  }

  /** Gives up when the signal aborts or the time is over. */
  #watch(): void {
    const { target, signal, timeoutMs } = this.#request;
    if (timeoutMs !== undefined) {
      this.#dueAt = systemClock.now() + timeoutMs;
      const timer = setTimeout(() => this.#giveUp(timeoutError(target, timeoutMs)), timeoutMs);
      this.#disposers.push(() => clearTimeout(timer));
    }
    if (signal) {
      const onAbort = (): void => this.#giveUp(signal.reason);
      signal.addEventListener('abort', onAbort);
      this.#disposers.push(() => signal.removeEventListener('abort', onAbort));
    }
  }

  #giveUp(error: unknown): void {
    const { endpoint } = this.#runtime;
    this.#dispose();
    endpoint.forget(this.#replyTo);
    const reason = error instanceof Error ? error.message : String(error);
    endpoint.sendJson(this.#request.target.id, CANCEL, 0, { call: this.#replyTo, reason });
    this.#fail(error);
  }

  #onError(value: unknown): void {
    const [isThrown, error] = Array.isArray(value) ? (value as [number, unknown]) : [0, value];
    const { target, chain, timeoutMs } = this.#request;
    const hint = isThrown || !MitosError.is(error) ? this.#runtime.adviceFor?.(target, error) : undefined;
    mapStacks(this.#runtime, error);
    // The function there was told that its time is over, and its answer to that came before the timer here.
    if (timeoutMs !== undefined && systemClock.now() >= this.#dueAt - 1) {
      this.#fail(timeoutError(target, timeoutMs));
      return;
    }
    if (!isThrown && MitosError.is(error)) {
      this.#fail(error);
      return;
    }
    if (chain && !chain.failure) chain.failure = { error: callError(target, error, undefined, hint) };
    this.#resolve(new Thrown(target, error, hint));
  }

  #fail(error: unknown): void {
    const { target, chain } = this.#request;
    withVia(error, target);
    if (chain && !chain.failure) chain.failure = { error };
    this.#reject(error);
  }

  #dispose(): void {
    for (const dispose of this.#disposers) dispose();
  }
}

function timeoutError(target: Context, timeoutMs: number): MitosError {
  return mitosError('ERR_MITOS_TIMEOUT', `The call in "${target.name}" did not end within ${timeoutMs} ms`, {
    hint: 'the function was told by its signal; if it does not stop by itself, shut the context down',
  });
}

/** Gives an error and those behind it the user's own files and lines. */
function mapStacks(runtime: Runtime, error: unknown, seen: Set<unknown> = new Set()): void {
  if (!(error instanceof Error) || seen.has(error)) return;
  seen.add(error);
  if (error.stack) Object.defineProperty(error, 'stack', { value: runtime.mapStack(error.stack), configurable: true, writable: true });
  mapStacks(runtime, error.cause, seen);
  const { errors } = error as { errors?: unknown };
  if (Array.isArray(errors)) for (const nested of errors) mapStacks(runtime, nested, seen);
}

/** What the frames of this layer have in common: they say nothing to who made a call. */
const HERE = /((?:file:|mitos:|\/).*[/_])[^/]*:\d+:\d+\)?$/.exec((new Error().stack || '').split('\n')[1] || '')?.[1];

/** The error of a function that threw: who waits here, and below it the stack from there. */
function callError(target: Context, cause: unknown, site?: CallSite, hint?: string): CallError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const error = new CallError('ERR_MITOS_CALL', message, { cause, ...(hint && { hint }) });
  withVia(error, target);
  const local = (site?.stack || error.stack || '')
    .split('\n')
    .slice(1)
    .filter((line) => !HERE || !line.includes(HERE))
    .join('\n');
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
