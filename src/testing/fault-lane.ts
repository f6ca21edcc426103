import type { Clock } from '../core/clock.ts';
import { createRandom } from './random.ts';

/** What happens to the bytes of one direction. @internal */
export interface LaneOptions {
  delayMs?: number | (() => number);
  slice?: number | { seed: number; maxBytes?: number };
  corruptByteAt?: number;
  clock: Clock;
}

/** What a lane calls. @internal */
export interface LaneHandlers {
  /** Passes bytes on; false holds what follows until {@link FaultLane.unblock}. */
  pass: (chunk: Buffer) => boolean;
  /** Everything has been passed on. */
  idle: () => void;
}

/** An action at a byte offset: it runs when exactly that many bytes have been passed on. */
interface Mark {
  atBytes: number;
  action: () => void;
}

/** Something that waits its turn: bytes, or an action between bytes. */
interface Item {
  dueAt: number;
  data?: Buffer;
  action?: () => void;
}

/**
 * The queue behind one direction of a fault stream: spoils, slices and delays bytes, keeps their order, and runs actions at exact offsets.
 *
 * @internal
 */
export class FaultLane {
  /** Bytes taken in and not yet passed on. */
  heldBytes = 0;
  isStalled = false;
  /** Whether the far side of the lane takes no bytes at present. */
  isBlocked = false;
  readonly #options: LaneOptions;
  readonly #handlers: LaneHandlers;
  readonly #nextSliceBytes: (() => number) | undefined;
  /** Sorted by offset. */
  readonly #marks: Mark[] = [];
  #queue: Item[] = [];
  #offset = 0;
  #lastDueAt = 0;
  #timer: unknown;
  #isClosed = false;
  #isFlushing = false;

  constructor(options: LaneOptions, handlers: LaneHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#nextSliceBytes = slicer(options.slice);
  }

  /** Runs `action` once `atBytes` bytes have passed; 0 means before the first. */
  mark(atBytes: number, action: () => void): void {
    this.#marks.push({ atBytes, action });
    this.#marks.sort((a, b) => a.atBytes - b.atBytes);
  }

  push(chunk: Buffer): void {
    if (this.#isClosed || chunk.length === 0) return;
    let rest = this.#spoil(chunk);
    let mark = this.#marks[0];
    while (mark !== undefined && mark.atBytes <= this.#offset + rest.length) {
      this.#marks.shift();
      const length = mark.atBytes - this.#offset;
      this.#append(rest.subarray(0, length));
      this.#queue.push({ dueAt: this.#lastDueAt, action: mark.action });
      rest = rest.subarray(length);
      mark = this.#marks[0];
    }
    this.#append(rest);
    this.#flush();
  }

  /** Runs `action` after everything taken in so far has been passed on. */
  after(action: () => void): void {
    if (this.#isClosed) return;
    this.#queue.push({ dueAt: this.#nextDueAt(), action });
    this.#flush();
  }

  stall(): void {
    this.isStalled = true;
  }

  release(): void {
    this.isStalled = false;
    this.#flush();
  }

  block(): void {
    this.isBlocked = true;
  }

  unblock(): void {
    this.isBlocked = false;
    this.#flush();
  }

  /** Drops what is held and takes nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.heldBytes = 0;
    this.#clearTimer();
  }

  #append(data: Buffer): void {
    this.#offset += data.length;
    for (let start = 0; start < data.length; ) {
      const piece = data.subarray(start, start + (this.#nextSliceBytes?.() ?? data.length));
      start += piece.length;
      this.heldBytes += piece.length;
      this.#queue.push({ dueAt: this.#nextDueAt(), data: piece });
    }
  }

  /** Never before what was taken in earlier, so that a changing delay does not change the order. */
  #nextDueAt(): number {
    const { delayMs, clock } = this.#options;
    if (delayMs === undefined) return this.#lastDueAt;
    const delay = typeof delayMs === 'number' ? delayMs : delayMs();
    this.#lastDueAt = Math.max(this.#lastDueAt, clock.now() + delay);
    return this.#lastDueAt;
  }

  #spoil(chunk: Buffer): Buffer {
    const index = (this.#options.corruptByteAt ?? -1) - this.#offset;
    const byte = chunk[index];
    if (byte === undefined) return chunk;
    const copy = Buffer.from(chunk);
    copy[index] = byte ^ 0xff;
    return copy;
  }

  #flush(): void {
    if (this.#isFlushing || this.#isClosed) return;
    this.#isFlushing = true;
    try {
      while (this.#passOne()) {
        // until it holds
      }
    } finally {
      this.#isFlushing = false;
    }
    if (this.#queue.length === 0 && !this.#isClosed) this.#handlers.idle();
  }

  #passOne(): boolean {
    const item = this.#queue[0];
    if (item === undefined || this.isStalled || this.isBlocked) return false;
    if (this.#options.delayMs !== undefined && item.dueAt > this.#options.clock.now()) {
      this.#setTimer(item.dueAt);
      return false;
    }
    this.#queue.shift();
    if (item.data !== undefined) {
      this.heldBytes -= item.data.length;
      if (!this.#handlers.pass(item.data)) this.isBlocked = true;
    }
    item.action?.();
    return true;
  }

  #setTimer(dueAt: number): void {
    const { clock } = this.#options;
    this.#timer ??= clock.setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, dueAt - clock.now());
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function slicer(slice: LaneOptions['slice']): (() => number) | undefined {
  if (slice === undefined) return undefined;
  const maxBytes = typeof slice === 'number' ? slice : (slice.maxBytes ?? 16);
  if (!Number.isInteger(maxBytes) || maxBytes < 1)
    throw new RangeError(`Cannot slice into chunks of ${maxBytes} bytes: at least 1 is needed`);
  if (typeof slice === 'number') return () => maxBytes;
  const random = createRandom(slice.seed);
  return () => 1 + random.int(maxBytes);
}
