/** Asks for passwords on the terminal of the program, without showing them. */
import { openSync, writeSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { UsageError } from './command-line.ts';

/** Whoever was asked pressed Ctrl-C, or ended the input. */
export class Interrupted extends Error {}

/** The terminal, whatever standard input and output are. Echo is off from the first question until {@link close}. */
export class SecretPrompt {
  readonly #fd: number;
  readonly #input: ReadStream;
  readonly #reader: Interface;
  readonly #lines: string[] = [];
  #isInterrupted = false;
  #wake: () => void = () => {};

  /** Throws a UsageError when there is no terminal. */
  constructor() {
    try {
      this.#fd = openSync('/dev/tty', 'r+');
      this.#input = new ReadStream(this.#fd);
    } catch {
      throw new UsageError('there is no terminal to ask for a password on, use --password-file');
    }
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    // It edits lines, restores the terminal when it is closed or the program is stopped, and tells of Ctrl-C.
    this.#reader = createInterface({ input: this.#input, output: nowhere, terminal: true, historySize: 0 });
    this.#reader.on('line', (line) => this.#note(() => this.#lines.push(line)));
    for (const event of ['SIGINT', 'close'] as const) this.#reader.on(event, () => this.#note(() => (this.#isInterrupted = true)));
  }

  #note(change: () => void): void {
    change();
    this.#wake();
  }

  /** One line, as it was typed. Throws {@link Interrupted}. */
  async ask(question: string): Promise<string> {
    writeSync(this.#fd, question);
    while (this.#lines.length === 0 && !this.#isInterrupted) await new Promise<void>((resolve) => (this.#wake = resolve));
    writeSync(this.#fd, '\n');
    const line = this.#lines.shift();
    if (line === undefined) throw new Interrupted();
    return line;
  }

  /** Puts the terminal back as it was. */
  close(): void {
    this.#reader.close();
    this.#input.destroy();
  }
}
