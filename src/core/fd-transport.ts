/** A transport over two file descriptors (or two sockets) of this process: pipes or socket pairs. */
import { Socket } from 'net';
import type { Transport } from './transport.ts';

const noop = (): void => {};

/** Joins a readable and a writable socket into one transport. Owns both. */
export class SocketTransport implements Transport {
  onData: (chunk: Buffer) => void = noop;
  onDrain: () => void = noop;
  onClose: (reason: Error | undefined) => void = noop;
  readonly #readable: Socket;
  readonly #writable: Socket;
  #isClosed = false;

  constructor(readable: Socket, writable: Socket) {
    this.#readable = readable;
    this.#writable = writable;
    readable.on('data', (chunk: Buffer) => this.onData(chunk));
    readable.on('end', () => this.destroy());
    for (const socket of new Set([readable, writable])) {
      socket.on('error', (error: Error) => this.destroy(error));
      socket.on('close', () => this.destroy());
    }
    writable.on('drain', () => this.onDrain());
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
    const socket = this.#writable;
    if (chunks.length === 1) return socket.write(chunks[0] as Uint8Array);
    socket.cork();
    let hasRoom = true;
    for (const chunk of chunks) hasRoom = socket.write(chunk);
    socket.uncork();
    return hasRoom;
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

/** A transport over descriptors that this process inherited. */
export function fdTransport(readFd: number, writeFd: number): Transport {
  const readable = new Socket({ fd: readFd, readable: true, writable: false });
  const writable = new Socket({ fd: writeFd, readable: false, writable: true });
  return new SocketTransport(readable, writable);
}
