/** Runs programs of this machine: npm, xz, a Node that was just made. None outlives the master. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { atEnd } from './at-end.ts';

/** How a program ended. */
export interface ProgramResult {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** More is not kept of what a program prints. */
const MOST_OUTPUT = 1024 * 1024;
/** How long a program has to end after it was asked to. */
const GRACE_MS = 1000;

/** Starts a program without a shell; it is killed when the signal aborts or the master exits. `ended` resolves when it has ended; rejects when it cannot be started. */
export function startProgram(
  argv: readonly [string, ...string[]],
  options: SpawnOptions,
  signal: AbortSignal,
): { child: ChildProcess; ended: Promise<{ status: number | null; signal: string | null }> } {
  signal.throwIfAborted();
  const [file, ...args] = argv;
  const child = spawn(file, args, options);
  const forget = atEnd(() => child.kill('SIGKILL'));
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill('SIGTERM');
    timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  };
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<{ status: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, killedBy) => resolve({ status, signal: killedBy }));
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    forget();
  });
  ended.catch(() => undefined);
  return { child, ended };
}

/** Runs a program to its end and gives what it printed. Rejects with the reason of the signal when that aborts. */
export async function runProgram(argv: readonly [string, ...string[]], options: SpawnOptions, signal: AbortSignal): Promise<ProgramResult> {
  const { child, ended } = startProgram(argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }, signal);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-MOST_OUTPUT);
    });
  }
  const end = await ended;
  signal.throwIfAborted();
  return { ...end, ...output };
}
