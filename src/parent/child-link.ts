/** A child as its parent holds it: a process or a thread, with the bytes between. */
import type { LogSource } from '../core/log.ts';
import type { Transport } from '../core/transport.ts';
import type { StageWord } from './marker-transport.ts';

/** How a child ended. */
export interface ExitStatus {
  exitCode: number | null;
  signal: string | null;
  /** Why it could not even be started. */
  error?: Error | undefined;
}

/** A running child. */
export interface ChildLink {
  readonly transport: Transport;
  /** What is written before the first frame. */
  readonly preamble: Uint8Array | undefined;
  /** Whether it may be written before the first stage has said a word; not where a prompt could swallow it. */
  readonly isBlind: boolean;
  /** Where the first stage looks for a Node: how it becomes the one that it has found, as text for its shell. */
  readonly tail?: string | undefined;
  /** What the lines of the first stage begin with, where there is one. */
  readonly marker?: string | undefined;
  /** What was run, without secrets; for error texts. */
  readonly argv: readonly string[];
  /** Settles when the child is gone and what it printed has been read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** Set by the owner: takes what the child prints, line by line. */
  onOutput: (source: LogSource, line: string) => void;
  /** Set by the owner: a word of the first stage, or `asked` (with the question) when nobody can answer, `asked-again` when a prompt came twice. */
  onWord: (word: StageWord['word'] | 'asked' | 'asked-again', text: string) => void;
  /** What came on the protocol's side before the protocol, for error texts. */
  noise(): string;
  /** Ends the child and what it started, at once. */
  kill(): void;
}
