/** What a program reads, on its way there. */
import { Writable } from 'stream';
import type { ExecInput } from './exec-options.ts';

type Result = IteratorResult<Uint8Array>;

/** The standard input of a program as a stream. What is written after the program stopped reading is dropped. */
export class ExecStdin extends Writable implements AsyncIterable<Uint8Array> {
  #chunk: { bytes: Uint8Array; taken: () => void } | undefined;
  #reader: ((result: Result) => void) | undefined;
  #isEnded = false;
  #isStopped = false;

  constructor() {
    super({ decodeStrings: true });
    this.on('error', () => {});
  }

  override _write(bytes: Uint8Array, _encoding: string, taken: () => void): void {
    this.#put(bytes, taken);
  }

  override _writev(chunks: { chunk: Uint8Array }[], taken: () => void): void {
    this.#put(Buffer.concat(chunks.map(({ chunk }) => chunk)), taken);
  }

  override _final(done: () => void): void {
    this.#finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#finish();
    done(error);
  }

  /** @internal Reads what was written. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#take(),
      return: () => {
        this.#isStopped = true;
        if (this.#chunk) this.#chunk.taken();
        this.#chunk = undefined;
        this.#finish();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #put(bytes: Uint8Array, taken: () => void): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#isStopped) taken();
    else if (reader) {
      reader({ done: false, value: bytes });
      taken();
    } else this.#chunk = { bytes, taken };
  }

  #take(): Promise<Result> {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    if (chunk) {
      chunk.taken();
      return Promise.resolve({ done: false, value: chunk.bytes });
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => (this.#reader = resolve));
  }

  #finish(): void {
    this.#isEnded = true;
    if (this.#reader) this.#reader({ done: true, value: undefined });
    this.#reader = undefined;
  }
}

/** The bytes of an input that is not at hand as a whole. `onError` is told when it fails. */
export function byteFlow(input: Exclude<ExecInput, string | Uint8Array>, onError: (error: unknown) => void): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = input[Symbol.asyncIterator]();
      const next = async (): Promise<Result> => {
        try {
          const { done, value } = await iterator.next();
          return done ? { done, value: undefined } : { done: false, value: bytesOf(value) };
        } catch (error) {
          onError(error);
          throw error;
        }
      };
      const close = async (): Promise<Result> => {
        if (iterator.return) await iterator.return();
        return { done: true, value: undefined };
      };
      return { next, return: close };
    },
  };
}

/** The bytes of a piece of input. */
export function bytesOf(value: unknown): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`stdin must give strings or Uint8Arrays, not ${value === null ? 'null' : typeof value}`);
}
