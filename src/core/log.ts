/** Log records: what a context prints, on its way to the master. Text stays raw here; it is escaped where it is shown. */
import { format } from 'util';
import type { Clock } from './clock.ts';
import type { Limits } from './limits.ts';

/** Where a record came from. */
export type LogSource = 'stdout' | 'stderr' | 'console' | 'mitos';
/** How much it matters. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** A record on the wire; `id` is the context that it is about. */
export interface LogData {
  id: number;
  source: LogSource;
  level: LogLevel;
  text: string;
}

/** Cuts a flow of records to what one context may say in a second, and tells how much was left out. */
export class LogLimiter {
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #emit: (data: LogData) => void;
  #since = 0;
  #count = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(limits: Limits, clock: Clock, emit: (data: LogData) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Passes a record on, cut to the longest length, or counts it as dropped. */
  push(data: LogData): void {
    const { maxLogRecordsPerSecond, maxLogRecordBytes } = this.#limits;
    const now = this.#clock.now();
    if (now - this.#since >= 1000) this.#turn(now, data.id);
    const isTooMuch = this.#count >= maxLogRecordsPerSecond || this.#bytes >= maxLogRecordsPerSecond * 1024;
    if (isTooMuch) {
      if (!this.#dropped++) this.#clock.setTimeout(() => this.#turn(this.#clock.now(), data.id), 1000);
      return;
    }
    this.#count++;
    this.#bytes += data.text.length;
    if (data.text.length > maxLogRecordBytes) data.text = `${data.text.slice(0, maxLogRecordBytes)}…`;
    this.#emit(data);
  }

  #turn(now: number, id: number): void {
    this.#since = now;
    this.#count = this.#bytes = 0;
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped) this.#emit({ id, source: 'mitos', level: 'warn', text: `${dropped} records dropped (maxLogRecordsPerSecond)` });
  }
}

const METHODS: { [method: string]: LogLevel } = { log: 'info', info: 'info', warn: 'warn', error: 'error', debug: 'debug', trace: 'trace' };

/** Sends what user code prints with `console` to `emit`, one record a line. */
export function captureConsole(emit: (level: LogLevel, text: string) => void): void {
  const target = console as unknown as Record<string, (...args: unknown[]) => void>;
  for (const method of Object.keys(METHODS)) {
    target[method] = (...args) => {
      for (const line of format(...args).split('\n')) emit(METHODS[method] as LogLevel, line);
    };
  }
}
