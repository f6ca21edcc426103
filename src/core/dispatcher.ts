/**
 * Runs functions on the orders of ancestors.
 *
 * A CALL message is u16 length of the head, the head, and the arguments as a payload. The head is the reference of the
 * function, and behind a line break (when there is something to say) JSON: `d` milliseconds to go, `c` number of a chain.
 * Calls of one caller start in the order they were made: while one waits for its modules, the later ones wait too.
 * The reply is the value; or, with the ERROR flag, `[1, error]` for what the function threw and `[0, error]` for what
 * kept it from running.
 */

import type { Endpoint } from './endpoint.ts';
import { mitosError } from './errors.ts';
import { CALL, CANCEL, DROP_CHAIN } from './handles.ts';
import type { LiveValues } from './live.ts';
import { rare } from './rare.ts';
import { authOf, type ContextId, DEAD, ERROR, HEADER, jsonOf, NORMAL, replyToOf, srcOf } from './wire.ts';

/** One running call, seen from inside. */
export class Invocation {
  readonly caller: ContextId;
  /** What has to be undone when the call is over. */
  readonly disposers: (() => void)[] = [];
  /** Told when it is aborted, on every Node. */
  onAbort: () => void = () => {};
  isAborted = false;
  /** Set when the caller does not want the reply any more. */
  isForgotten = false;
  /** Why it was aborted. */
  reason: unknown;
  #controller: AbortController | undefined;

  constructor(caller: ContextId) {
    this.caller = caller;
  }

  /** Aborts when the caller gives up or the context is shut down. Made when first asked for. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = rare().createAbort();
      if (this.isAborted) this.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal. */
  abort(reason: unknown): void {
    this.isAborted = true;
    this.reason = reason;
    this.onAbort();
    if (this.#controller) this.#controller.abort(reason);
  }
}

/** The call whose function is being started on this thread: set until that function waits for the first time. */
export const starting: { invocation?: Invocation | undefined } = {};

interface Head {
  /** Milliseconds until the caller gives up. */
  d: number | undefined;
  /** Chain. */
  c: number | undefined;
}

interface Order extends Head {
  message: Buffer;
  ref: string;
  /** Where the arguments start, behind the header. */
  offset: number;
  invocation: Invocation;
}

/** Calls of one caller. */
interface Caller {
  /** Calls that wait for their turn to start; the first one is starting. */
  queue: Order[];
  /** Nothing more will come; to be forgotten when the last call is over. */
  isGone: boolean;
  /** Calls that are not over, those that wait included: by the handle for the reply, or by themselves when there is none. */
  running: Map<unknown, Invocation>;
  chains: Map<number, { tail: Promise<void>; error: unknown; hasFailed: boolean }>;
}

/** Where functions come from. */
export interface FunctionSource {
  /** The function that `ref` names, at once when it is there. */
  resolveRef(ref: string): unknown;
}

/** Runs the calls that are made to one context. */
export class Dispatcher {
  /** Runs `fn` so that it can find out about its invocation. */
  wrap: (invocation: Invocation, fn: () => unknown) => unknown = (_invocation, fn) => fn();
  /** Told of errors of calls that want no reply. */
  onNotifyError: (caller: ContextId, error: unknown) => void = () => {};
  readonly #endpoint: Endpoint;
  readonly #live: LiveValues;
  readonly #source: FunctionSource;
  readonly #callers: Map<ContextId, Caller> = new Map();

