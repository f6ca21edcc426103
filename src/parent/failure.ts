/** How a child comes up, and what to tell of one that has ended. What to tell of one that did not come up is in connect-failure.ts. */
import { type ErrorCode, type MitosError, mitosError } from '../core/errors.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';

/** How far a child has come. */
export interface Progress {
  name: string;
  method: string;
  /** `start`: nothing heard; `node`: the first stage has found a Node; `none`: it has found none; `old`: it is too old; `push`: it is provided with one; `asked`: it asks what nobody can answer; `asked-again`: a prompt came twice. */
  stage: 'start' | 'asked' | 'asked-again' | 'node' | 'none' | 'old' | 'push';
  startedAt: number;
  now(): number;
  /** What the first stage said about Node; at `asked` the question. */
  node: string | undefined;
  /** The last lines that were printed. */
  lines: string[];
}

/** What a failure comes to. */
export interface Failure {
  code: ErrorCode;
  message: string;
  hint?: string | undefined;
  /** Further facts for the error. */
  data?: Record<string, unknown> | undefined;
}

/** What is known of a child that did not come up. */
export interface Ended {
  progress: Progress;
  status: ExitStatus;
  link: ChildLink;
  /** The time it had, if that is what it failed by. */
  timeoutMs?: number | undefined;
}

/** Makes the error that a program gets. */
export type ExplainFailure = (ended: Ended) => MitosError;

/** Reads more out of a failure of one connection method than its exit status says. */
export type Explain = (progress: Progress, status: ExitStatus) => Failure | undefined;

/** Whether an error of the system says that something has run out. */
export function isShortage(code: unknown): boolean {
  return /^(EAGAIN|EMFILE|ENFILE|ENOMEM|E2BIG|ENOBUFS)$/.test(String(code));
}

/** The reason why a child that was up is gone. */
export function endOfChild(name: string, status: ExitStatus, progress: Progress): MitosError {
  const { exitCode, signal } = status;
  if (exitCode === null && signal === null) {
    return mitosError('ERR_MITOS_DISCONNECTED', `Lost "${name}": the link ended`);
  }
  const isMemory = progress.lines.some((line) => /heap out of memory|Allocation failed|ERR_WORKER_OUT_OF_MEMORY/.test(line));
  return mitosError('ERR_MITOS_CHILD_EXIT', `Lost "${name}": its process ${howEnded(status)}${isMemory ? ' (out of memory)' : ''}`, {
    ...(isMemory ? { hint: 'the function needs more memory than Node gives; see --max-old-space-size' } : {}),
    data: { exitCode, signal, stderr: progress.lines.slice(-20) },
  });
}

/** `exited with code 1`, and the like. */
export function howEnded({ exitCode, signal }: ExitStatus): string {
  return signal ? `was ended by ${signal}` : exitCode === null ? 'ended' : `exited with code ${exitCode}`;
}
