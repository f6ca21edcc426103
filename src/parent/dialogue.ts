/**
 * Questions that a program asks before it runs the first stage: passwords. The dialogue is held by the hop that runs the
 * program, and is over when the marker comes; only then (or beside it) does the preamble flow, so no byte of the protocol is ever
 * typed into a prompt, and no secret into a program.
 */
import type { Talk } from './child-process.ts';
import type { Conversation } from './stage-link.ts';

/** A prompt: exact bytes, never human words that could be translated or printed by somebody else. */
export interface Prompt {
  /** What the program prints; best something that nobody could guess. */
  expect: string;
  /** What is typed then, with a line break. Once: asked again, the dialogue has failed. Without it, it has failed at once: nobody can answer. */
  send?: Uint8Array | undefined;
  /** Takes `expect` only as a line of its own and the last thing that was printed: for a prompt that is not unguessable. */
  isLast?: boolean | undefined;
}

interface Entry {
  expect: Buffer;
  prompt: Prompt;
  isAnswered: boolean;
}

/** One of the outputs of a program. */
interface Side {
  /** What may be the beginning of a prompt. */
  tail: Buffer;
  /** Whether what comes next begins a line. */
  isFresh: boolean;
}

/** Looks for prompts in what a program prints, answers each once, and takes them out of the text. */
export class Dialogue implements Conversation {
  readonly #prompts: Entry[];
  readonly #talk: Talk;
  readonly #stderr: Side = { tail: Buffer.alloc(0), isFresh: true };
  readonly #stdout: Side = { tail: Buffer.alloc(0), isFresh: true };
  #isOver = false;

  constructor(prompts: readonly Prompt[], talk: Talk) {
    this.#prompts = prompts.map((prompt) => ({ expect: Buffer.from(prompt.expect), prompt, isAnswered: false }));
    this.#talk = talk;
  }

  /** Takes what was printed; gives what of it is not a prompt. A prompt may come in pieces. */
  take(chunk: Buffer): Buffer {
    return this.#scan(chunk, this.#stderr);
  }

  hear(chunk: Buffer): void {
    this.#scan(chunk, this.#stdout);
  }

  get held(): string {
    return this.#stderr.tail.toString();
  }

  #scan(chunk: Buffer, side: Side): Buffer {
    let bytes = Buffer.concat([side.tail, chunk]);
    side.tail = Buffer.alloc(0);
    if (this.#isOver) return bytes;
    const out: Buffer[] = [];
    for (;;) {
      const found = this.#isOver ? undefined : this.#find(bytes, side);
      if (!found) break;
      out.push(bytes.subarray(0, found.at));
      bytes = bytes.subarray(found.at + found.entry.expect.length);
      side.isFresh = true;
      this.#answer(found.entry);
    }
    const keep = this.#partial(bytes);
    side.tail = bytes.subarray(bytes.length - keep);
    const rest = bytes.subarray(0, bytes.length - keep);
    if (rest.length) side.isFresh = rest[rest.length - 1] === 10;
    out.push(rest);
    return Buffer.concat(out);
  }

  /** Whatever is printed from now on is no prompt. */
  end(): void {
    this.#isOver = true;
  }

  #find(bytes: Buffer, { isFresh }: Side): { at: number; entry: Entry } | undefined {
    for (const entry of this.#prompts) {
      const { expect, prompt } = entry;
      const at = prompt.isLast ? bytes.length - expect.length : bytes.indexOf(expect);
      if (at < 0) continue;
      const isLine = at ? bytes[at - 1] === 10 : isFresh;
      if (!prompt.isLast || (isLine && bytes.subarray(at).equals(expect))) return { at, entry };
    }
    return undefined;
  }

  #answer(entry: Entry): void {
    const { send, expect } = entry.prompt;
    if (entry.isAnswered || !send) {
      this.end();
      this.#talk.fail(send ? 'asked-again' : 'asked', expect);
      return;
    }
    entry.isAnswered = true;
    // No copy is made: what is sent is overwritten some day.
    this.#talk.answer(send);
    this.#talk.answer(Buffer.from('\n'));
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
