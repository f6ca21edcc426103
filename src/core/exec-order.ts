/** What one context asks another to run, and what it hears of it. Types only: the two ends are in api/ and services/. */
import type { ErrorCode } from './errors.ts';

/** A program to run. */
export interface ExecOrder {
  /** Program and arguments. */
  argv: readonly string[];
  /** Where to run it. */
  cwd?: string;
  /** Variables to add. */
  env?: Record<string, string>;
  /** What it finds on its standard input. */
  input?: Uint8Array;
  /** Most bytes of each output that are collected. */
  maxBufferBytes: number;
}

/** What flows while it runs. */
export interface ExecFlows {
  /** What is written to its standard input. */
  stdin?: AsyncIterable<Uint8Array>;
  /** Takes its standard output, which is not collected then. */
  stdout?: ExecSink;
  /** Takes its standard error, which is not collected then. */
  stderr?: ExecSink;
}

/** Where an output goes: a sender. */
export interface ExecSink {
  /** Done when there is room for more; rejects when nobody reads any more. */
  send(chunk: Uint8Array): Promise<void>;
  /** Ends it. */
  close(): void;
}

/** How it ended. */
export interface ExecOutcome {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number | null;
  signal: string | null;
  /** Set when it could not be started, or was stopped for a reason of its own. */
  failure?: ExecFailure;
}

/** Why there is no proper result. */
export interface ExecFailure {
  code: ErrorCode;
  /** Ends the sentence "Cannot run ...:". */
  message: string;
  hint?: string;
}
