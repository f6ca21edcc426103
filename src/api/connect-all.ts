/** Many connections at once. */
import { createHash } from 'crypto';
import { systemClock } from '../core/clock.ts';
import { mitosError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import { type CallOptions, checkCallOptions } from './calls.ts';
import type { Context } from './context.ts';
import { isUnreachable } from './group.ts';
import { ContextOperations } from './operations.ts';
import { checkConcurrency, Run, stopwatch } from './run.ts';
import { type CheckedStep, type Spec, stepsOf } from './specs.ts';

/** How many connections are made. `signal` gives up those that are not up yet, `timeoutMs` is the time for each. */
export interface ConnectAllOptions extends CallOptions {
  /** Most connections that are being made at once. @default 100 */
  concurrency?: number;
  /** The same for those that start from one context. @default 10 */
  perHop?: number;
  /** How often one is tried again when the other side was busy or did not listen. @default 2 */
  retries?: number;
}

/** What came of one spec. */
export type Connected = {
  spec: Spec;
  /** Time from the begin of the attempt to its end, in milliseconds. */
  ms: number;
} & (
  | { status: 'ok'; context: Context }
  /** `unreachable`: it did not come up. `failed`: the spec is wrong, or it was given up. */
  | { status: 'failed' | 'unreachable'; error: unknown }
);

/** Results of {@link ContextOperations.connectAll}; see {@link Run}. */
export class ConnectRun extends Run<Spec, Connected> {}

/** Base of the pauses between attempts, in milliseconds; each is longer, and none is foreseeable. */
const PAUSE_MS = 200;

/** Connects to all of `specs` from `start`. Steps that several begin with are made once. */
export function connectAll(start: ContextOperations, specs: Iterable<Spec>, options: ConnectAllOptions = {}): ConnectRun {
  const { concurrency = 100, perHop = 10, retries = 2 } = options;
  checkCallOptions(options);
  checkConcurrency('concurrency', concurrency);
  checkConcurrency('perHop', perHop);
  if (!(Number.isInteger(retries) && retries >= 0)) throw new RangeError(`retries must be a whole number, not ${String(retries)}`);
  const tree = new SharedTree(start, perHop, retries);
  return new ConnectRun([...specs], concurrency, options, async (spec, scope) => {
    const ms = stopwatch();
    try {
      return { spec, status: 'ok', context: await tree.connect(stepsOf(spec), scope), ms: ms() };
    } catch (error) {
      return { spec, status: isUnreachable(error) ? 'unreachable' : 'failed', error, ms: ms() };
    }
  });
}

/** The steps that lead to what is asked for; each hop starts so many at once, and those between are shared. */
class SharedTree {
  readonly #start: ContextOperations;
  readonly #perHop: number;
  readonly #retries: number;
  readonly #between: Map<string, Promise<Context>> = new Map();
  readonly #slots: Map<string, { taken: number; waiting: (() => void)[] }> = new Map();

  constructor(start: ContextOperations, perHop: number, retries: number) {
    this.#start = start;
    this.#perHop = perHop;
    this.#retries = retries;
  }

  async connect(steps: readonly CheckedStep[], scope: CallOptions): Promise<Context> {
    const before = steps.slice(0, -1);
    const from = before.length ? await this.#shared(before) : this.#start;
    return this.#withSlot(keyOf(before), () => this.#attempts(from, steps[steps.length - 1] as CheckedStep, scope));
  }

  #shared(steps: readonly CheckedStep[]): Promise<Context> {
    const key = keyOf(steps);
    let context = this.#between.get(key);
    if (!context) this.#between.set(key, (context = this.connect(steps, {})));
    return context;
  }

  async #withSlot<T>(key: string, work: () => Promise<T>): Promise<T> {
    let slots = this.#slots.get(key);
    if (!slots) this.#slots.set(key, (slots = { taken: 0, waiting: [] }));
    const { waiting } = slots;
    if (slots.taken >= this.#perHop) await new Promise<void>((resolve) => waiting.push(resolve));
    else slots.taken++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else slots.taken--;
    }
  }

  async #attempts(from: ContextOperations, step: CheckedStep, scope: CallOptions): Promise<Context> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await connectOnce(from, step, scope);
      } catch (error) {
        if (attempt > this.#retries || scope.signal?.aborted || !mayPass(error)) throw error;
        await pause(PAUSE_MS * 2 ** attempt * (0.5 + Math.random()), scope.signal);
      }
    }
  }
}

/** One attempt; when it is given up, nothing is left of it. */
async function connectOnce(
  from: ContextOperations,
  { method, options }: CheckedStep,
  { signal, timeoutMs }: CallOptions,
): Promise<Context> {
  if (signal?.aborted) throw signal.reason;
  const promise = from.open(method, options);
  if (!signal && timeoutMs === undefined) return promise;
  let giveUp: (reason: unknown) => void = () => {};
  const givenUp = new Promise<never>((_resolve, reject) => (giveUp = reject));
  const onAbort = (): void => giveUp(signal?.reason);
  const onTime = (): void => giveUp(mitosError('ERR_MITOS_CONNECT_TIMEOUT', `Not connected within ${timeoutMs} ms`));
  const timer = timeoutMs === undefined ? undefined : systemClock.setTimeout(onTime, timeoutMs);
  if (signal) signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([promise, givenUp]);
  } catch (error) {
    await promise.shutdown({ graceMs: 0 }).catch(() => {});
    throw error;
  } finally {
    systemClock.clearTimeout(timer);
    if (signal) signal.removeEventListener('abort', onAbort);
  }
}

/** Whether a failure may pass by itself. */
function mayPass(error: unknown): boolean {
  const { code, transient } = error as { code?: unknown; transient?: unknown };
  return transient === true || code === 'ERR_MITOS_REFUSED';
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      if (signal) signal.removeEventListener('abort', end);
      resolve();
    }
    if (signal) signal.addEventListener('abort', end);
  });
}

/** Two steps are the same when their options are. A secret counts by its digest. */
function keyOf(steps: readonly CheckedStep[]): string {
  return JSON.stringify(steps, function (this: Record<string, unknown>, key, value) {
    const original = this[key];
    if (Secret.is(original)) return createHash('sha256').update(original.reveal()).digest('base64');
    return original instanceof ContextOperations ? (original as Context).id : (value as unknown);
  });
}
