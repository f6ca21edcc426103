/**
 * Runs functions on the orders of ancestors.
 *
 * A CALL message is u16 length of the head, the head, and the arguments as a payload. The head is the reference of the
 * function, and behind a line break (when there is something to say) JSON: `d` milliseconds to go, `c` number of a chain.
 * Calls of one caller start in the order they were made: while one waits for its modules, the later ones wait too.
 * The reply is the value; or, with the ERROR flag, `[1, error]` for what the function threw and `[0, error]` for what
 * kept it from running.
 */
import { mitosError, type MitosError } from './errors.ts';
import type { Endpoint } from './endpoint.ts';
import { CALL, CANCEL, DROP_CHAIN } from './handles.ts';
import type { LiveValues } from './live.ts';
import { authOf, type ContextId, DEAD, ERROR, HEADER, jsonOf, NORMAL, replyToOf, srcOf } from './wire.ts';

/** One running call, seen from inside. */
export class Invocation {
  readonly caller: ContextId;
  /** What has to be undone when the call is over. */
  readonly disposers: (() => void)[] = [];
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(caller: ContextId) {
    this.caller = caller;
  }

  /** Aborts when the caller gives up or the context is shut down. Made when first asked for. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal. */
  abort(reason: unknown): void {
    this.#reason = reason;
    if (this.#controller) (this.#controller.abort as (reason?: unknown) => void).call(this.#controller, reason);
  }
}

interface Head {
  /** Milliseconds until the caller gives up. */
  d?: number;
  /** Chain. */
  c?: number;
}

interface Order extends Head {
  message: Buffer;
  ref: string;
  /** Where the arguments start, behind the header. */
  offset: number;
}

/** Calls of one caller. */
interface Caller {
  /** Calls that wait for their turn to start; the first one is starting. */
  queue: Order[];
  running: Map<number, Invocation>;
  chains: Map<number, { tail: Promise<void>; error: MitosError | unknown; hasFailed: boolean }>;
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
    endpoint.on(DROP_CHAIN, (message) => this.#caller(srcOf(message)).chains.delete(Number(jsonOf(message))));
  }

  /** Number of calls that have begun and not ended. */
  get running(): number {
    let count = 0;
    for (const caller of this.#callers.values()) count += caller.running.size + caller.queue.length;
    return count;
  }

  /** Aborts the signals of all running calls, or of those of some callers. */
  abortAll(reason: unknown, isConcerned: (caller: ContextId) => boolean = () => true): void {
    for (const [id, caller] of this.#callers) {
      if (!isConcerned(id)) continue;
      this.#callers.delete(id);
      for (const invocation of caller.running.values()) invocation.abort(reason);
    }
  }

  #caller(id: ContextId): Caller {
    let caller = this.#callers.get(id);
    if (!caller) this.#callers.set(id, (caller = { queue: [], running: new Map(), chains: new Map() }));
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
    if (caller.running.size + caller.queue.length >= this.#endpoint.limits.maxCalls) {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_LIMIT', `Too many calls at once (maxCalls: ${this.#endpoint.limits.maxCalls})`));
    } else if (caller.queue.length) {
      caller.queue.push(order);
    } else {
      this.#start(caller, order);
    }
  }

