/** Processes on targets that run a Node which was pushed: another child there need not be sent it again. */
import { readFileSync } from 'fs';
import type { ConnectOrder } from '../core/connect-order.ts';
import { WITHOUT_FILE } from './first-stage.ts';

/** Most targets remembered. */
const MAX_TARGETS = 256;

/** Options that do not say where a child runs. */
const ELSEWHERE = /^(name|remoteName|runtime|connectTimeoutMs|threadless|keepAlive|env|cwd|retries|debugLevel)$/;

/** A process. */
export interface RuntimeProcess {
  pid: number;
  /** Field 22 of its `/proc/<pid>/stat`: no two processes of one id have the same. */
  startedAt: string;
}

/**
 * What one hop knows of its targets. It is the word of the account on the target that gets to run what it names, never that of
 * another one: the options that name the account are part of the key.
 */
export class KnownRuntimes {
  readonly #known: Map<string, RuntimeProcess> = new Map();

  /** How to take the Node of a process of the same target, if one is known. */
  find(order: ConnectOrder): string | undefined {
    const known = this.#known.get(keyOf(order));
    return known && attempt(known);
  }

  /** Remembers the process of a child that was sent a Node. */
  add(order: ConnectOrder, known: RuntimeProcess): void {
    this.#known.set(keyOf(order), known);
    if (this.#known.size > MAX_TARGETS) this.#known.delete(this.#known.keys().next().value as string);
  }
}

/** For the shell of a target on this very machine: how to take the Node of this process, if that has no file. */
export function takeOwn(): string | undefined {
  if (!WITHOUT_FILE.test(process.execPath)) return undefined;
  const startedAt = startOf(readFileSync('/proc/self/stat', 'latin1'));
  return startedAt === undefined ? undefined : attempt({ pid: process.pid, startedAt });
}

/**
 * Takes the program of a process that was given a runtime before, if it is still that process: what a process id means may change, so
 * the program is opened first, as descriptor 8, and then the time at which the process was started is compared. Sets the arguments to it, or fails.
 */
function attempt({ pid, startedAt }: RuntimeProcess): string {
  return (
    `{ command exec 8</proc/${pid}/exe;} 2>/dev/null&&read s</proc/${pid}/stat&&set \${s##*\\)}&&` +
    `[ "\${20}" = ${startedAt} ]&&set /proc/self/fd/8`
  );
}

/** Where the child runs, without the secrets. */
function keyOf({ method, options }: ConnectOrder): string {
  return JSON.stringify([method, options], function (this: Record<string, unknown>, name, value) {
    return Buffer.isBuffer(this[name]) || (this === options && ELSEWHERE.test(name)) ? undefined : (value as unknown);
  });
}

/** When a process was started, from its `stat`: its name, in parentheses, may hold anything. */
function startOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