  constructor(endpoint: Endpoint, live: LiveValues, source: FunctionSource) {
    this.#endpoint = endpoint;
    this.#live = live;
    this.#source = source;
    endpoint.on(CALL, (message) => this.#onCall(message));
    endpoint.on(CANCEL, (message) => this.#onCancel(message));
    endpoint.on(DROP_CHAIN, (message) => {
      const caller = this.#callers.get(srcOf(message));
      if (caller) caller.chains.delete(Number(jsonOf(message)));
    });
  }

  /** Number of calls that have come and not ended. */
  get running(): number {
    let count = 0;
    for (const caller of this.#callers.values()) count += caller.running.size;
    return count;
  }

  /** Aborts all calls, or those of some callers: the signals of those that run; those that wait do not start any more. */
  abortAll(reason: unknown, isConcerned: (caller: ContextId) => boolean = () => true): void {
    for (const [id, caller] of this.#callers) {
      if (!isConcerned(id)) continue;
      caller.isGone = true;
      caller.chains.clear();
      for (const invocation of caller.running.values()) invocation.abort(reason);
      if (!caller.running.size) this.#callers.delete(id);
    }
  }

  #caller(id: ContextId): Caller {
    let caller = this.#callers.get(id);
    if (!caller) this.#callers.set(id, (caller = { queue: [], isGone: false, running: new Map(), chains: new Map() }));
    return caller;
  }

  #onCall(message: Buffer): void {
    if ((message[2] as number) & DEAD) return;
    const src = srcOf(message);
    if (!this.#endpoint.obeys(authOf(message))) {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_POLICY', `Context ${src} has no authority over context ${this.#endpoint.id}`));
      return;
    }
    const order = readOrder(message);
    if (!order) {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_PROTOCOL', 'The call cannot be read'));
      return;
    }
    const caller = this.#caller(src);
    if (caller.running.size >= this.#endpoint.limits.maxCalls) {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_LIMIT', `Too many calls at once (maxCalls: ${this.#endpoint.limits.maxCalls})`));
      return;
    }
    const { invocation } = order;
    caller.running.set(replyToOf(message) || invocation, invocation);
    if (order.d) setDeadline(invocation, order.d);
    if (caller.queue.length) caller.queue.push(order);
    else this.#start(caller, order);
  }

  /** Finds the function and runs it; when that takes time, whatever the caller sends next waits behind it. */
  #start(caller: Caller, order: Order): void {
    let found: unknown;
    try {
      found = this.#source.resolveRef(order.ref);
    } catch (error) {
      this.#fail(caller, order, 0, error);
      return;
    }
    if (!isThenable(found)) {
      this.#runInChain(caller, order, found);
      return;
    }
    caller.queue.unshift(order);
    const proceed = (act: () => void): void => {
      if (caller.queue[0] === order) {
        caller.queue.shift();
        act();
      }
      while (caller.queue.length) {
        const following = caller.queue.shift() as Order;
        this.#start(caller, following);
        if (caller.queue[0] === following) break;
      }
    };
    // Modules may await for ever: a call that is given up is not in the way of the next one.
    const end = new Promise((_resolve, reject) => (order.invocation.onAbort = () => reject(order.invocation.reason)));
    void Promise.race([found, end]).then(
      (fn) => proceed(() => this.#runInChain(caller, order, fn)),
      (error) => proceed(() => this.#fail(caller, order, 0, error)),
    );
  }

  #runInChain(caller: Caller, order: Order, fn: unknown): void {
    if (order.c === undefined) {
      void this.#run(caller, order, fn);
      return;
    }
    let chain = caller.chains.get(order.c);
    if (!chain) {
      if (caller.chains.size >= 10000) caller.chains.delete(caller.chains.keys().next().value as number);
      caller.chains.set(order.c, (chain = { tail: Promise.resolve(), error: undefined, hasFailed: false }));
    }
    const link = chain;
    link.tail = link.tail.then(() => {
      if (link.hasFailed) {
        this.#fail(caller, order, 1, link.error);
        return undefined;
      }
      return this.#run(caller, order, fn, (error) => {
        link.hasFailed = true;
        link.error = error;
      });
    });
  }

