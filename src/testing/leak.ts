import type { ProcessInfo } from './process-table.ts';

/** Something that a test left behind. */
export interface Leak {
  /** What sort of thing it is. */
  kind: 'process' | 'fd' | 'pty' | 'resource' | 'file' | 'listener';
  /** Readable text for one line: what, and how to find it. */
  description: string;
  /** The process, when `kind` is `process`. */
  process?: ProcessInfo;
}

/** Thrown by the leak oracle; test reporters treat it as a failed assertion. */
export class LeakError extends Error {
  /** `ERR_ASSERTION`, as that of an `AssertionError`. */
  readonly code = 'ERR_ASSERTION';
  /** Everything that was left behind. */
  readonly leaks: readonly Leak[];

  constructor(leaks: readonly Leak[], waitedMs: number) {
    super(`Expected nothing to be left behind, after ${Math.round(waitedMs)} ms there still ${describe(leaks)}`);
    this.name = 'LeakError';
    this.leaks = leaks;
  }
}

function describe(leaks: readonly Leak[]): string {
  const head = leaks.length === 1 ? 'is 1 leak' : `are ${leaks.length} leaks`;
  return [`${head}:`, ...leaks.map((leak) => `  ${leak.kind}: ${leak.description}`)].join('\n');
}
