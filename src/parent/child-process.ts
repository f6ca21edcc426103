/** A child that is a process: spawned in a group of its own, with the protocol on its stdin and stdout. */
import { type ChildProcess, spawn } from 'child_process';
import type { Socket } from 'net';
import type { Readable } from 'stream';
import type { RuntimeSearch } from '../core/connect-order.ts';
import { mitosError } from '../core/errors.ts';
import { SocketTransport } from '../core/fd-transport.ts';
import type { LogSource } from '../core/log.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { firstStage, lastStep } from './first-stage.ts';
import { shellWord, shellWords } from './quote.ts';
import { type Conversation, createStageLink, newMarker } from './stage-link.ts';

/** Time for output that is still in the pipes after the end of a process, in case somebody else holds them open. */
const DRAIN_MS = 100;

/** How a program is talked to before the first stage runs. */
export interface Talk {
  /** Types bytes into the program. */
  answer(bytes: Uint8Array): void;
  /** The program did not accept what was typed, or asks what nobody can answer. */
  fail(word: 'asked' | 'asked-again', question: string): void;
  /** Process id of the program. */
  pid: number | undefined;
}

/** What a connection method says about the process it wants. */
export interface LaunchPlan {
  /** What to put in front of the first stage: a program that ends in running the rest as a command. */
  prefix: readonly string[];
  /** Whether the first stage is one argument, a word for a shell, instead of an argument list. */
  asWord?: boolean | undefined;
  node?: readonly string[] | undefined;
  /** How a Node is looked for, where none is given. */
  search?: RuntimeSearch | undefined;
  env: NodeJS.ProcessEnv;
  cwd?: string | undefined;
  /** Whether extra descriptors reach the first stage, so that stdout can be told from stderr. */
  passesDescriptors?: boolean | undefined;
  /** Whether the child has no I/O thread to notice the end of its parent. */
  isThreadless: boolean;
  preamble: Buffer;
  /**
   * Runs the program on a terminal of its own, made by script(1); the protocol stays beside it. `stdin`: also its stdin is that terminal,
   * and it leaves descriptors open. Nothing is written before the marker.
   */
  terminal?: boolean | 'stdin' | undefined;
  /** What to put between the program's arguments and the first stage, within the word if it is one. */
  inner?: readonly string[] | undefined;
  /** Questions that the program may ask on its stderr or its terminal. */
  converse?: ((talk: Talk) => Conversation) | undefined;
  /** Whether answers are typed into the program's stdin: then nothing is written there before the marker. */
  isTyped?: boolean | undefined;
}

const STDOUT_FD = 5;
const WATCH_FD = 6;
/** Where the protocol passes a terminal by. */
const ASIDE_FD = 3;
const ASIDE = `<&${ASIDE_FD} >&${ASIDE_FD} ${ASIDE_FD}>&-`;
const FROM_ASIDE = ['sh', '-c', `exec "$@" ${ASIDE}`, 'sh'];

/** Starts a process as `plan` says. Failures to start appear in `exited`. */
export function launch(plan: LaunchPlan, maxLineBytes: number): ChildLink {
  const marker = newMarker();
  const { preamble, passesDescriptors, prefix } = plan;
  const hasWatch = passesDescriptors && plan.isThreadless;
  const descriptors = { stdoutFd: passesDescriptors ? STDOUT_FD : undefined, watchFd: hasWatch ? WATCH_FD : undefined };
  const first = firstStage({ marker, preambleBytes: preamble.length, node: plan.node, search: plan.search, ...descriptors });
  const stage = [...(plan.inner || []), ...(plan.terminal === 'stdin' ? FROM_ASIDE : []), ...first];
  const full = [...prefix, ...(plan.asWord ? [shellWords(stage)] : stage)];
  const [program, ...args] = plan.terminal ? onTerminal(full, plan) : full;
  const extra = passesDescriptors ? ['ignore', 'ignore', 'pipe'] : plan.terminal ? ['pipe'] : [];
  if (hasWatch) extra.push('pipe');
  const child = spawn(program as string, args, {
    stdio: ['pipe', 'pipe', 'pipe', ...extra] as never,
    detached: true,
    env: plan.terminal ? { ...plan.env, SHELL: '/bin/sh' } : plan.env,
    ...(plan.cwd === undefined ? {} : { cwd: plan.cwd }),
  });
  if (!child.stdin) {
    child.on('error', () => {});
    throw mitosError('ERR_MITOS_RESOURCE', 'Cannot start a process: no file descriptors are left', {
      hint: 'raise the limit of open files',
    });
  }
  const tail = plan.node ? undefined : lastStep(descriptors);
  return linkTo(child, { ...plan, tail }, marker, maxLineBytes, prefix.length ? prefix : stage.slice(0, 1));
}

