/** A child that is a process: spawned in a group of its own, with the protocol on its stdin and stdout. */
import { type ChildProcess, spawn } from 'child_process';
import { randomBytes } from 'crypto';
import type { Socket } from 'net';
import type { Readable } from 'stream';
import { mitosError } from '../core/errors.ts';
import { SocketTransport } from '../core/fd-transport.ts';
import { LineSplitter, type LogSource } from '../core/log.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { Dialogue, type Prompt } from './dialogue.ts';
import { firstStage } from './first-stage.ts';
import { MarkerTransport } from './marker-transport.ts';

/** Time for output that is still in the pipes after the end of a process, in case somebody else holds them open. */
const DRAIN_MS = 100;

/** What a connection method says about the process it wants. */
export interface LaunchPlan {
  /** What to put in front of the first stage: a program that ends in running the rest as a command. */
  prefix: readonly string[];
  node?: readonly string[] | undefined;
  env: NodeJS.ProcessEnv;
  cwd?: string | undefined;
  /** Whether extra descriptors reach the first stage, so that stdout can be told from stderr. */
  passesDescriptors: boolean;
  /** Whether the child has no I/O thread to notice the end of its parent. */
  isThreadless: boolean;
  preamble: Buffer;
  /** Questions that the program may ask first. Nothing is written before the marker then. */
  prompts?: readonly Prompt[] | undefined;
}

const STDOUT_FD = 5;
const WATCH_FD = 6;

/** Starts a process as `plan` says. Failures to start appear in `exited`. */
export function launch(plan: LaunchPlan, maxLineBytes: number): ChildLink {
  const marker = randomBytes(16).toString('base64').slice(0, 22);
  const hasWatch = plan.passesDescriptors && plan.isThreadless;
  const stage = firstStage({
    marker,
    preambleBytes: plan.preamble.length,
    node: plan.node,
    stdoutFd: plan.passesDescriptors ? STDOUT_FD : undefined,
    watchFd: hasWatch ? WATCH_FD : undefined,
  });
  const argv = [...plan.prefix, ...stage];
  const extra = plan.passesDescriptors ? ['ignore', 'ignore', 'pipe'] : [];
  if (hasWatch) extra.push('pipe');
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe', ...extra] as never,
    detached: true,
    env: plan.env,
    ...(plan.cwd === undefined ? {} : { cwd: plan.cwd }),
  });
  if (!child.stdin) {
    child.on('error', () => {});
    throw mitosError('ERR_MITOS_RESOURCE', 'Cannot start a process: no file descriptors are left', {
      hint: 'raise the limit of open files',
    });
  }
  return linkTo(child, argv, marker, plan, maxLineBytes);
}

function linkTo(child: ChildProcess, argv: string[], marker: string, plan: LaunchPlan, maxLineBytes: number): ChildLink {
  const { preamble, prompts = [] } = plan;
  const inner = new SocketTransport(child.stdout as Socket, child.stdin as unknown as Socket);
  const dialogue = new Dialogue(
    prompts,
    (bytes) => inner.write([bytes]),
    (event) => event === 'asked-again' && link.onWord(event, ''),
  );
  const transport = new MarkerTransport(inner, marker, (said) => {
    dialogue.end();
    link.onWord(said.word, said.text);
  });
  const outputs: Readable[] = [];
  const pipes = child.stdio as unknown as readonly unknown[];
  const capture = (stream: unknown, source: LogSource, filter = (chunk: Buffer): Buffer => chunk): void => {
    if (!stream) return;
    const readable = stream as Readable;
    const lines = new LineSplitter(maxLineBytes, (line) => link.onOutput(source, line.replace(marker, 'sh')));
    outputs.push(readable);
    readable.on('data', (chunk: Buffer) => lines.push(filter(chunk)));
    readable.on('error', () => {});
    readable.on('close', () => lines.end());
  };
  capture(child.stderr, 'stderr', (chunk) => dialogue.take(chunk));
  capture(pipes[STDOUT_FD], 'stdout');
  const watch = pipes[WATCH_FD] as Socket | undefined;
  if (watch) watch.on('error', () => {});
  const link: ChildLink = {
    transport,
    preamble,
    isBlind: prompts.length === 0,
    argv: argv.slice(0, argv.length - 3),
    exited: exitOf(child, [...outputs, child.stdout as Readable]).then((status) => {
      if (watch) watch.destroy();
      return status;
    }),
    onOutput: () => {},
    onWord: () => {},
    noise: () => transport.noise.toString('utf8'),
    kill: () => {
      if (child.exitCode === null && child.signalCode === null) killGroup(child);
    },
  };
  return link;
}

/** How a process ended, once its output (and what it said on the link) has been read. */
function exitOf(child: ChildProcess, outputs: Readable[]): Promise<ExitStatus> {
  return new Promise((resolve) => {
    let open = outputs.length;
    let done = (): void => {};
    for (const stream of outputs) stream.on('close', () => --open || done());
    child.on('error', (error) => resolve({ exitCode: null, signal: null, error }));
    child.on('exit', (exitCode, signal) => {
      // What it started goes with it.
      killGroup(child);
      done = () => {
        clearTimeout(timer);
        for (const stream of outputs) stream.destroy();
        resolve({ exitCode, signal });
      };
      // A timer that is late comes before what can be read: that has its turn first.
      const timer = setTimeout(() => setImmediate(done), DRAIN_MS);
      if (!open) done();
    });
  });
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // nothing of it is left
  }
}
