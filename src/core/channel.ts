/**
 * Flows of items between two contexts, with credit counted in bytes.
 *
 * An item goes to the random handle of a {@link Receiver}; its replyTo is the handle where the {@link Sender} takes
 * credit. A dead message without data ends the flow, one with data (or an item with the ERROR flag) ends it with an
 * error; a dead message to the sender's handle says that nobody reads any more. A sender that was handed over starts
 * with a whole window; a *source* (an iterable that was handed over) starts with none and learns from the first credit
 * message where to send: so nothing is produced before it has arrived.
 */
import { randomBytes } from 'crypto';
import type { Endpoint } from './endpoint.ts';
import { type MitosError, mitosError } from './errors.ts';
import * as handles from './handles.ts';
import { fromReason } from './reason.ts';
import { holds, type IdSet } from './route-table.ts';
import { BULK, CONTROL, type ContextId, DEAD, dataOf, ERROR, HEADER, jsonOf, replyToOf, sizeOf, srcOf } from './wire.ts';

/** What an item counts beside its own bytes, so that empty items are bounded too. */
const ITEM_OVERHEAD = 64;
/** Most senders of one receiver. */
const MAX_SENDERS = 10000;

/** How values become messages and back; set up by {@link Channels}. */
export interface ItemCodec {
  /** A message (with room for its header) for `dst`. */
  encode(value: unknown, path: string, dst: ContextId): Buffer;
  /** The value of a message. */
  decode(message: Buffer): unknown;
}

/** How long to wait. */
export interface WaitOptions {
  /** Gives up with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Gives up with `ERR_MITOS_TIMEOUT` after so many milliseconds. */
  timeoutMs?: number | undefined;
}

/** An item that waits for credit. */
interface Queued<T> {
  value: T;
  resolve(): void;
  reject(error: unknown): void;
}

interface Waiter {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

/** All channels that end in this context. */
export class Channels {
  readonly endpoint: Endpoint;
  readonly codec: ItemCodec;
  /** Everything that has to hear when contexts are gone. */
  readonly flows: Set<{ onGone(gone: IdSet, reason: MitosError): void }> = new Set();

  constructor(endpoint: Endpoint, codec: ItemCodec) {
    this.endpoint = endpoint;
    this.codec = codec;
  }

  /** A handle that nobody can guess and that is not in use. */
  newHandle(): number {
    for (;;) {
      const handle = (randomBytes(4).readUInt32BE(0) | handles.FIRST_CHANNEL) >>> 0;
      if (!this.endpoint.has(handle)) return handle;
    }
  }

  /** Tells every flow that contexts are gone. */
  onGone(gone: IdSet, reason: MitosError): void {
    for (const flow of [...this.flows]) flow.onGone(gone, reason);
  }
}

/**
 * The end of a channel where items come out, in the order they were sent. Items wait here until they are read; senders
 * are held back by credit, so that no more than a window for each of them ever waits.
 */
export class Receiver<T = unknown> implements AsyncIterable<T> {
  /** The mailbox. */
  readonly handle: number;
  readonly #channels: Channels;
  /** The only context that may send, for the far end of a stream. */
  readonly #from: ContextId | undefined;
  readonly #items: Buffer[] = [];
  readonly #waiters: Waiter[] = [];
  /** Bytes read and not yet credited, by sender. */
  readonly #taken: Map<string, number> = new Map();
  /** Contexts that a sender was handed to. */
  readonly #holders: Set<ContextId> = new Set();
  /** Senders that were not handed to anybody: they may be used here. */
  #idleSenders = 0;
  #bytes = 0;
  #isEnded = false;
  #error: unknown;
  #source: { dst: ContextId; handle: number } | undefined;

  constructor(channels: Channels, from?: ContextId) {
    this.#channels = channels;
    this.#from = from;
    this.handle = channels.newHandle();
    channels.endpoint.on(this.handle, (message) => this.#onMessage(message));
    channels.flows.add(this);
  }

  /** The end where items go in; hand it to whoever shall send, here or elsewhere. */
  sender(): Sender<T> {
    const sender = new Sender<T>(this.#channels, this.#channels.endpoint.id, this.handle);
    this.#idleSenders++;
    let isIdle = true;
    sender.onHanded = (dst) => {
      if (isIdle) this.#idleSenders--;
      isIdle = false;
      this.#holders.add(dst);
    };
    return sender;
  }

  /** @internal Asks a source to begin. */
  start(dst: ContextId, handle: number): void {
    this.#source = { dst, handle };
    this.#sendCredit(dst, handle, this.#channels.endpoint.limits.channelWindowBytes, this.handle);
  }

  /**
   * The next item. Rejects with the sender's error when it closed with one, with `ERR_MITOS_DISCONNECTED` when the
   * channel has ended, with `ERR_MITOS_TIMEOUT` or the signal's reason when the wait is given up (no item is lost then).
   */
  get(options: WaitOptions = {}): Promise<T> {
    return this.#next(options).then((result) => {
      if (result.done) throw mitosError('ERR_MITOS_DISCONNECTED', 'Cannot receive: the channel has ended');
      return result.value as T;
    });
  }

