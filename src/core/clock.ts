/** Monotonic time and timers, passed in so that tests can run in virtual time. */
export interface Clock {
  /** Milliseconds since some fixed moment; never jumps. */
  now(): number;
  /** Calls `fn` once after `ms`. Timers never keep a process alive. */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Forgets a timer; harmless when it has fired. */
  clearTimeout(handle: unknown): void;
}

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  now(): number {
    return Number(process.hrtime.bigint()) / 1e6;
  },
  setTimeout(fn: () => void, ms: number): unknown {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return timer;
  },
  clearTimeout(handle: unknown): void {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
