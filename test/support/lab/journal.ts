/**
 * What has to be undone after a lab. Each lab has a directory named after its process, and in it the commands that undo what it did to the
 * machine, written down before it is done: so whoever opens a lab next undoes what a killed test left.
 */
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcess } from '#src/testing/process-table.js';
import { tryRun } from './process.ts';

/** `mitos` is not part of it: the leak oracle of a test that runs beside this one would take it for a leak. */
const PREFIX = 'mtlab-';
const STALE_CLAIM_MS = 10 * 60_000;

/** Commands that undo things, last first. */
export class Journal {
  readonly directory: string;
  readonly #file: string;
  readonly #pending: string[][] = [];

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${readProcess(process.pid)?.startTime ?? '0'}-`));
    chmodSync(this.directory, 0o755);
    this.#file = join(this.directory, 'undo.jsonl');
  }

  /** Takes note of a command; the returned function runs it early. It must do no harm when there is nothing to undo. */
  add(...argv: string[]): () => void {
    appendFileSync(this.#file, `${JSON.stringify(argv)}\n`, { mode: 0o600 });
    this.#pending.push(argv);
    return () => {
      const index = this.#pending.indexOf(argv);
      if (index !== -1) undo(...this.#pending.splice(index, 1));
    };
  }

  /** Undoes everything and removes the directory. */
  close(): void {
    undo(...this.#pending.splice(0).reverse());
    removeDirectory(this.directory);
  }
}

function undo(...commands: (readonly string[])[]): void {
  for (const command of commands) {
    const { status, stderr } = tryRun(command);
    if (status !== 0) console.error(`The lab cannot undo with "${command.join(' ')}": ${stderr.trim()}`);
  }
}

/** Never follows a mount: with the machine's own /usr mounted in it, a directory is kept. */
function removeDirectory(directory: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  if (mounts.some((line) => line.split(' ')[4]?.startsWith(directory) === true)) {
    console.error(`The lab keeps ${directory}: something is mounted in it`);
    return;
  }
  rmSync(directory, { recursive: true, force: true });
}

/** Undoes what labs of processes left that are gone. */
export function undoLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid, startTime] = new RegExp(`^${PREFIX}(\\d+)-(\\d+)-`).exec(name) ?? [];
    if (pid === undefined || readProcess(Number(pid))?.startTime === startTime) continue;
    const directory = join(tmpdir(), name);
    if (!claim(directory)) continue;
    const file = join(directory, 'undo.jsonl');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    undo(
      ...lines
        .filter((line) => line.endsWith(']'))
        .map((line) => JSON.parse(line) as string[])
        .reverse(),
    );
    removeDirectory(directory);
  }
}

/** Only one process may undo. */
function claim(directory: string): boolean {
  const mark = join(directory, 'undoing');
  try {
    if (existsSync(mark) && Date.now() - statSync(mark).mtimeMs > STALE_CLAIM_MS) rmSync(mark, { recursive: true });
    mkdirSync(mark);
    return true;
  } catch {
    return false;
  }
}
