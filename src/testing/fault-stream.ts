import type { Clock } from '../core/clock.ts';
import type { Transport } from '../core/transport.ts';
import { FaultLane, type LaneOptions } from './fault-lane.ts';

/** Faults of one direction of a link; offsets count the bytes that are offered to it, from 0. */
export interface FaultOptions {
  /** Whether the faults hit what the owner writes (`out`) or what it reads (`in`); wrap twice for both. @default 'out' */
  direction?: 'out' | 'in';
  /** Exactly this many bytes pass, then both sides close; 0 lets the first byte close it. */
  cutAfterBytes?: number;
  /** What the owner's `onClose` hears at a cut; the other side hears no reason. @default an error with code `ECONNRESET` */
  cutReason?: Error;
  /** Exactly this many bytes pass, then nothing more, without closing, until {@link FaultStream.release}. */
  stallAfterBytes?: number;
  /** Delay of every chunk in milliseconds, or a function that gives one for each; the order is kept. */
  delayMs?: number | (() => number);
  /** Passes bytes on in chunks of so many, or of 1 to `maxBytes` (16) by a seed. */
  slice?: number | { seed: number; maxBytes?: number };
  /** Flips all bits of the byte at this offset. */
  corruptByteAt?: number;
  /** `write` returns false from this many held bytes on. @default 65536 */
  highWaterMarkBytes?: number;
  /** Times the delays. @default the machine's timers */
  clock?: Clock;
}

/** Unlike the core's clock its timers keep the process alive: a test waits for them. */
const liveClock: Clock = {
  now: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/**
 * A transport that goes wrong on purpose. It wraps another one and is used in its place.
 *
 * It owns the wrapped transport: set handlers on the `FaultStream` only. Without options it changes nothing. `onClose` is called once,
 * after everything that still came through; a stalled `in` direction also holds back the news that the other side has closed, as a dead
 * network would.
 */
export class FaultStream implements Transport {
  onData: (chunk: Buffer) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  readonly #inner: Transport;
  readonly #direction: 'out' | 'in';
  readonly #clock: Clock;
  readonly #highWaterMarkBytes: number;
  readonly #cutReason: Error | undefined;
  readonly #lane: FaultLane;
  #state: 'open' | 'ending' | 'cut' | 'closed' = 'open';
  #closeReason: Error | undefined;
  #isPaused = false;
  #needsDrain = false;

  constructor(inner: Transport, options: FaultOptions = {}) {
    this.#inner = inner;
    this.#direction = options.direction ?? 'out';
    this.#clock = options.clock ?? liveClock;
    this.#highWaterMarkBytes = options.highWaterMarkBytes ?? 65536;
    this.#cutReason = options.cutReason;
    this.#lane = this.#createLane(options);
    inner.onData = (chunk) => this.#receive(chunk);
    inner.onDrain = () => this.#innerDrained();
    inner.onClose = (reason) => this.#innerClosed(reason);
  }

  /** Bytes held back by a delay, a stall or a writer that has to wait. */
  get heldBytes(): number {
    return this.#lane.heldBytes;
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state !== 'open') return false;
    if (this.#direction === 'in') return this.#inner.write(chunks);
    for (const chunk of chunks) this.#lane.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (this.#lane.isBlocked || this.#lane.heldBytes >= this.#highWaterMarkBytes) this.#needsDrain = true;
    return !this.#needsDrain && this.#isOpen();
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#direction === 'in') this.#lane.block();
    this.#inner.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#direction === 'out') this.#inner.resume();
    else {
      if (!this.#lane.isStalled) this.#inner.resume();
      this.#lane.unblock();
    }
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (this.#direction === 'in') this.#inner.end();
    else this.#lane.after(() => this.#inner.end());
  }

  destroy(reason?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'ending';
    this.#lane.close();
    this.#inner.destroy(reason);
  }

  /** Stops delivering in the chosen direction without closing anything. */
  stall(): void {
    this.#lane.stall();
    if (this.#direction === 'in') this.#inner.pause();
  }

  /** Ends a stall: what was held back is delivered. */
  release(): void {
    if (this.#direction === 'in' && !this.#isPaused) this.#inner.resume();
    this.#lane.release();
  }

  /** Cuts the link now: what was passed on before still arrives, what is held back is lost, both sides close. */
  cut(): void {
    if (this.#state === 'cut' || this.#state === 'closed') return;
    this.#state = 'cut';
    this.#lane.close();
    this.#closeReason = this.#cutReason ?? Object.assign(new Error('The link was cut by the test'), { code: 'ECONNRESET' });
    if (this.#direction === 'out') this.#inner.end();
    else this.#inner.destroy(this.#closeReason);
    // The other side may be paused and so never finish; this side must hear of the cut nevertheless.
    this.#clock.setTimeout(() => this.#close(undefined), 0);
  }

  #createLane(options: FaultOptions): FaultLane {
    const { delayMs, slice, corruptByteAt, cutAfterBytes, stallAfterBytes } = options;
    const laneOptions: LaneOptions = { clock: this.#clock };
    if (delayMs !== undefined) laneOptions.delayMs = delayMs;
    if (slice !== undefined) laneOptions.slice = slice;
    if (corruptByteAt !== undefined) laneOptions.corruptByteAt = corruptByteAt;
    const lane = new FaultLane(laneOptions, { pass: (chunk) => this.#pass(chunk), idle: () => this.#laneEmptied() });
    if (stallAfterBytes !== undefined) lane.mark(stallAfterBytes, () => this.stall());
    if (cutAfterBytes !== undefined) lane.mark(cutAfterBytes, () => this.cut());
    return lane;
  }

  /** Asked after calls that may have cut the link. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #pass(chunk: Buffer): boolean {
    if (this.#direction === 'out') return this.#inner.write([chunk]);
    this.onData(chunk);
    return !this.#isPaused;
  }

  #laneEmptied(): void {
    if (this.#direction === 'out') this.#drained();
  }

  #innerDrained(): void {
    if (this.#direction === 'out') this.#lane.unblock();
    else if (this.#isOpen()) this.onDrain();
  }

  #drained(): void {
    if (!this.#needsDrain || this.#lane.isBlocked || !this.#isOpen()) return;
    this.#needsDrain = false;
    this.onDrain();
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'cut' || this.#state === 'closed') return;
    if (this.#direction === 'in') this.#lane.push(chunk);
    else this.onData(chunk);
  }

  #innerClosed(reason: Error | undefined): void {
    if (this.#direction === 'out' || this.#state !== 'open') this.#close(reason);
    else this.#lane.after(() => this.#close(reason));
  }

  #close(reason: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#lane.close();
    this.onClose(this.#closeReason ?? reason);
  }
}

/** Wraps `transport` in a {@link FaultStream}. */
export function faultStream(transport: Transport, options?: FaultOptions): FaultStream {
  return new FaultStream(transport, options);
}
