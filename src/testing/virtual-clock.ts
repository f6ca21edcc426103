import type { Clock } from '../core/clock.ts';

/** A timer of a {@link VirtualClock}; opaque. */
export interface VirtualTimer {
  /** The virtual time at which it fires. */
  readonly dueAt: number;
}

/** Bounds of {@link VirtualClock.runUntilIdle}. */
export interface RunOptions {
  /** Most timers to run; more means that something re-arms for ever, and a `RangeError` is thrown. @default 100000 */
  maxSteps?: number;
  /** Timers due later than this virtual time stay where they are. @default Infinity */
  untilMs?: number;
}

/** Invariant: ordered by `dueAt`, then by `sequence`; `fn` is unset once the timer has fired or was cleared. */
class Timer implements VirtualTimer {
  readonly dueAt: number;
  readonly sequence: number;
  fn: (() => void) | undefined;

  constructor(dueAt: number, sequence: number, fn: () => void) {
    this.dueAt = dueAt;
    this.sequence = sequence;
    this.fn = fn;
  }

  isBefore(other: Timer): boolean {
    return this.dueAt < other.dueAt || (this.dueAt === other.dueAt && this.sequence < other.sequence);
  }
}

/** A binary heap of timers, the next one on top. */
class TimerHeap {
  readonly #items: Timer[] = [];

  get top(): Timer | undefined {
    return this.#items[0];
  }

  push(timer: Timer): void {
    const items = this.#items;
    let index = items.length;
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = items[up] as Timer; // up < index <= length
      if (parent.isBefore(timer)) break;
      items[index] = parent;
      index = up;
    }
    items[index] = timer;
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let index = 0;
    for (;;) {
      let down = 2 * index + 1;
      let child = items[down];
      const right = items[down + 1];
      if (child !== undefined && right?.isBefore(child)) {
        child = right;
        down++;
      }
      if (child === undefined || last.isBefore(child)) break;
      items[index] = child;
      index = down;
    }
    items[index] = last;
  }
}

/** Longest delay that Node's own timers take; a longer one fires at once there, so it is refused here. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Time that passes only when the test says so.
 *
 * Timers run in the order of their due time; those due at the same moment run in the order they were set. `now()` starts at 0 and, while a
 * timer runs, is exactly its due time. An error thrown by a timer comes out of the call that moved the time; the other timers stay.
 */
export class VirtualClock implements Clock {
  /** Runs `fn` as a timer that is due now: a scheduler for `memoryStreamPair`, so that delivery also waits for the test. */
  readonly schedule: (fn: () => void) => void = (fn) => {
    this.setTimeout(fn, 0);
  };
  readonly #timers = new TimerHeap();
  #now = 0;
  #sequence = 0;
  #pending = 0;

  /** The virtual time in milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Calls `fn` once the virtual time has moved on by `ms`; negative counts as 0. Throws a `RangeError` for more than 2^31 - 1. */
  setTimeout(fn: () => void, ms: number): VirtualTimer {
    if (Number.isNaN(ms) || ms > MAX_DELAY_MS) throw new RangeError(`Cannot set a timer of ${ms} ms: the limit is ${MAX_DELAY_MS}`);
    const timer = new Timer(this.#now + Math.max(0, ms), this.#sequence++, fn);
    this.#timers.push(timer);
    this.#pending++;
    return timer;
  }

  /** Forgets a timer; harmless when it has fired, was cleared before, or is no timer. */
  clearTimeout(handle: unknown): void {
    if (!(handle instanceof Timer) || handle.fn === undefined) return;
    handle.fn = undefined;
    this.#pending--;
  }

  /** Number of timers that wait. */
  get pending(): number {
    return this.#pending;
  }

  /** When the next timer is due; undefined when none waits. */
  get nextAt(): number | undefined {
    return this.#next()?.dueAt;
  }

  /** Moves the time on by `ms`, running every timer that becomes due, also those set on the way. Promises do not settle in between. */
  advance(ms: number): void {
    const end = this.#now + ms;
    this.runUntilIdle({ untilMs: end });
    this.#now = end;
  }

  /** Like {@link VirtualClock.advance}, but lets promises settle before, between and after timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.runUntilIdleAsync({ untilMs: end });
    this.#now = end;
  }

  /** Runs timers, moving the time to each, until none waits. Returns how many ran. */
  runUntilIdle(options: RunOptions = {}): number {
    let steps = 0;
    while (this.#step(options, steps)) steps++;
    return steps;
  }

  /** Like {@link VirtualClock.runUntilIdle}, but lets promises settle before, between and after timers. */
  async runUntilIdleAsync(options: RunOptions = {}): Promise<number> {
    let steps = 0;
    await settle();
    while (this.#step(options, steps)) {
      steps++;
      await settle();
    }
    return steps;
  }

  /** Runs one timer; false when there was none to run. */
  #step({ maxSteps = 100_000, untilMs = Infinity }: RunOptions, steps: number): boolean {
    const timer = this.#next();
    if (timer === undefined || timer.dueAt > untilMs) return false;
    if (steps >= maxSteps) {
      throw new RangeError(`Cannot become idle: after ${maxSteps} timers, at ${this.#now} ms, ${this.#pending} still wait (maxSteps)`);
    }
    const fn = timer.fn as () => void; // #next() skips timers without one
    timer.fn = undefined;
    this.#pending--;
    this.#timers.pop();
    this.#now = timer.dueAt;
    fn();
    return true;
  }

  #next(): Timer | undefined {
    for (;;) {
      const timer = this.#timers.top;
      if (timer === undefined || timer.fn !== undefined) return timer;
      this.#timers.pop();
    }
  }
}

const realSetImmediate = setImmediate;

function settle(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve);
  });
}
