/**
 * Values that stay alive when they are sent: contexts, channels, streams, iterables and abort signals cross as small
 * descriptors, and messages between their two ends do the rest. Handing one over also opens the way to it.
 */

import { Channels, type ItemCodec, Receiver, Sender } from './channel.ts';
import { type CodecHooks, decode, encode } from './codec.ts';
import type { Endpoint } from './endpoint.ts';
import { mitosError } from './errors.ts';
import { FIRST_CHANNEL, OPEN } from './handles.ts';
import { CONTROL, type ContextId, dataOf, HEADER, srcOf } from './wire.ts';

/** Marks the Context class of whatever copy of the library. */
export const CONTEXT: unique symbol = Symbol.for('mitos.context') as never;

type Descriptor =
  | { t: 'context'; i: ContextId; n: string }
  | { t: 'sender'; i: ContextId; h: number }
  | { t: 'source' | 'readable'; i: ContextId; h: number }
  | { t: 'writable'; i: ContextId; h: number }
  | { t: 'signal'; i: ContextId; h: number };

interface Streams {
  ReadableStream?: typeof ReadableStream;
  WritableStream?: typeof WritableStream;
}

/** Encodes and decodes messages of one endpoint, live values included. */
export class LiveValues implements ItemCodec {
  readonly channels: Channels;
  /** Id of the module that holds the Context class; told along with every context. */
  apiModule: number | undefined;
  /** Makes a Context; set by whoever has that class. */
  makeContext: (id: ContextId, name: string) => unknown = () => undefined;
  /** Called when a context is about to be handed to `dst`, which needs the Context class then. */
  onContextSent: (dst: ContextId) => void = () => {};
  /** While set, what has to be undone when the call at hand is over is put here. */
  disposers: (() => void)[] | undefined;
  readonly #endpoint: Endpoint;
  readonly #hooks: CodecHooks;
  #dst: ContextId = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.channels = new Channels(endpoint, this);
    this.#hooks = {
      encodeLive: (value) => this.#encodeLive(value),
      decodeLive: (descriptor) => this.#decodeLive(descriptor as Descriptor),
    };
  }

  /** A message for `dst`, with room for the header and `extra` bytes in front of the payload. */
  encode(value: unknown, path: string, dst: ContextId, extra: number = 0): Buffer {
    this.#dst = dst;
    return encode(value, path, HEADER + extra, this.#hooks, this.#endpoint.limits);
  }

  /** The value of a message whose payload starts `extra` bytes behind the header. */
  decode(message: Buffer, extra: number = 0): unknown {
    return decode(extra ? message.subarray(HEADER + extra) : dataOf(message), this.#hooks, this.#endpoint.limits);
  }

  #encodeLive(value: object): Descriptor | undefined {
    const dst = this.#dst;
    const own = this.#endpoint.id;
    if (CONTEXT in value) {
      const { id, name } = value as unknown as { id: ContextId; name: string };
      this.#open(id);
      this.onContextSent(dst);
      return { t: 'context', i: id, n: name };
    }
    if (value instanceof Sender) {
      if (value.onHanded) value.onHanded(dst);
      this.#open(value.dst, true);
      return { t: 'sender', i: value.dst, h: value.handle };
    }
    const like = value as { aborted?: unknown; addEventListener?: unknown; getWriter?: unknown; getReader?: unknown };
    if (typeof like.aborted === 'boolean' && typeof like.addEventListener === 'function') {
      return { t: 'signal', i: own, h: this.#watch(value as AbortSignal, dst) };
    }
    if (typeof like.getWriter === 'function') {
      const receiver = new Receiver(this.channels, dst);
      void drain(receiver, (value as WritableStream).getWriter());
      return { t: 'writable', i: own, h: receiver.handle };
    }
    if (Symbol.asyncIterator in value) {
      const sender = new Sender<unknown>(this.channels, dst, 0);
      const h = sender.open();
      // Whoever takes the call asks the source to begin at once: without that, nobody ever will.
      if (this.disposers) this.disposers.push(() => sender.handle || sender.close());
      void pump(value as AsyncIterable<unknown>, sender);
      return { t: typeof like.getReader === 'function' ? 'readable' : 'source', i: own, h };
    }
    return undefined;
  }

  #decodeLive(descriptor: Descriptor): unknown {
    const { i, h } = descriptor as { i: ContextId; h: number };
    // A handle below is a mailbox that acts for whoever writes to it, which would be this context.
    if (i >>> 0 !== i || (descriptor.t !== 'context' && (h >>> 0 !== h || h < FIRST_CHANNEL))) {
      throw mitosError('ERR_MITOS_PROTOCOL', `A ${descriptor.t} of context ${i} cannot be at ${h}`);
    }
    switch (descriptor.t) {
      case 'context':
        return this.makeContext(i, descriptor.n);
      case 'sender':
        return new Sender(this.channels, i, h);
      case 'source':
      case 'readable':
        return this.#receive(i, h, descriptor.t === 'readable');
      case 'writable':
        return this.#writable(new Sender(this.channels, i, h));
      case 'signal':
        return this.#signal(i, h);
      default:
        return undefined;
    }
  }

  #receive(dst: ContextId, handle: number, isReadable: boolean): unknown {
    const receiver = new Receiver(this.channels, dst);
    receiver.start(dst, handle);
    const { ReadableStream } = globalThis as Streams;
    if (!isReadable || !ReadableStream) return receiver;
    const iterator = receiver[Symbol.asyncIterator]();
    return new ReadableStream(
      {
        pull: (controller) => iterator.next().then((result) => (result.done ? controller.close() : controller.enqueue(result.value))),
        cancel: () => receiver.close(),
      },
      { highWaterMark: 0 },
    );
  }

  #writable(sender: Sender): unknown {
    const { WritableStream } = globalThis as Streams;
    if (!WritableStream) return sender;
    return new WritableStream({
      write: (value) => sender.send(value),
      close: () => sender.close(),
      abort: (reason) => sender.close(reason === undefined ? new Error('The stream was aborted') : reason),
    });
  }

  /** Tells `dst` when `signal` aborts. */
  #watch(signal: AbortSignal, dst: ContextId): number {
    const handle = this.channels.newHandle();
    const tell = (): void => {
      const reason = (signal as { reason?: unknown }).reason;
      this.#endpoint.send(dst, handle, 0, this.encode(reason instanceof Error ? reason : new Error(String(reason)), 'reason', dst));
    };
    if (signal.aborted) setImmediate(tell);
    else signal.addEventListener('abort', tell);
    if (this.disposers) this.disposers.push(() => signal.removeEventListener('abort', tell));
    return handle;
  }

  #signal(src: ContextId, handle: number): AbortSignal {
    if (this.#endpoint.has(handle)) throw mitosError('ERR_MITOS_PROTOCOL', `Mailbox ${handle} is in use`);
    const controller = new AbortController();
    this.#endpoint.on(handle, (message) => {
      if (srcOf(message) !== src) return;
      this.#endpoint.off(handle);
      (controller.abort as (reason?: unknown) => void).call(controller, this.decode(message));
    });
    if (this.disposers) this.disposers.push(() => this.#endpoint.off(handle));
    return controller.signal;
  }

  /** Lets the context that a value is sent to talk to `id`; with `own` only to its channels, as nobody but itself. */
  #open(id: ContextId, own?: boolean): void {
    if (id === this.#dst) return;
    this.#endpoint.sendJson(this.#endpoint.id, OPEN, 0, { from: this.#dst, to: id, own }, CONTROL);
  }
}

/** Sends what an iterable gives, as far as there is credit. */
async function pump(iterable: AsyncIterable<unknown>, sender: Sender): Promise<void> {
  let isStopped = false;
  try {
    const iterator = iterable[Symbol.asyncIterator]();
    sender.onStopped = () => {
      isStopped = true;
      if (iterator.return) Promise.resolve(iterator.return()).catch(() => {});
    };
    for (;;) {
      await sender.ready();
      if (isStopped) return;
      const result = await iterator.next();
      if (result.done || isStopped) break;
      await sender.send(result.value);
    }
    sender.close();
  } catch (error) {
    sender.close(error);
  }
}

/** Writes what arrives to a stream. */
async function drain(receiver: Receiver, writer: WritableStreamDefaultWriter): Promise<void> {
  try {
    for await (const item of receiver) await writer.write(item);
    await writer.close();
  } catch (error) {
    writer.abort(error).catch(() => {});
  }
}
