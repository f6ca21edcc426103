/**
 * What to tell of a child that did not come up. A hop is sent this when it has its first failure to tell of: most never have.
 */
import { type MitosError, mitosError } from '../core/errors.ts';
import type { ExitStatus } from './child-link.ts';
import { type Ended, type Explain, type Failure, howEnded, isShortage, type Progress } from './failure.ts';
import { OLDEST_NODE } from './first-stage.ts';

/** The error for a child that did not come up. */
export function connectFailure({ progress, status, link, timeoutMs }: Ended, explainMethod?: Explain): MitosError {
  const { lines } = progress;
  lines.push(...link.noise().split('\n'));
  const isTimeOut = timeoutMs !== undefined;
  const failure = (!isTimeOut && (ownWords(status) || explainMethod?.(progress, status))) || explain(progress, status, timeoutMs);
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

/** A transport of mitos itself knows what is wrong. */
function ownWords({ error }: ExitStatus): Failure | undefined {
  return error && String((error as Partial<Failure>).code).startsWith('ERR_MITOS_') ? (error as unknown as Failure) : undefined;
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
      hint: "install Node there, say where it is with the option node, or let one be pushed (runtime: 'auto')",
    };
  }
  if (stage === 'old') {
    const oldest = OLDEST_NODE.join('.');
    return {
      code: 'ERR_MITOS_RUNTIME_OLD',
      message: `Node there is ${node}, at least v${oldest} is needed`,
      hint: "name a newer one with the option node, or have one pushed with runtime: 'push'",
    };
  }
  if (stage === 'push') {
    return {
      code: 'ERR_MITOS_RUNTIME_PUSH',
      message: `there is no Node, and the process ${howEnded(status)} while one was being sent`,
      hint: 'see what it printed; is there enough memory?',
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
  push: 'there is no Node, and one is being sent',
};
