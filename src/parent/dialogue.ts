/**
 * Questions that a program asks before it runs the first stage: passwords. The dialogue is held by the hop that runs the
 * program, on its stderr and stdin, and is over when the marker comes; only then does the preamble follow, so no byte of the
 * protocol is ever typed into a prompt, and no secret into a program.
 */
import type { Secret } from '../core/secret.ts';

/** A prompt: exact bytes, never human words that could be translated or printed by somebody else. */
export interface Prompt {
  /** What the program prints; best something that nobody could guess. */
  expect: string;
  /** What is typed then, with a line break. Once: asked again, the dialogue has failed. */
  send: Secret;
}

/** What has happened in a dialogue. */
export type DialogueEvent = 'answered' | 'asked-again';

interface Entry {
  expect: Buffer;
  prompt: Prompt;
  isAnswered: boolean;
}

/** Looks for prompts in what a program prints, answers each once, and takes them out of the text. */
export class Dialogue {
  readonly #prompts: Entry[];
  readonly #write: (bytes: Buffer) => void;
  readonly #onEvent: (event: DialogueEvent) => void;
  #tail: Buffer = Buffer.alloc(0);
  #isOver = false;

  constructor(prompts: readonly Prompt[], write: (bytes: Buffer) => void, onEvent: (event: DialogueEvent) => void) {
    this.#prompts = prompts.map((prompt) => ({ expect: Buffer.from(prompt.expect), prompt, isAnswered: false }));
    this.#write = write;
    this.#onEvent = onEvent;
  }

  /** Takes what was printed; gives what of it is not a prompt. A prompt may come in pieces. */
  take(chunk: Buffer): Buffer {
    if (this.#isOver || !this.#prompts.length) return chunk;
    let bytes = this.#tail.length ? Buffer.concat([this.#tail, chunk]) : chunk;
    const out: Buffer[] = [];
    for (;;) {
      const found = this.#find(bytes);
      if (!found) break;
      out.push(bytes.subarray(0, found.at));
      bytes = bytes.subarray(found.at + found.entry.expect.length);
      this.#answer(found.entry);
    }
    const keep = this.#partial(bytes);
    this.#tail = bytes.subarray(bytes.length - keep);
    out.push(bytes.subarray(0, bytes.length - keep));
    return Buffer.concat(out);
  }

  /** The marker has come: whatever is printed from now on is no prompt. Gives what was held back. */
  end(): Buffer {
    this.#isOver = true;
    const tail = this.#tail;
    this.#tail = Buffer.alloc(0);
    return tail;
  }

  #find(bytes: Buffer): { at: number; entry: Entry } | undefined {
    for (const entry of this.#prompts) {
      const at = bytes.indexOf(entry.expect);
      if (at >= 0) return { at, entry };
    }
    return undefined;
  }

  #answer(entry: Entry): void {
    if (entry.isAnswered) {
      this.#onEvent('asked-again');
      return;
    }
    entry.isAnswered = true;
    const line = Buffer.from(`${entry.prompt.send.reveal()}\n`);
    this.#write(line);
    this.#onEvent('answered');
  }

  /** How many bytes at the end could be the beginning of a prompt. */
  #partial(bytes: Buffer): number {
    let longest = 0;
    for (const { expect } of this.#prompts) {
      for (let size = Math.min(expect.length - 1, bytes.length); size > longest; size--) {
        if (bytes.subarray(bytes.length - size).equals(expect.subarray(0, size))) longest = size;
      }
    }
    return longest;
  }
}
