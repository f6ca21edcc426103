/** One output of a program: read while it runs, or once it has ended. */
import type { Receiver } from '../core/channel.ts';
import { LineSplitter } from '../core/line-splitter.ts';

/** What is collected, and how. */
export interface OutputOptions {
  name: string;
  isBytes: boolean;
  maxBufferBytes: number;
  /** Called when more than `maxBufferBytes` would have to be collected. */
  onOverflow: () => void;
}

/**
 * The chunks of an output. Whoever reads it while the program runs sets the pace; when the result is waited for too, chunks are taken ahead of the
 * reader up to `maxBufferBytes`. They are kept for the result as long as they are no more than that in all.
 */
export class Output {
  readonly #options: OutputOptions;
  #receiver: Receiver<Uint8Array> | undefined;
  #chunks: Uint8Array[] = [];
  /** Number of the first chunk that is still there. */
  #first = 0;
  #size = 0;
  /** Bytes that the reader has had. */
  #taken = 0;
  #isCut = false;
  #isEnded = false;
  #error: { error: unknown } | undefined;
  /** The one who reads now; `at` is the number of the next chunk. */
  #reader: { at: number } | undefined;
  #wake: () => void = () => {};
  #isDraining = false;
  #isPumping = false;
  #onEnded: () => void = () => {};
  /** Done when everything is here. */
  readonly ended: Promise<void> = new Promise((resolve) => (this.#onEnded = resolve));

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Takes the output from a channel while the program runs. */
  follow(receiver: Receiver<Uint8Array>): void {
    this.#receiver = receiver;
    void this.#pump();
  }

  /** Takes what was collected elsewhere. Does nothing when the output comes from a channel. */
  finish(bytes: Uint8Array): void {
    if (this.#receiver) return;
    if (bytes.length) this.#add(bytes);
    this.#end();
  }

  /** There will be nothing more: who reads gets `error`. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#error = { error };
    if (this.#receiver) this.#receiver.close();
    this.#end();
  }

  /** Takes everything without waiting for a reader. */
  drain(): void {
    this.#isDraining = true;
    void this.#pump();
  }

  /** Everything that was printed; nothing if that was too much to be kept. */
  bytes(): Uint8Array {
    return this.#isCut ? new Uint8Array(0) : this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
  }

  /** Reads lines, or chunks of bytes, from the beginning. One reader at a time; leaving the loop early closes the output. */
  read(): AsyncIterableIterator<string | Uint8Array> {
    const { name, isBytes, maxBufferBytes } = this.#options;
    if (this.#reader && !(this.#isEnded && this.#reader.at === this.#first + this.#chunks.length && !this.#isCut)) {
      throw new TypeError(`${name} is being read already`);
    }
    const reader = { at: this.#first };
    this.#reader = reader;
    this.#taken = 0;
    let lines: string[] = [];
    let line = 0;
    const splitter = new LineSplitter(Math.max(maxBufferBytes, 1), (text) => lines.push(text));
    const next = async (): Promise<IteratorResult<string | Uint8Array>> => {
      for (;;) {
        if (line < lines.length) return { done: false, value: lines[line++] as string };
        lines = [];
        line = 0;
        const chunk = await this.#next(reader);
        if (chunk && isBytes) return { done: false, value: chunk };
        if (chunk) splitter.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
        else {
          splitter.end();
          if (!lines.length) return { done: true, value: undefined };
        }
      }
    };
    const iterator: AsyncIterableIterator<string | Uint8Array> = {
      next,
      return: () => {
        this.#leave();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  async #next(reader: { at: number }): Promise<Uint8Array | undefined> {
    while (reader.at === this.#first + this.#chunks.length) {
      if (this.#error) throw this.#error.error;
      if (this.#isEnded) return undefined;
      const added = new Promise<void>((resolve) => (this.#wake = resolve));
      void this.#pump();
      await added;
    }
    const chunk = this.#chunks[reader.at++ - this.#first] as Uint8Array;
    this.#taken += chunk.length;
    if (this.#isCut) this.#forget();
    if (this.#isDraining) void this.#pump();
    return chunk;
  }

  #leave(): void {
    if (this.#receiver) this.#receiver.close();
    this.#reader = undefined;
    this.#end();
  }

  /** Drops what the reader has had. */
  #forget(): void {
    const count = (this.#reader as { at: number }).at - this.#first;
    this.#chunks.splice(0, count);
    this.#first += count;
  }

  #add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#receiver && !this.#isCut && this.#size > this.#options.maxBufferBytes) {
      if (!this.#reader) return this.#options.onOverflow();
      this.#isCut = true;
      this.#forget();
    }
    this.#wake();
  }

  #end(): void {
    this.#isEnded = true;
    this.#wake();
    this.#onEnded();
  }

  /** Whether to ask for a chunk now. */
  #wantsMore(): boolean {
    const reader = this.#reader;
    if (this.#isEnded) return false;
    if (!reader) return this.#isDraining;
    const ahead = this.#size - this.#taken;
    return ahead === 0 || (this.#isDraining && ahead < this.#options.maxBufferBytes);
  }

  async #pump(): Promise<void> {
    const receiver = this.#receiver;
    if (!receiver || this.#isPumping) return;
    this.#isPumping = true;
    const iterator = receiver[Symbol.asyncIterator]();
    try {
      while (this.#wantsMore()) {
        const { done, value } = await iterator.next();
        if (this.#isEnded) break;
        if (done) this.#end();
        else this.#add(value);
      }
    } catch (error) {
      this.fail(error);
    }
    this.#isPumping = false;
  }
}