  /** Reads until the channel ends; leaving the loop closes it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const iterator: AsyncIterableIterator<T> = {
      next: () => this.#next({}) as Promise<IteratorResult<T>>,
      return: (value?: unknown) => {
        this.close();
        return Promise.resolve({ done: true, value: value as T });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Ends the channel here: senders are told, unread items are dropped, who waits is told that it has ended. Idempotent. */
  close(): void {
    if (this.#isEnded && !this.#items.length) return;
    this.#items.length = 0;
    this.#end(undefined);
    this.#release();
    const { endpoint } = this.#channels;
    if (this.#source) endpoint.send(this.#source.dst, this.#source.handle, 0, Buffer.alloc(HEADER), CONTROL | DEAD);
    for (const key of this.#taken.keys()) {
      const [dst, handle] = key.split(':').map(Number) as [number, number];
      if (handle !== this.#source?.handle) endpoint.send(dst, handle, 0, Buffer.alloc(HEADER), CONTROL | DEAD);
    }
    this.#taken.clear();
  }

  /** @internal */
  onGone(gone: IdSet, reason: MitosError): void {
    let isConcerned = false;
    for (const id of this.#holders) if (holds(gone, id)) isConcerned = this.#holders.delete(id);
    for (const key of this.#taken.keys()) if (holds(gone, Number(key.split(':')[0]))) isConcerned = this.#taken.delete(key);
    const isAlone = isConcerned && !this.#idleSenders && !this.#holders.size && !this.#taken.size;
    if (isAlone || (this.#from !== undefined && holds(gone, this.#from))) this.#end(reason);
  }

  #next(options: WaitOptions): Promise<IteratorResult<unknown>> {
    const { signal, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      if (signal && signal.aborted) return reject((signal as { reason?: unknown }).reason);
      if (this.#items.length) return this.#take(resolve, reject);
      if (this.#isEnded) return this.#error === undefined ? resolve({ done: true, value: undefined }) : reject(this.#error);
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => giveUp((signal as { reason?: unknown }).reason);
      const done = (): void => {
        clearTimeout(timer as NodeJS.Timeout);
        if (signal) signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      };
      const giveUp = (error: unknown): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.reject(error);
      };
      this.#waiters.push(waiter);
      if (timeoutMs !== undefined) {
        timer = setTimeout(() => giveUp(mitosError('ERR_MITOS_TIMEOUT', `Nothing received within ${timeoutMs} ms`)), timeoutMs);
      }
      if (signal) signal.addEventListener('abort', onAbort);
    });
  }

  #onMessage(message: Buffer): void {
    const { endpoint } = this.#channels;
    if (this.#isEnded || (this.#from !== undefined && srcOf(message) !== this.#from)) return;
    const flags = message[2] as number;
    if (flags & DEAD) {
      this.#end(message.length > HEADER ? fromReason(jsonOf(message)) : undefined);
      return;
    }
    if (flags & ERROR) {
      let error: unknown;
      try {
        error = this.#channels.codec.decode(message);
      } catch (unreadable) {
        error = unreadable;
      }
      this.#end(error);
      return;
    }
    const key = `${srcOf(message)}:${replyToOf(message)}`;
    const isTooMuch = !this.#taken.has(key) && this.#taken.size >= MAX_SENDERS;
    this.#bytes += message.length;
    if (isTooMuch || this.#items.length >= endpoint.limits.maxChannelItems || this.#bytes > endpoint.limits.maxAssemblyBytes) {
      this.#bytes -= message.length;
      endpoint.refuse(message, mitosError('ERR_MITOS_LIMIT', 'The receiver is full (maxChannelItems)'));
      return;
    }
    this.#items.push(message);
    if (!this.#taken.has(key)) this.#taken.set(key, 0);
    const waiter = this.#waiters.shift();
    if (waiter) this.#take(waiter.resolve, waiter.reject);
  }

  #take(resolve: Waiter['resolve'], reject: Waiter['reject']): void {
    const message = this.#items.shift() as Buffer;
    this.#bytes -= message.length;
    this.#credit(message);
    if (this.#isEnded && !this.#items.length) this.#release();
    try {
      resolve({ done: false, value: this.#channels.codec.decode(message) });
    } catch (error) {
      reject(error);
    }
  }

  #credit(message: Buffer): void {
    const replyTo = replyToOf(message);
    if (!replyTo || this.#isEnded) return;
    const key = `${srcOf(message)}:${replyTo}`;
    if (!this.#taken.has(key)) return;
    const taken = (this.#taken.get(key) || 0) + message.length - HEADER + ITEM_OVERHEAD;
    const isDue = taken >= this.#channels.endpoint.limits.channelWindowBytes / 2;
    this.#taken.set(key, isDue ? 0 : taken);
    if (isDue) this.#sendCredit(srcOf(message), replyTo, taken);
  }

  /** Only the first credit of a source has a `replyTo`: for later ones it is no news that the sender has closed meanwhile. */
  #sendCredit(dst: ContextId, handle: number, bytes: number, replyTo: number = 0): void {
    const message = Buffer.alloc(HEADER + 4);
    message.writeUInt32BE(bytes, HEADER);
    this.#channels.endpoint.send(dst, handle, replyTo, message, CONTROL);
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) {
      if (error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
    }
    this.#channels.endpoint.off(this.handle);
    if (!this.#items.length) this.#release();
  }

  #release(): void {
    this.#channels.flows.delete(this);
  }
}

/** The end of a channel where items go in. It can be handed to another context as an argument. */
export class Sender<T = unknown> {
  /** The context of the receiver. */
  readonly dst: ContextId;
  /** The receiver's mailbox; for a source 0 until it has begun. */
  handle: number;
  readonly #channels: Channels;
  readonly #creditHandle: number;
  #credit: number;
  readonly #waiting: Queued<T>[] = [];
  #closed: MitosError | undefined;
  /** Set when the channel is to be closed as soon as everything has been sent. */
  #closing: { error: unknown } | undefined;
  #isOpen = false;
  /** @internal Called when it is handed to a context. */
  onHanded: ((dst: ContextId) => void) | undefined;
  /** @internal Called when nobody reads any more. */
  onStopped: (() => void) | undefined;
  #onReady: (() => void) | undefined;

  constructor(channels: Channels, dst: ContextId, handle: number) {
    this.#channels = channels;
    this.dst = dst;
    this.handle = handle;
    this.#credit = handle ? channels.endpoint.limits.channelWindowBytes : 0;
    this.#creditHandle = channels.newHandle();
  }

  /** @internal The mailbox where credit arrives; opens it. */
  open(): number {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#channels.endpoint.on(this.#creditHandle, (message) => this.#onCredit(message));
      this.#channels.flows.add(this);
    }
    return this.#creditHandle;
  }

  /** @internal Waits until something may be sent, or nobody reads any more. For one waiter at a time. */
  ready(): Promise<void> {
    if (this.#credit > 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => (this.#onReady = resolve));
  }

  /**
   * Sends an item and waits until there is room for more.
   *
   * Items arrive in order. Rejects with `ERR_MITOS_NOT_SENDABLE` or `ERR_MITOS_TOO_LARGE` (the channel lives on), and with
   * a ChannelError when the receiver is closed or gone.
   */
  send(value: T): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#credit > 0 && !this.#waiting.length) {
      try {
        this.#transmit(value);
        return Promise.resolve();
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject, value }));
  }

  /** Ends the channel, with an error if one is given; items still waiting for room are sent first. */
  close(error?: unknown): void {
    if (this.#closed || this.#closing) return;
    if (this.#waiting.length) this.#closing = { error };
    else this.#finish(error);
  }

  #finish(error: unknown): void {
    this.#stop(mitosError('ERR_MITOS_SHUTDOWN', 'Cannot send: the channel was closed here'));
    if (!this.handle) return;
    const { endpoint, codec } = this.#channels;
    if (error === undefined) endpoint.send(this.dst, this.handle, 0, Buffer.alloc(HEADER), BULK | DEAD);
    else endpoint.send(this.dst, this.handle, 0, codec.encode(toError(error), 'error', this.dst), BULK | ERROR);
  }

  /** @internal */
  onGone(gone: IdSet, reason: MitosError): void {
    if (holds(gone, this.dst)) this.#stop(reason);
  }

  #transmit(value: T): void {
    const message = this.#channels.codec.encode(value, 'value', this.dst);
    this.#channels.endpoint.send(this.dst, this.handle, this.open(), message, BULK);
    this.#credit -= sizeOf(message) - HEADER + ITEM_OVERHEAD;
  }

  #onCredit(message: Buffer): void {
    if (srcOf(message) !== this.dst) return;
    if ((message[2] as number) & DEAD) {
      const reason =
        message.length > HEADER
          ? fromReason(jsonOf(message))
          : mitosError('ERR_MITOS_DISCONNECTED', 'Cannot send: the receiver was closed');
      this.#stop(reason);
      return;
    }
    if (!this.handle) this.handle = replyToOf(message);
    const data = dataOf(message);
    if (data.length === 4) this.#credit += data.readUInt32BE(0);
    if (this.#onReady) this.#onReady();
    while (this.#credit > 0 && this.#waiting.length && !this.#closed) {
      const { resolve, reject, value } = this.#waiting.shift() as Queued<T>;
      try {
        this.#transmit(value);
        resolve();
      } catch (error) {
        reject(error);
      }
    }
    if (this.#closing && !this.#waiting.length) this.#finish(this.#closing.error);
  }

  #stop(reason: MitosError): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#channels.endpoint.off(this.#creditHandle);
    this.#channels.flows.delete(this);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(reason);
    if (this.#onReady) this.#onReady();
    if (this.onStopped) this.onStopped();
  }
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
