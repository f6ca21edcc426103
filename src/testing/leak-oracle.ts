import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Leak, LeakError } from './leak.ts';
import { activityProbe, descriptorProbe, fileProbe, type Look, listenerProbe, processProbe, ptyProbe, workerProbe } from './leak-probes.ts';
import { LEAK_TAG_VARIABLE, readProcess } from './process-table.ts';

/** What a {@link leakOracle} overlooks. */
export interface LeakOracleOptions {
  /** Says of a leak that it is none, such as a helper process that is meant to outlive the test. @default nothing is allowed */
  allow?: (leak: Leak) => boolean;
}

/** How {@link LeakOracle.check} waits. */
export interface LeakCheckOptions {
  /** Time that the things left behind have to go away by themselves. @default 3000 */
  withinMs?: number;
}

/** Compares what exists now with what existed when it was made. */
export interface LeakOracle {
  /** Unique; children that get the environment of this process carry it in `MITOS_LEAK_TAG`. */
  readonly tag: string;
  /** What is left behind at this moment. */
  leaks(): Leak[];
  /** Waits until nothing is left behind; rejects with a {@link LeakError} that lists all of it when that takes too long. */
  check(options?: LeakCheckOptions): Promise<void>;
  /** Makes a directory for temporary files whose name tells whose it is; removing it is up to the test. */
  temporaryDirectory(): string;
  /** Kills, by pid, the processes that {@link LeakOracle.leaks} lists, so that they do not disturb what runs next. Returns how many. */
  killSurvivors(): number;
  /** Gives `MITOS_LEAK_TAG` back its former value. Idempotent. */
  close(): void;
}

const POLL_MS = 20;

/** Tags of an oracle in a process above this one: its children are also theirs. */
const outerTags = process.env[LEAK_TAG_VARIABLE];

/**
 * Takes the baseline for finding what a piece of code leaves behind: processes (those that carry a tag in their environment, wherever they
 * moved in the process tree, and all descendants and zombies of this process), descriptors, pseudo-terminals, worker threads, whatever keeps
 * the event loop alive, temporary files with `mitos` in their name, and listeners on `process`.
 *
 * Make it before the code starts, check it afterwards. One at a time in a process: descriptors cannot be told apart. Processes of other users
 * are found by their ancestry, and by their tag as root; contexts of this process by their title too. Where there is no `/proc`, the first three kinds are not looked for; that is printed
 * once. Unreferenced timers are not seen.
 *
 * @example
 * ```ts
 * const oracle = leakOracle();
 * await using router = new Router();
 * // …
 * await router.close();
 * await oracle.check({ withinMs: 2000 });
 * oracle.close();
 * ```
 */
export function leakOracle(options: LeakOracleOptions = {}): LeakOracle {
  const tag = randomBytes(8).toString('hex');
  const formerTags = process.env[LEAK_TAG_VARIABLE];
  const ownTags = outerTags === undefined || outerTags === '' ? tag : `${outerTags}:${tag}`;
  openLazyDescriptors();
  const looks = createLooks(tag);
  process.env[LEAK_TAG_VARIABLE] = ownTags;

  const leaks = (): Leak[] => looks.flatMap((look) => look()).filter((leak) => options.allow?.(leak) !== true);
  return {
    tag,
    leaks,
    check: ({ withinMs = 3000 } = {}) => waitUntilClean(leaks, withinMs),
    temporaryDirectory: () => mkdtempSync(join(tmpdir(), `mitos-leak-${tag}-`)),
    killSurvivors: () => leaks().filter(kill).length,
    close() {
      if (process.env[LEAK_TAG_VARIABLE] !== ownTags) return;
      if (formerTags === undefined) delete process.env[LEAK_TAG_VARIABLE];
      else process.env[LEAK_TAG_VARIABLE] = formerTags;
    },
  };
}

function createLooks(tag: string): Look[] {
  const portable = [workerProbe(), activityProbe(), fileProbe(tag), listenerProbe()];
  if (existsSync('/proc/self/fd')) return [processProbe(tag), descriptorProbe(), ptyProbe(tag), ...portable];
  printOnce(`The leak oracle does not look for processes, descriptors and pseudo-terminals: ${process.platform} has no /proc/self/fd`);
  return portable;
}

async function waitUntilClean(look: () => Leak[], withinMs: number): Promise<void> {
  const start = performance.now();
  // A turn of the loop first: what closes on the next turn, or rejects unhandled, has then shown itself.
  for (let waitMs = 0; ; waitMs = POLL_MS) {
    await sleep(waitMs);
    const leaks = look();
    if (leaks.length === 0) return;
    const waitedMs = performance.now() - start;
    if (waitedMs >= withinMs) throw new LeakError(leaks, waitedMs);
  }
}

/** Signals the process only if the pid still means the same one. */
function kill({ process: info }: Leak): boolean {
  if (info === undefined || info.state === 'Z' || readProcess(info.pid)?.startTime !== info.startTime) return false;
  try {
    return process.kill(info.pid, 'SIGKILL');
  } catch {
    return false; // gone meanwhile, or not ours to end
  }
}

/** Node opens these on first use and keeps them; they must be part of every baseline. */
function openLazyDescriptors(): void {
  void process.stdout;
  void process.stderr;
  const ignore = (): void => {};
  process.on('SIGWINCH', ignore); // libuv's signal pipe, also needed for children
  process.off('SIGWINCH', ignore);
}

const printed = new Set<string>();

function printOnce(text: string): void {
  if (printed.has(text)) return;
  printed.add(text);
  console.error(text);
}
