/** How each kind of live value crosses: see `live.ts`. */
import { createAbort } from './abort.ts';
import { Receiver, Sender } from './channel.ts';
import { mitosError } from './errors.ts';
import { FIRST_CHANNEL, OPEN } from './handles.ts';
import { CONTEXT, type LiveValues } from './live.ts';
import { CONTROL, type ContextId, srcOf } from './wire.ts';

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

/** What is sent to `dst` in place of a live value; `undefined` when it is none. */
export function encodeLive(live: LiveValues, value: object, dst: ContextId): Descriptor | undefined {
  const own = live.endpoint.id;
  if (CONTEXT in value) {
    const { id, name } = value as unknown as { id: ContextId; name: string };
    openWay(live, dst, id);
    live.onContextSent(dst, id);
    return { t: 'context', i: id, n: name };
  }
  if (value instanceof Sender) {
    if (value.onHanded) value.onHanded(dst);
    openWay(live, dst, value.dst, true);
    return { t: 'sender', i: value.dst, h: value.handle };
  }
  const like = value as { aborted?: unknown; addEventListener?: unknown; getWriter?: unknown; getReader?: unknown };
  if (typeof like.aborted === 'boolean' && typeof like.addEventListener === 'function') {
    return { t: 'signal', i: own, h: watch(live, value as AbortSignal, dst) };
  }
  if (typeof like.getWriter === 'function') {
    const receiver = new Receiver(live.channels, dst);
    void drain(receiver, (value as WritableStream).getWriter());
    return { t: 'writable', i: own, h: receiver.handle };
  }
  if (Symbol.asyncIterator in value) {
    const sender = new Sender<unknown>(live.channels, dst, 0);
    const h = sender.open();
    // Whoever takes the call asks the source to begin at once: without that, nobody ever will.
    if (live.disposers) live.disposers.push(() => sender.handle || sender.close());
    void pump(value as AsyncIterable<unknown>, sender);
    return { t: typeof like.getReader === 'function' ? 'readable' : 'source', i: own, h };
  }
  return undefined;
}

/** The live value that a descriptor stands for. */
export function decodeLive(live: LiveValues, data: unknown): unknown {
  const descriptor = data as Descriptor;
  const { i, h } = descriptor as { i: ContextId; h: number };
  // A handle below is a mailbox that acts for whoever writes to it, which would be this context.
  if (i >>> 0 !== i || (descriptor.t !== 'context' && (h >>> 0 !== h || h < FIRST_CHANNEL))) {
    throw mitosError('ERR_MITOS_PROTOCOL', `A ${descriptor.t} of context ${i} cannot be at ${h}`);
  }
  switch (descriptor.t) {
    case 'context':
      return live.makeContext(i, descriptor.n);
    case 'sender':
      return new Sender(live.channels, i, h);
    case 'source':
    case 'readable':
      return receive(live, i, h, descriptor.t === 'readable');
    case 'writable':
      return writable(new Sender(live.channels, i, h));
    case 'signal':
      return signal(live, i, h);
    default:
      return undefined;
  }
}

function receive(live: LiveValues, dst: ContextId, handle: number, isReadable: boolean): unknown {
  const receiver = new Receiver(live.channels, dst);
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

function writable(sender: Sender): unknown {
  const { WritableStream } = globalThis as Streams;
  if (!WritableStream) return sender;
  return new WritableStream({
    write: (value) => sender.send(value),
    close: () => sender.close(),
    abort: (reason) => sender.close(reason === undefined ? new Error('The stream was aborted') : reason),
  });
}

/** Tells `dst` when `signal` aborts. */
function watch(live: LiveValues, signal: AbortSignal, dst: ContextId): number {
  const handle = live.channels.newHandle();
  const tell = (): void => {
    const reason = (signal as { reason?: unknown }).reason;
    live.endpoint.send(dst, handle, 0, live.encode(reason instanceof Error ? reason : new Error(String(reason)), 'reason', dst));
  };
  if (signal.aborted) setImmediate(tell);
  else signal.addEventListener('abort', tell);
  if (live.disposers) live.disposers.push(() => signal.removeEventListener('abort', tell));
  return handle;
}

function signal(live: LiveValues, src: ContextId, handle: number): AbortSignal {
  const { endpoint } = live;
  if (endpoint.has(handle)) throw mitosError('ERR_MITOS_PROTOCOL', `Mailbox ${handle} is in use`);
  const controller = createAbort();
  endpoint.on(handle, (message) => {
    if (srcOf(message) !== src) return;
    endpoint.off(handle);
    controller.abort(live.decode(message));
  });
  if (live.disposers) live.disposers.push(() => endpoint.off(handle));
  return controller.signal;
}

/** Lets the context that a value is sent to talk to `id`; with `own` only to its channels, as nobody but itself. */
function openWay({ endpoint }: LiveValues, dst: ContextId, id: ContextId, own?: boolean): void {
  if (id !== dst) endpoint.sendJson(endpoint.id, OPEN, 0, { from: dst, to: id, own }, CONTROL);
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
