import type { Transport } from '../core/transport.ts';

/** Runs a function later, never at once; functions run in the order they were passed. */
export type Scheduler = (fn: () => void) => void;

/** How a {@link memoryStreamPair} behaves. */
export interface MemoryStreamOptions {
  /** When bytes are delivered. @default setImmediate */
  schedule?: Scheduler;
  /** `write` returns false from this many undelivered bytes on; `onDrain` follows when all are delivered. @default Infinity */
  highWaterMarkBytes?: number;
}

/** One end of a {@link memoryStreamPair}. */
export interface MemoryTransport extends Transport {
  /** Bytes written here and not yet delivered to the other end. */
  readonly queuedBytes: number;
  /** Whether this end has closed; `onClose` may still be on its way. */
  readonly isClosed: boolean;
}

/**
 * Two transports joined in memory: what is written to one comes out of the other, chunk by chunk, in order and never within the `write` itself.
 *
 * `end()` closes both ends with no reason, once the other has read everything; a paused end notices when it resumes. `destroy(reason)`
 * closes both at once and drops what is on the way; the other end hears no reason, as on a pipe. Bytes are not copied.
 */
export function memoryStreamPair(options: MemoryStreamOptions = {}): [MemoryTransport, MemoryTransport] {
  const left = new MemoryEnd(options);
  const right = new MemoryEnd(options);
  left.connect(right);
  right.connect(left);
  return [left, right];
}

class MemoryEnd implements MemoryTransport {
  onData: (chunk: Buffer) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  queuedBytes = 0;
  readonly #schedule: Scheduler;
  readonly #highWaterMarkBytes: number;
  /** Set before the pair is handed out. */
  #other!: MemoryEnd;
  #queue: Uint8Array[] = [];
  #state: 'open' | 'ending' | 'closed' = 'open';
  #isPaused = false;
  /** The other end has ended and we have read all of it, but we are paused. */
  #hasUnreadEnd = false;
  #isPumpScheduled = false;
  #needsDrain = false;

  constructor(options: MemoryStreamOptions) {
    this.#schedule = options.schedule ?? setImmediate;
    this.#highWaterMarkBytes = options.highWaterMarkBytes ?? Infinity;
  }

  connect(other: MemoryEnd): void {
    this.#other = other;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open' || this.#other.isClosed) return false;
    for (const chunk of chunks) {
      if (chunk.byteLength === 0) continue;
      this.#queue.push(chunk);
      this.queuedBytes += chunk.byteLength;
    }
    this.#requestPump();
    if (this.queuedBytes >= this.#highWaterMarkBytes) this.#needsDrain = true;
    return !this.#needsDrain;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#hasUnreadEnd) this.#close(undefined);
    else this.#other.#requestPump();
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#requestPump();
  }

  destroy(reason?: Error): void {
    if (this.isClosed) return;
    this.#close(reason);
    this.#other.#close(undefined);
  }

  #requestPump(): void {
    if (this.#isPumpScheduled || this.isClosed) return;
    this.#isPumpScheduled = true;
    this.#schedule(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    try {
      while (this.#queue.length > 0 && !this.#other.#isPaused) this.#deliverOne();
    } finally {
      if (this.#queue.length > 0 && !this.#other.#isPaused) this.#requestPump(); // a handler threw
    }
    if (this.#queue.length > 0) return;
    if (this.#state === 'ending') {
      this.#close(undefined);
      this.#other.#readEnd();
    } else if (this.#needsDrain && this.#state === 'open') {
      this.#needsDrain = false;
      this.onDrain();
    }
  }

  #deliverOne(): void {
    const chunk = this.#queue.shift();
    if (chunk === undefined) return;
    this.queuedBytes -= chunk.byteLength;
    this.#other.onData(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  #readEnd(): void {
    if (this.#isPaused) this.#hasUnreadEnd = true;
    else this.#close(undefined);
  }

  #close(reason: Error | undefined): void {
    if (this.isClosed) return;
    this.#state = 'closed';
    this.#queue = [];
    this.queuedBytes = 0;
    this.#schedule(() => this.onClose(reason));
  }
}