  /** Finds the function and runs it; when that takes time, whatever the caller sends next waits behind it. */
  #start(caller: Caller, order: Order): void {
    let found: unknown;
    try {
      found = this.#source.resolveRef(order.ref);
    } catch (error) {
      this.#fail(order, 0, error);
      return;
    }
    if (!isThenable(found)) {
      this.#runInChain(caller, order, found);
      return;
    }
    caller.queue.unshift(order);
    const next = (act: () => void): void => {
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
    found.then(
      (fn) => next(() => this.#runInChain(caller, order, fn)),
      (error) => next(() => this.#fail(order, 0, error)),
    );
  }

  #runInChain(caller: Caller, order: Order, fn: unknown): void {
    if (order.c === undefined) {
      this.#run(caller, order, fn);
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
        this.#fail(order, 1, link.error);
        return undefined;
      }
      return this.#run(caller, order, fn, (error) => {
        link.hasFailed = true;
        link.error = error;
      });
    });
  }

  #run(caller: Caller, order: Order, fn: unknown, onError?: (error: unknown) => void): Promise<void> | undefined {
    const { message } = order;
    const invocation = new Invocation(srcOf(message));
    const fail = (error: unknown): void => {
      if (onError) onError(error);
      finish();
      this.#fail(order, 1, error);
    };
    const finish = (): void => {
      const replyTo = replyToOf(message);
      if (caller.running.get(replyTo) === invocation) caller.running.delete(replyTo);
      for (const dispose of invocation.disposers) dispose();
    };
    try {
      this.#live.disposers = invocation.disposers;
      const args = this.#live.decode(message, order.offset) as unknown[];
      this.#live.disposers = undefined;
      const result = this.#wrapCall(invocation, fn as (...args: unknown[]) => unknown, args);
      if (!isThenable(result)) {
        finish();
        this.#succeed(order, result);
        return undefined;
      }
      if (order.d !== undefined) setDeadline(invocation, order.d);
      caller.running.set(replyToOf(message), invocation);
      return result.then((value) => {
        finish();
        this.#succeed(order, value);
      }, fail) as Promise<void>;
    } catch (error) {
      fail(error);
      return undefined;
    }
  }

  #wrapCall(invocation: Invocation, fn: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    if (typeof fn !== 'function') throw mitosError('ERR_MITOS_NOT_CALLABLE', 'The call names something that is not a function');
    return this.wrap(invocation, () => fn(...args));
  }

  #succeed(order: Order, value: unknown): void {
    const replyTo = replyToOf(order.message);
    if (!replyTo) return;
    const src = srcOf(order.message);
    try {
      this.#endpoint.send(src, replyTo, 0, this.#live.encode(isGenerator(value) ? overlap(value) : value, 'result', src));
    } catch (error) {
      this.#fail(order, 0, error);
    }
  }

  #fail(order: Order, isThrown: number, error: unknown): void {
    const src = srcOf(order.message);
    const replyTo = replyToOf(order.message);
    if (!replyTo) {
      this.onNotifyError(src, error);
      return;
    }
    let message: Buffer;
    try {
      message = this.#live.encode([isThrown, error], 'error', src);
    } catch {
      message = this.#live.encode([isThrown, String(error)], 'error', src);
    }
    this.#endpoint.send(src, replyTo, 0, message, NORMAL | ERROR);
  }

  #onCancel(message: Buffer): void {
    const caller = this.#callers.get(srcOf(message));
    const data = jsonOf(message) as { call: number; reason: string } | undefined;
    if (!caller || !data) return;
    const reason = mitosError('ERR_MITOS_ABORTED', String(data.reason || 'The caller gave up'));
    const invocation = caller.running.get(data.call);
    if (invocation) invocation.abort(reason);
    const at = caller.queue.findIndex((order) => replyToOf(order.message) === data.call);
    if (at > 0) caller.queue.splice(at, 1);
  }
}

function readOrder(message: Buffer): Order | undefined {
  if (message.length < HEADER + 2) return undefined;
  const end = HEADER + 2 + message.readUInt16BE(HEADER);
  if (end > message.length) return undefined;
  const [ref, head] = message.toString('utf8', HEADER + 2, end).split('\n') as [string, string | undefined];
  const offset = end - HEADER;
  try {
    return Object.assign(head ? (JSON.parse(head) as Head) : {}, { message, ref, offset });
  } catch {
    return undefined;
  }
}

function setDeadline(invocation: Invocation, ms: number): void {
  const timer = setTimeout(() => invocation.abort(mitosError('ERR_MITOS_TIMEOUT', 'The time of the call is over')), ms);
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