  #run(caller: Caller, order: Order, fn: unknown, onError?: (error: unknown) => void): Promise<void> | undefined {
    const { message, invocation } = order;
    const fail = (error: unknown, isThrown: number): void => {
      if (onError) onError(error);
      this.#fail(caller, order, isThrown, error);
    };
    if (invocation.isAborted) {
      fail(invocation.reason, 0);
      return undefined;
    }
    if (typeof fn !== 'function') {
      fail(mitosError('ERR_MITOS_NOT_CALLABLE', `Cannot call "${order.ref.replace(/^.*#/, '')}": it is not a function`), 0);
      return undefined;
    }
    try {
      this.#live.disposers = invocation.disposers;
      const args = this.#live.decode(message, order.offset) as unknown[];
      this.#live.disposers = undefined;
      const result = this.#wrapCall(invocation, fn as (...args: unknown[]) => unknown, args);
      if (isThenable(result)) {
        return Promise.resolve(result).then(
          (value) => this.#succeed(caller, order, value),
          (error) => fail(error, 1),
        );
      }
      this.#succeed(caller, order, result);
    } catch (error) {
      this.#live.disposers = undefined;
      fail(error, 1);
    }
    return undefined;
  }

  #wrapCall(invocation: Invocation, fn: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    return this.wrap(invocation, () => {
      starting.invocation = invocation;
      try {
        return fn(...args);
      } finally {
        starting.invocation = undefined;
      }
    });
  }

  #succeed(caller: Caller, order: Order, value: unknown): void {
    const replyTo = replyToOf(order.message);
    const src = srcOf(order.message);
    try {
      if (replyTo && !order.invocation.isForgotten)
        this.#endpoint.send(src, replyTo, 0, this.#live.encode(isGenerator(value) ? overlap(value) : value, 'result', src));
    } catch (error) {
      this.#fail(caller, order, 0, error);
      return;
    }
    this.#finish(caller, order);
  }

  #fail(caller: Caller, order: Order, isThrown: number, error: unknown): void {
    this.#finish(caller, order);
    const src = srcOf(order.message);
    const replyTo = replyToOf(order.message);
    if (order.invocation.isForgotten) return;
    if (!replyTo) {
      this.onNotifyError(src, error);
      return;
    }
    // What was thrown may be anything: too large, not sendable, without a text.
    for (const attempt of [() => error, () => String(error), () => 'The error cannot be sent']) {
      try {
        this.#endpoint.send(src, replyTo, 0, this.#live.encode([isThrown, attempt()], 'error', src), NORMAL | ERROR);
        return;
      } catch {
        // the next one
      }
    }
  }

  #finish(caller: Caller, { message, invocation }: Order): void {
    const src = srcOf(message);
    const key = replyToOf(message) || invocation;
    if (caller.running.get(key) === invocation) caller.running.delete(key);
    for (const dispose of invocation.disposers) dispose();
    if (caller.isGone && !caller.running.size && this.#callers.get(src) === caller) this.#callers.delete(src);
  }

  #onCancel(message: Buffer): void {
    const caller = this.#callers.get(srcOf(message));
    const data = jsonOf(message) as { call: number; reason: string } | undefined;
    const invocation = caller && data ? caller.running.get(data.call) : undefined;
    if (!invocation) return;
    invocation.isForgotten = true;
    invocation.abort(mitosError('ERR_MITOS_ABORTED', String(data?.reason || 'The caller gave up')));
  }
}

const NO_HEAD: Head = { c: undefined, d: undefined };

function readOrder(message: Buffer): Order | undefined {
  if (message.length < HEADER + 2) return undefined;
  const end = HEADER + 2 + message.readUInt16BE(HEADER);
  if (end > message.length) return undefined;
  const text = message.toString('utf8', HEADER + 2, end);
  const at = text.indexOf('\n');
  try {
    const { c, d } = at < 0 ? NO_HEAD : (JSON.parse(text.slice(at)) as Head);
    const ref = at < 0 ? text : text.slice(0, at);
    return { message, ref, offset: end - HEADER, invocation: new Invocation(srcOf(message)), c, d };
  } catch {
    return undefined;
  }
}

function setDeadline(invocation: Invocation, ms: number): void {
  const timer = setTimeout(
    () => invocation.abort(mitosError('ERR_MITOS_TIMEOUT', 'The time of the call is over')),
    Math.min(ms, 0x7fffffff),
  );
  timer.unref();
  invocation.disposers.push(() => clearTimeout(timer));
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

function isGenerator(value: unknown): value is Generator {
  return Object.prototype.toString.call(value) === '[object Generator]';
}

/** A synchronous generator as an asynchronous one. */
async function* overlap(generator: Generator): AsyncGenerator {
  yield* generator;
}
