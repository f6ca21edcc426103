/** Cuts bytes into lines. A line longer than `maxBytes` comes in pieces. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** What came after the last line break. */
  get rest(): string {
    return this.#rest.toString();
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
