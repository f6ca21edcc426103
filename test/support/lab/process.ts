/** Programs that the lab runs: to their end, or until they are closed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProcessInfo, readProcessTable } from '#src/testing/process-table.js';

const RUN_TIMEOUT_MS = 30_000;
const POLL_MS = 10;

/** How {@link run} runs a program. */
export interface RunOptions {
  input?: string;
  env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end and returns what it printed on stdout; throws with its stderr when it fails. */
export function run(argv: readonly string[], { input = '', env = {} }: RunOptions = {}): string {
  const result = tryRun(argv, { input, env });
  if (result.status === 0) return result.stdout;
  const ending = result.status === null ? 'did not run or did not end' : `exited with code ${result.status}`;
  throw new Error(`Cannot run "${argv.join(' ')}" for the lab: it ${ending}: ${(result.stderr + result.stdout).trim()}`);
}

/** As {@link run}, for programs that may fail. */
export function tryRun(
  argv: readonly string[],
  { input = '', env = {} }: RunOptions = {},
): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    input,
    env: { ...process.env, NODE_OPTIONS: '', LC_ALL: 'C', ...env },
    encoding: 'utf8',
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  return { status, stdout: stdout ?? '', stderr: error === undefined ? stderr : `${error.message}\n${stderr ?? ''}` };
}

/** Waits until `look` finds something; rejects with what `explain` says when that takes too long. */
export async function waitFor<T>(look: () => T | undefined, explain: () => string, withinMs = 15_000): Promise<T> {
  const start = performance.now();
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() - start > withinMs) throw new Error(explain());
    await sleep(POLL_MS);
  }
}

/** A program in the background, with its output in a file. It does not outlive this process, even if that is killed. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #argv: readonly string[];
  #ended = false;

  constructor(argv: readonly string[], log: string, env: Readonly<Record<string, string>> = {}) {
    this.#log = log;
    this.#argv = argv;
    const fd = openSync(log, 'a', 0o600);
    try {
      const args = ['--pdeathsig', 'KILL', '--', ...argv];
      this.#child = spawn('setpriv', args, { stdio: ['ignore', fd, fd], env: { ...process.env, NODE_OPTIONS: '', LC_ALL: 'C', ...env } });
    } finally {
      closeSync(fd);
    }
    this.#child.unref();
    for (const event of ['exit', 'error']) {
      this.#child.once(event, (reason: unknown) => {
        this.#ended = true;
        if (reason instanceof Error) writeFileSync(log, `${reason.message}\n`, { flag: 'a' });
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it printed so far. */
  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** The processes it started, and theirs. */
  descendants(): ProcessInfo[] {
    return this.pid === 0 ? [] : treeBelow(this.pid);
  }

  /** Waits until it is ready; rejects with its output when it ends before, or takes too long. */
  async until<T>(look: () => T | undefined): Promise<T> {
    const explain = (what: string): string => `Cannot start "${this.#argv.join(' ')}" for the lab: it ${what}: ${this.log().trim()}`;
    return waitFor(
      () => {
        const found = look();
        if (found === undefined && this.#ended) throw new Error(explain('ended'));
        return found;
      },
      () => explain('did not get ready'),
    );
  }

  /** Ends it and all below it, and waits for that. */
  async close(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const below = this.descendants();
    if (!this.#ended) {
      this.#child.ref();
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    }
    await killAll(below);
  }
}

/** The living processes below `pid`. */
export function treeBelow(pid: number): ProcessInfo[] {
  const table = readProcessTable();
  const found = new Set([pid]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const info of table.values()) if (found.has(info.ppid)) found.add(info.pid);
  }
  found.delete(pid);
  return [...found].map((below) => table.get(below)).filter((info) => info !== undefined);
}

/** Kills processes that still are who they were, and waits until they are gone or zombies. */
export async function killAll(processes: readonly ProcessInfo[]): Promise<void> {
  const living = (): ProcessInfo[] => {
    const table = readProcessTable();
    return processes.filter(({ pid, startTime }) => {
      const now = table.get(pid);
      return now?.startTime === startTime && now.state !== 'Z' && now.state !== 'X';
    });
  };
  for (const { pid } of living()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
  await waitFor(
    () => (living().length === 0 ? true : undefined),
    () => `Cannot end ${JSON.stringify(living())}`,
  );
}
