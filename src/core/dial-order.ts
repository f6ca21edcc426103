/** What one context asks another to connect to. Types only: the two ends are in api/ and services/. */
import type { ExecFailure, ExecSink } from './exec-order.ts';

/** A TCP connection to make. */
export interface DialOrder {
  host: string;
  port: number;
  /** What is written first. */
  first: Uint8Array;
}

/** What flows over it. */
export interface DialFlows {
  /** What is written to it. */
  input: AsyncIterable<Uint8Array>;
  /** Takes what comes from it. */
  output: ExecSink;
}

/** How it ended. */
export interface DialOutcome {
  /** Set when it could not be made, or broke. */
  failure?: ExecFailure;
}
