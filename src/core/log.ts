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

/** Cuts bytes into lines. A line longer than `maxBytes` comes in pieces. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** Takes bytes. */
  push(chunk: Buffer): void {
    let bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const at = bytes.indexOf(10);
      if (at < 0 && bytes.length < this.#maxBytes) break;
      const end = at < 0 || at > this.#maxBytes ? this.#maxBytes : at;
      this.#onLine(bytes.toString('utf8', 0, end && bytes[end - 1] === 13 ? end - 1 : end));
      bytes = bytes.subarray(end === at ? end + 1 : end);
    }
    this.#rest = bytes;
  }

  /** Gives what came after the last line break. */
  end(): void {
    if (this.#rest.length) this.#onLine(this.#rest.toString('utf8'));
    this.#rest = Buffer.alloc(0);
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
