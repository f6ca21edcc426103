/** What the library is measured beside: bare Node processes, and Mitogen and execnet where Debian's packages of them are installed. */
import { type ChildProcess, type ChildProcessByStdio, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { inheritedEnvironment } from '#src/parent/environment.js';

const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('../../bench/peers.py', import.meta.url));
const ECHO = `process.stdin.on('data', (bytes) => process.stdout.write(bytes))`;
/** Answers a number with so many bytes, always the same ones. */
const SOURCE = `let held = Buffer.alloc(0);
process.stdin.on('data', (bytes) => {
  const size = bytes.readUInt32LE(0);
  if (held.length !== size) held = Buffer.alloc(size, 7);
  process.stdout.write(held);
})`;
type PipedNode = ChildProcessByStdio<Writable, Readable, null>;

/** What our children get too: some variables (NODE_EXTRA_CA_CERTS, NODE_OPTIONS) make Node slow to start. */
const env = inheritedEnvironment(process.env);
/** About what an empty call takes. */
const CALL_BYTES = 48;

/** A bare Node child with pipes: the floor for everything that goes over pipes. */
export class BareNode implements AsyncDisposable {
  readonly #echo: PipedNode = startNode(ECHO);
  readonly #source: PipedNode = startNode(SOURCE);

  /** Milliseconds for `count` bytes there and back, one after another. */
  echo(count: number): Promise<number> {
    const { stdin, stdout } = this.#echo;
    const message = Buffer.alloc(CALL_BYTES, 120);
    return new Promise((resolve) => {
      const start = performance.now();
      let left = count;
      const onData = (): void => {
        if (left--) stdin.write(message);
        else resolve((stdout.off('data', onData), performance.now() - start));
      };
      stdout.on('data', onData);
      onData();
    });
  }

  /** Milliseconds until `size` bytes have come and are in one buffer. */
  bytes(size: number): Promise<number> {
    const { stdin, stdout } = this.#source;
    return new Promise((resolve) => {
      const start = performance.now();
      const whole = Buffer.allocUnsafe(size);
      const wanted = Buffer.alloc(4);
      let at = 0;
      wanted.writeUInt32LE(size);
      const onData = (chunk: Buffer): void => {
        at += chunk.copy(whole, at);
        if (at === size) resolve((stdout.off('data', onData), performance.now() - start));
      };
      stdout.on('data', onData);
      stdin.write(wanted);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([end(this.#echo), end(this.#source)]);
  }
}

/** Milliseconds of `node -e 0`, from spawn to exit, with the pipes that a child has. */
export async function runNode(): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, ['-e', '0'], { env, detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'] });
  await once(child, 'exit');
  return performance.now() - start;
}

/** A Node that does nothing, for its memory. */
export function idleNode(): ChildProcess {
  return startNode('setInterval(() => {}, 1e8); console.log(1)');
}

/** One of the peers in Python. */
export class PythonPeer implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts a peer; undefined when it is not installed. */
  static async start(name: 'mitogen' | 'execnet'): Promise<PythonPeer | undefined> {
    const child = spawn(PYTHON, [SCRIPT, name]);
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stderr.resume();
    const peer = new PythonPeer(child);
    const { done } = await peer.#lines.next();
    return done ? undefined : peer;
  }

  /** Has something done `count` times: milliseconds, or what `pid` gives. */
  async ask(what: 'call' | 'pipeline' | 'connect' | 'many' | 'pid', count: number): Promise<number> {
    this.#process.stdin.write(`${JSON.stringify([what, count])}\n`);
    const { value, done } = await this.#lines.next();
    return done ? NaN : Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process);
  }
}

/** Ends a process by closing its input; kills it when that does not help. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  child.stdin?.end();
  await once(child, 'exit');
  clearTimeout(timer);
}

function startNode(script: string): PipedNode {
  // Our children lead sessions of their own, and the scheduler treats sessions apart.
  return spawn(process.execPath, ['-e', script], { env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
}
