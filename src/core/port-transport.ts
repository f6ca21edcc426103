/** Bytes over a MessagePort: between the threads of one process. */
import type { MessagePort } from 'worker_threads';
import type { WriteLock } from './fd-transport.ts';
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

/** Cells that the two threads of a context share: posts of the I/O thread, the write lock, posts that the I/O thread has handled. */
const WAKE = 0;
const LOCK = 1;
const HANDLED = 2;
/** How many there are. */
export const CELLS = 3;

/** The lock on the descriptor to the parent, which both threads of a context write to. */
export function sharedLock(cells: Int32Array): WriteLock {
  return {
    tryAcquire: () => Atomics.compareExchange(cells, LOCK, 0, 1) === 0,
    release: () => {
      Atomics.store(cells, LOCK, 0);
    },
  };
}

/** The link between a context's user thread and its I/O thread: frames in both directions, and now and then a notice. */
export class FrameLink {
  readonly port: MessagePort;
  /** Writes frames past the link, if that can be done in order. */
  shortcut: ((frames: readonly Buffer[]) => boolean) | undefined;
  readonly #cells: Int32Array;
  readonly #parser: FrameParser = new FrameParser();
  readonly #onFrame: (frame: Buffer) => void;
  readonly #onNotice: (notice: never) => void;
  #queue: Buffer[] = [];
  #posts = 0;

  /** @param onNotice Takes what comes through the port and is not frames. */
  constructor(port: MessagePort, cells: Int32Array, onFrame: (frame: Buffer) => void, onNotice: (notice: never) => void) {
    this.port = port;
    this.#cells = cells;
    this.#onFrame = onFrame;
    this.#onNotice = onNotice;
    port.on('message', (message: unknown) => this.take(message));
  }

  /** Whether the other side has handled everything that was posted. */
  get isIdle(): boolean {
    return Atomics.load(this.#cells, HANDLED) === this.#posts;
  }

  /** Sends a frame; frames of one turn of the loop go together. */
  send(frame: Buffer): void {
    if (this.#queue.push(frame) === 1) queueMicrotask(() => this.flush());
  }

  /** Sends what waits at once. */
  flush(): void {
    const frames = this.#queue;
    if (!frames.length) return;
    this.#queue = [];
    if (this.shortcut && this.shortcut(frames)) return;
    post(this.port, frames);
    this.#posted();
  }

  /** Sends something that is not frames. */
  notify(notice: object): void {
    this.port.postMessage(notice);
    this.#posted();
  }

  /** Takes what came through the port. */
  take(message: unknown): void {
    if (message instanceof Uint8Array) this.#parser.push(asBuffer(message), this.#onFrame);
    else this.#onNotice(message as never);
  }

  /** Tells the user's thread, once what was taken has been written, that it may write past the link again. */
  acknowledge(isWritten: () => boolean): void {
    const look = (): void => {
      if (isWritten()) Atomics.add(this.#cells, HANDLED, 1);
      else setTimeout(look, 1);
    };
    queueMicrotask(look);
  }

  /** Blocks this thread until the other side posts something, for `limitMs` at most; `seen` is {@link wakeCount} from before looking. */
  wait(seen: number, limitMs: number): void {
    Atomics.wait(this.#cells, WAKE, seen, limitMs);
  }

  /** Counts posts of the other side. */
  get wakeCount(): number {
    return Atomics.load(this.#cells, WAKE);
  }

  #posted(): void {
    this.#posts = (this.#posts + 1) | 0;
    Atomics.add(this.#cells, WAKE, 1);
    Atomics.notify(this.#cells, WAKE);
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
