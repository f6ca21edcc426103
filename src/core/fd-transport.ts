/** A transport over two file descriptors (or two sockets) of this process: pipes or socket pairs. */
import { writeSync, writevSync } from 'fs';
import { Socket } from 'net';
import type { Transport } from './transport.ts';

const noop = (): void => {};

/** Time for reading what a peer said that does not take any more. */
const DRAIN_MS = 100;

/** Keeps two threads from writing to one descriptor at the same time. */
export interface WriteLock {
  /** Takes the lock unless the other thread has it, for the time of a system call. */
  tryAcquire(): boolean;
  release(): void;
}

/** Joins a readable and a writable socket into one transport. Owns both. */
export class SocketTransport implements Transport {
  onData: (chunk: Buffer) => void = noop;
  onDrain: () => void = noop;
  onClose: (reason: Error | undefined) => void = noop;
  readonly #readable: Socket;
  readonly #writable: Socket;
  /** The descriptor behind the writable, -1 where there is none to be had. */
  readonly #fd: number;
  readonly #lock: WriteLock | undefined;
  #isClosed = false;
  /** Set while a write waits for the lock: nothing may overtake it. */
  #isDeferred = false;

  /** @param lock Held from a write until everything written is out. */
  constructor(readable: Socket, writable: Socket, lock?: WriteLock) {
    this.#readable = readable;
    this.#writable = writable;
    this.#lock = lock;
    const handle = (writable as { _handle?: { fd?: number } })._handle;
    this.#fd = handle && handle.fd !== undefined ? handle.fd : -1;
    readable.on('data', (chunk: Buffer) => this.onData(chunk));
    readable.on('end', () => this.destroy());
    readable.on('error', (error: Error) => this.destroy(error));
    readable.on('close', () => this.destroy());
    // Who reads no more may have said something before.
    const later = (error?: unknown): void => {
      setTimeout(() => this.destroy(error as Error | undefined), DRAIN_MS).unref();
    };
    writable.on('error', later);
    writable.on('close', () => later());
  }

  /** Writes to the descriptor itself, which does not block and costs a third of what a stream does; a stream takes what does not fit. */
  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
    const lock = this.#lock;
    if (lock && !lock.tryAcquire()) {
      this.#isDeferred = true;
      setImmediate(() => {
        this.#isDeferred = false;
        if (this.write(chunks)) this.onDrain();
      });
      return false;
    }
    const rest = writeNow(this.#fd, chunks);
    if (rest.length) {
      this.queue(rest);
      return false;
    }
    if (lock) lock.release();
    return true;
  }

  /** Has a stream write what a direct write left over. The lock is held already, and released when it is out. */
  queue(chunks: readonly Uint8Array[]): void {
    const socket = this.#writable;
    socket.cork();
    chunks.forEach((chunk, index) => socket.write(chunk, index === chunks.length - 1 ? (): void => this.#onWritten() : undefined));
    socket.uncork();
  }

  #onWritten(): void {
    if (this.#isClosed) return;
    if (this.#lock) this.#lock.release();
    if (!this.#isDeferred) this.onDrain();
  }

  pause(): void {
    this.#readable.pause();
  }

  resume(): void {
    this.#readable.resume();
  }

  end(): void {
    this.#writable.end(() => this.destroy());
  }

  destroy(reason?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#readable.destroy();
    this.#writable.destroy();
    this.onClose(reason);
  }
}

/** Writes what fits at once. Returns the rest; all of it when the descriptor is full or broken. */
export function writeNow(fd: number, chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  let written = 0;
  try {
    if (fd >= 0) written = chunks.length === 1 ? writeSync(fd, chunks[0] as Uint8Array) : writevSync(fd, chunks as Uint8Array[]);
  } catch {
    // the stream waits, or tells
  }
  let at = 0;
  while (at < chunks.length && written >= (chunks[at] as Uint8Array).length) written -= (chunks[at++] as Uint8Array).length;
  const rest = chunks.slice(at);
  if (rest.length && written) rest[0] = (rest[0] as Uint8Array).subarray(written);
  return rest;
}

/** A transport over descriptors that this process inherited. */
export function fdTransport(readFd: number, writeFd: number, lock?: WriteLock): SocketTransport {
  const readable = new Socket({ fd: readFd, readable: true, writable: false });
  const writable = new Socket({ fd: writeFd, readable: false, writable: true });
  return new SocketTransport(readable, writable, lock);
}
