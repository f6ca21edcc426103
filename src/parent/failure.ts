/** What to tell of a child that did not come up, or that has ended. */
import { type ErrorCode, type MitosError, mitosError } from '../core/errors.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import type { Method } from './connector.ts';
import { OLDEST_NODE } from './first-stage.ts';

/** How far a child has come. */
export interface Progress {
  name: string;
  method: string;
  /** `start`: nothing heard; `node`: the first stage has found a Node; `none`: it has found none; `old`: it is too old; `asked`: it asks what nobody can answer; `asked-again`: a prompt came twice. */
  stage: 'start' | 'asked' | 'asked-again' | 'node' | 'none' | 'old';
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

/** Whether an error of the system says that something has run out. */
export function isShortage(code: unknown): boolean {
  return /^(EAGAIN|EMFILE|ENFILE|ENOMEM|E2BIG|ENOBUFS)$/.test(String(code));
}

/** The error for a child that did not come up. */
export function connectFailure(progress: Progress, status: ExitStatus, link: ChildLink, timeoutMs?: number, method?: Method): MitosError {
  const { lines } = progress;
  lines.push(...link.noise().split('\n'));
  const failure = (method?.explain && method.explain(progress, status)) || explain(progress, status, timeoutMs);
  const stderr = lines.filter((line) => line.trim()).slice(-20);
  const last = stderr.length ? `; last output: ${JSON.stringify(stderr.slice(-3).join('\n'))}` : '';
  const { code, message, hint } = failure;
  return mitosError(code, `Cannot connect "${progress.name}" via ${progress.method}: ${message}${last}`, {
    ...(hint ? { hint } : {}),
    data: {
      ...failure.data,
      stage: progress.stage,
      argv: link.argv,
      exitCode: status.exitCode,
      signal: status.signal,
      stderr,
      elapsedMs: Math.round(progress.now() - progress.startedAt),
    },
  });
}

function explain(progress: Progress, status: ExitStatus, timeoutMs?: number): Failure {
  const { stage, node } = progress;
  const { error, exitCode } = status;
  if (timeoutMs !== undefined) {
    return {
      code: 'ERR_MITOS_CONNECT_TIMEOUT',
      message: `not up within ${timeoutMs} ms (${WAITED[stage]})`,
      hint: 'set connectTimeoutMs if it only needs longer',
    };
  }
  if (error) {
    return {
      code: isShortage((error as NodeJS.ErrnoException).code) ? 'ERR_MITOS_RESOURCE' : 'ERR_MITOS_TRANSPORT_EXIT',
      message: `cannot start the process (${error.message})`,
      hint: /ENOENT/.test(error.message) ? 'is that program installed there?' : undefined,
    };
  }
  if (stage === 'asked') {
    return { code: 'ERR_MITOS_PASSWORD_REQUIRED', message: `it asks "${node}"`, hint: 'give the option password' };
  }
  if (stage === 'asked-again') {
    return {
      code: 'ERR_MITOS_PASSWORD_WRONG',
      message: 'the password was not accepted',
      hint: 'it was sent once only, so as not to lock the account',
    };
  }
  if (stage === 'none') {
    return {
      code: 'ERR_MITOS_NO_RUNTIME',
      message: `no Node found there (${node})`,
      hint: 'install Node there, or say where it is with the option node',
    };
  }
  if (stage === 'old') {
    const oldest = OLDEST_NODE.join('.');
    return {
      code: 'ERR_MITOS_RUNTIME_OLD',
      message: `Node there is ${node}, at least v${oldest} is needed`,
      hint: 'name a newer one with the option node',
    };
  }
  if (stage === 'node' && (exitCode === 127 || exitCode === 126)) {
    return { code: 'ERR_MITOS_NO_RUNTIME', message: `"${node}" cannot be run there`, hint: 'check the option node' };
  }
  return { code: 'ERR_MITOS_TRANSPORT_EXIT', message: `the process ${howEnded(status)} before the handshake` };
}

const WAITED = {
  start: 'the first stage has not answered',
  asked: 'it asks for something',
  'asked-again': 'the password was not accepted',
  node: 'Node was started and has not answered',
  none: 'no Node found',
  old: 'Node is too old',
};

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

function howEnded({ exitCode, signal }: ExitStatus): string {
  return signal ? `was ended by ${signal}` : exitCode === null ? 'ended' : `exited with code ${exitCode}`;
}
