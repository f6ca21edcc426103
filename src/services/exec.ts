/**
 * Runs programs in the context it is sent to: the far side of `exec`.
 *
 * A program leads a process group of its own, with /dev/null or a pipe on descriptor 0, pipes on 1 and 2, and nothing else. When the call is
 * aborted the group gets SIGTERM, and SIGKILL 500 ms later. When the program ends its outputs are read to the end; a descendant that lives on and
 * holds them open is waited for only while it goes on printing.
 */
import { type ChildProcess, spawn } from 'child_process';
import { existsSync, statSync } from 'fs';
import type { Readable, Writable } from 'stream';
import { starting } from '../core/dispatcher.ts';
import { type ErrorCode, MitosError } from '../core/errors.ts';
import type { ExecFailure, ExecFlows, ExecOrder, ExecOutcome, ExecSink } from '../core/exec-order.ts';
import { copy } from './copy.ts';
import { guardGroup, releaseGroup } from './process-guard.ts';

/** Time between SIGTERM and SIGKILL. */
const GRACE_MS = 500;
/** Silence after the end of a program until outputs that somebody else holds open are given up. */
const DRAIN_MS = 100;
/** How often a group that was told to end is looked at. */
const POLL_MS = 20;

/**
 * Runs a program. Never rejects: what goes wrong is told in the outcome.
 *
 * @param flows What comes and goes while it runs; outputs without a sink are collected.
 * @param signal Stops the program. When this is run by a call, the end of the call does that as well.
 */
export function run(order: ExecOrder, flows: ExecFlows = {}, signal?: AbortSignal): Promise<ExecOutcome> {
  const program = new Program(order, flows);
  const { invocation } = starting;
  if (invocation) invocation.onAbort = () => program.stop(invocation.reason);
  if (signal) {
    const onAbort = (): void => program.stop();
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    program.onOver = () => signal.removeEventListener('abort', onAbort);
  }
  return program.outcome;
}

/** One running program. */
class Program {
  readonly outcome: Promise<ExecOutcome>;
  onOver: () => void = () => {};
  readonly #order: ExecOrder;
  #child: ChildProcess | undefined;
  #failure: ExecFailure | undefined;
  #stopping: Promise<void> | undefined;
  #stopInput: () => void = () => {};
  #hasExited = false;
  #isOver = false;
  /** Outputs whose last chunk has not been taken yet. */
  #blocked = 0;
  #idle: NodeJS.Timeout | undefined;
  #onQuiet: () => void = () => {};

