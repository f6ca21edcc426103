/** Bytes over a MessagePort: between the threads of one process. */
import type { MessagePort } from 'worker_threads';
import type { Transport } from './transport.ts';
import { FrameParser } from './wire.ts';

const noop = (): void => {};

/** A transport over a port. Bytes are copied once and then moved, not shared. */
export class PortTransport implements Transport {
  onData: (chunk: Buffer) => void = noop;
  onDrain: () => void = noop;
  onClose: (reason: Error | undefined) => void = noop;
  readonly #port: MessagePort;
  #isClosed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (bytes: Uint8Array) => this.onData(asBuffer(bytes)));
    port.on('close', () => this.#close(undefined));
  }

  write(chunks: readonly Uint8Array[]): boolean {
    post(this.#port, chunks);
    return true;
  }

  /** A port cannot hold back; the windows of the two ends bound what is under way. */
  pause(): void {}
  resume(): void {}

  end(): void {
    this.#port.close();
    this.#close(undefined);
  }

  destroy(reason?: Error): void {
    this.#port.close();
    this.#close(reason);
  }

  #close(reason: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onClose(reason);
  }
}

/**
 * The link between a context's user thread and its I/O thread: frames in both directions. `wake` is shared by the two: the
 * I/O thread counts it up with every post, so that a blocked user thread can wait on it.
 */
export class FrameLink {
  readonly port: MessagePort;
  readonly #wake: Int32Array;
  readonly #parser: FrameParser = new FrameParser();
  readonly #onFrame: (frame: Buffer) => void;
  readonly #onNotice: (notice: never) => void;
  #queue: Buffer[] = [];

  /** @param onNotice Takes what comes through the port and is not bytes. */
  constructor(port: MessagePort, wake: Int32Array, onFrame: (frame: Buffer) => void, onNotice: (notice: never) => void) {
    this.port = port;
    this.#wake = wake;
    this.#onFrame = onFrame;
    this.#onNotice = onNotice;
    port.on('message', (message: unknown) => this.take(message));
  }

  /** Sends a frame; frames of one turn of the loop go together. */
  send(frame: Buffer): void {
    if (this.#queue.push(frame) === 1) queueMicrotask(() => this.flush());
  }

  /** Sends what waits at once. */
  flush(): void {
    if (!this.#queue.length) return;
    post(this.port, this.#queue);
    this.#queue = [];
    Atomics.add(this.#wake, 0, 1);
    Atomics.notify(this.#wake, 0);
  }

  /** Takes what came through the port. */
  take(message: unknown): void {
    if (message instanceof Uint8Array) this.#parser.push(asBuffer(message), this.#onFrame);
    else this.#onNotice(message as never);
  }
}

function post(port: MessagePort, chunks: readonly Uint8Array[]): void {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  port.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