/**
 * The command that runs another on a terminal: its stderr and its dialogue are there, its stdin and stdout are the descriptor
 * beside it, nothing typed is echoed. The shell that script(1) starts must be a plain one.
 */
function onTerminal(argv: readonly string[], { env: { SHELL }, terminal }: LaunchPlan): string[] {
  const shell = SHELL === undefined ? 'unset SHELL' : `SHELL=${shellWord(SHELL)}`;
  return ['script', '-qefc', `stty -echo;${shell};exec ${shellWords(argv)} ${terminal === 'stdin' ? '' : ASIDE}`, '/dev/null'];
}

function linkTo(
  child: ChildProcess,
  plan: LaunchPlan & { tail: string | undefined },
  marker: string,
  maxLineBytes: number,
  argv: readonly string[],
): ChildLink {
  const pipes = child.stdio as unknown as readonly Socket[];
  const [stdin, stdout, stderr] = pipes as [Socket, Socket, Socket];
  const aside = plan.terminal ? (pipes[ASIDE_FD] as Socket) : undefined;
  const watch = pipes[WATCH_FD];
  const printing: [Readable | undefined, LogSource][] = [
    [stderr, 'stderr'],
    [aside ? stdout : pipes[STDOUT_FD], aside ? 'stderr' : 'stdout'],
  ];
  const outputs = new Set<Readable>();
  const isRead = (stream: Readable): void => {
    outputs.add(stream);
    stream.on('close', () => outputs.delete(stream));
  };
  isRead(aside || stdout);
  const link = createStageLink({
    inner: new SocketTransport(aside || stdout, aside || stdin),
    marker,
    preamble: plan.preamble,
    tail: plan.tail,
    isBlind: !(plan.isTyped || aside),
    argv,
    exited: exitOf(child, outputs).then((status) => {
      if (watch) watch.destroy();
      if (aside) stdin.destroy();
      if (link.conversation) link.conversation.end();
      return status;
    }),
    kill: () => {
      if (child.exitCode === null && child.signalCode === null) killGroup(child);
    },
  });
  if (plan.converse) {
    link.conversation = plan.converse({
      // On a pipe, a program that asks there is answered there.
      answer: (bytes) => (plan.isTyped || aside ? stdin : stderr).write(bytes),
      fail: (word, question) => link.onWord(word, question),
      pid: child.pid,
    });
  }
  for (const [readable, source] of printing) {
    if (!readable) continue;
    const lines = link.printer(source, maxLineBytes);
    isRead(readable);
    readable.on('data', (chunk: Buffer) => lines.push(link.conversation ? link.conversation.take(chunk) : chunk));
    readable.on('close', () => lines.end());
  }
  for (const socket of pipes) if (socket) socket.on('error', () => {});
  return link;
}

/**
 * How a process ended, once its output (and what it said on the link) has been read.
 *
 * @param outputs those that have not been closed yet: each has to leave the set by itself when it is
 */
export function exitOf(child: ChildProcess, outputs: ReadonlySet<Readable>): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ exitCode: null, signal: null, error }));
    child.on('exit', (exitCode, signal) => {
      // What it started goes with it.
      killGroup(child);
      const done = (): void => {
        clearTimeout(timer);
        resolve({ exitCode, signal });
      };
      const stop = (): void => {
        for (const stream of outputs) stream.destroy();
        timer = setTimeout(done, DRAIN_MS);
      };
      // A timer that is late comes before what can be read: that has its turn first.
      let timer = setTimeout(() => setImmediate(stop), DRAIN_MS);
      for (const stream of outputs) stream.on('close', () => outputs.size || done());
      if (!outputs.size) done();
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