  constructor(order: ExecOrder, flows: ExecFlows) {
    this.#order = order;
    this.outcome = this.#run(flows).then((outcome) => {
      this.onOver();
      return outcome;
    });
  }

  /** Ends the program and what it has started. A `reason` of mitos is told as the reason for its end. */
  stop(reason?: unknown): void {
    if (MitosError.is(reason) && !this.#failure) this.#failure = { code: reason.code, message: `it was stopped (${reason.message})` };
    const { pid } = this.#child || {};
    if (!pid || this.#stopping || this.#isOver) return;
    this.#stopping = endGroup(pid);
    this.#onQuiet();
  }

  async #run(flows: ExecFlows): Promise<ExecOutcome> {
    const nothing = Buffer.alloc(0);
    const outputs: Promise<Uint8Array>[] = [];
    let exit: [number | null, string | null];
    try {
      const child = this.#start(flows.stdin !== undefined);
      const exited = exitOf(child);
      if (child.pid) {
        guardGroup(child.pid);
        this.#feed(child.stdin, flows.stdin);
        outputs.push(
          this.#read(child.stdout as Readable, 'stdout', flows.stdout),
          this.#read(child.stderr as Readable, 'stderr', flows.stderr),
        );
      }
      exit = await exited;
      this.#onExit(child);
    } catch (error) {
      closeAll(flows);
      return { stdout: nothing, stderr: nothing, ...explain(error as NodeJS.ErrnoException, this.#order) };
    }
    const [stdout, stderr] = (await Promise.all(outputs)) as [Uint8Array, Uint8Array];
    this.#isOver = true;
    clearTimeout(this.#idle as NodeJS.Timeout);
    if (this.#stopping) await this.#stopping;
    await releaseGroup((this.#child as { pid: number }).pid);
    const [exitCode, signal] = exit;
    const failure = this.#failure;
    return failure ? { stdout: nothing, stderr: nothing, exitCode, signal, failure } : { stdout, stderr, exitCode, signal };
  }

  #start(hasFlow: boolean): ChildProcess {
    const { argv, cwd, env, input } = this.#order;
    const child = spawn(argv[0] as string, argv.slice(1), {
      stdio: [hasFlow || input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
      env: env ? { ...process.env, ...env } : process.env,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child = child;
    return child;
  }

  /** Nothing more can be written, and outputs may be held open by somebody else. */
  #onExit({ stdout, stderr }: ChildProcess): void {
    this.#hasExited = true;
    this.#stopInput();
    this.#onQuiet = () => {
      if (stdout) stdout.destroy();
      if (stderr) stderr.destroy();
    };
    this.#touch();
  }

  /** Something happened: silence starts from here. */
  #touch(): void {
    clearTimeout(this.#idle as NodeJS.Timeout);
    if (this.#hasExited && !this.#blocked) this.#idle = setTimeout(this.#onQuiet, DRAIN_MS);
  }

  /** Collects an output, or passes it on as fast as it is taken. */
  async #read(output: Readable, name: string, sink: ExecSink | undefined): Promise<Uint8Array> {
    const { maxBufferBytes } = this.#order;
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of output as AsyncIterable<Buffer>) {
        this.#touch();
        if (sink) await this.#pass(sink, chunk);
        else if ((size += chunk.length) <= maxBufferBytes) chunks.push(chunk);
        else if (!this.#failure)
          this.#fail(
            'ERR_MITOS_LIMIT',
            `it printed more than ${maxBufferBytes} bytes to ${name} (maxBufferBytes)`,
            `read ${name} while it runs`,
          );
      }
    } catch {
      // Nobody reads any more, or the output was given up: the program finds its pipe closed.
      output.destroy();
    }
    if (sink) sink.close();
    return Buffer.concat(this.#failure ? [] : chunks);
  }

  async #pass(sink: ExecSink, chunk: Uint8Array): Promise<void> {
    this.#blocked++;
    this.#touch();
    try {
      await sink.send(chunk);
    } finally {
      this.#blocked--;
      this.#touch();
    }
  }

  #feed(stdin: Writable | null, source: AsyncIterable<Uint8Array> | undefined): void {
    if (!stdin) return;
    stdin.on('error', () => {});
    if (!source) {
      stdin.end(this.#order.input);
      return;
    }
    const iterator = source[Symbol.asyncIterator]();
    this.#stopInput = () => {
      if (iterator.return) Promise.resolve(iterator.return()).catch(() => {});
    };
    stdin.on('close', this.#stopInput);
    copy(iterator, stdin).catch((error) => {
      if (!this.#hasExited) this.#fail('ERR_MITOS_EXEC', `its input failed (${(error as Error).message})`);
    });
  }

  #fail(code: ErrorCode, message: string, hint?: string): void {
    this.#failure = { code, message, ...(hint ? { hint } : {}) };
    this.stop();
  }
}

function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
  return new Promise((resolve, reject) => {
    child.on('exit', (exitCode, signal) => resolve([exitCode, signal]));
    child.on('error', (error) => {
      if (!child.pid) reject(error);
    });
  });
}

/** Signals a process group. @returns whether there is any such process */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ends a process group, the hard way if it takes too long. */
function endGroup(pid: number): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (signalGroup(pid, 0) && --left > 0) return;
      clearInterval(timer);
      signalGroup(pid, 'SIGKILL');
      resolve();
    }, POLL_MS);
    let left = GRACE_MS / POLL_MS;
  });
}

function closeAll({ stdin, stdout, stderr }: ExecFlows): void {
  if (stdout) stdout.close();
  if (stderr) stderr.close();
  const iterator = stdin && stdin[Symbol.asyncIterator]();
  if (iterator && iterator.return) Promise.resolve(iterator.return()).catch(() => {});
}

/** Why a program could not be started. */
function explain({ code, message }: NodeJS.ErrnoException, { argv, cwd }: ExecOrder): Pick<ExecOutcome, 'exitCode' | 'signal' | 'failure'> {
  const failed = (exitCode: number | null, text: string, hint?: string, kind: ErrorCode = 'ERR_MITOS_EXEC') => ({
    exitCode,
    signal: null,
    failure: { code: kind, message: text, ...(hint ? { hint } : {}) },
  });
  if (cwd !== undefined && !isDirectory(cwd))
    return failed(null, `there is no directory ${JSON.stringify(cwd)}`, 'set cwd to one that exists there');
  // The search of PATH says EACCES, too, when a folder on it may not be entered and no other has the program.
  if (code === 'ENOENT' || (code === 'EACCES' && !isSeen(argv[0] as string)))
    return failed(127, 'there is no such program', (argv[0] as string).includes(' ') ? 'pass a list of arguments' : undefined);
  if (code === 'EACCES') return failed(126, 'it may not be executed');
  if (/^(EAGAIN|EMFILE|ENFILE|ENOMEM|E2BIG)$/.test(String(code)))
    return failed(null, `the system refused a process (${message})`, undefined, 'ERR_MITOS_RESOURCE');
  return failed(null, message);
}

/** Whether a program can be seen at all, by its path or in a folder of PATH. */
function isSeen(program: string): boolean {
  const folders = program.includes('/')
    ? ['']
    : String(process.env['PATH'])
        .split(':')
        .map((folder) => `${folder}/`);
  return folders.some((folder) => existsSync(folder + program));
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
