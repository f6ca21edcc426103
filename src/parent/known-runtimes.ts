/** Processes on targets that run a Node which was pushed: another child there need not be sent it again. */
import { readFileSync } from 'fs';
import type { ConnectOrder, KnownRuntime } from '../core/connect-order.ts';

/** Most targets remembered. */
const MAX_TARGETS = 256;

/** Options that do not say where a child runs. */
const ELSEWHERE = /^(name|remoteName|runtime|connectTimeoutMs|threadless|keepAlive|env|cwd|retries|debugLevel)$/;

/**
 * What one hop knows of its targets. It is the word of the account on the target that gets to run what it names, never that of
 * another one: the options that name the account are part of the key.
 */
export class KnownRuntimes {
  readonly #known: Map<string, KnownRuntime> = new Map();
  readonly #keys: WeakMap<ConnectOrder, string> = new WeakMap();

  /** A process to take the Node of, if there may be one: of the same target, or (on the same machine) this very one. */
  find(order: ConnectOrder, isFar: boolean): KnownRuntime | undefined {
    // Now, as the secrets in the options will be overwritten.
    const key = keyOf(order);
    this.#keys.set(order, key);
    return this.#known.get(key) || (isFar ? undefined : ownRuntime());
  }

  /** Remembers the process of a child that was sent a Node. */
  add(order: ConnectOrder, known: KnownRuntime): void {
    this.#known.set(this.#keys.get(order) as string, { ...known, isSure: true });
    if (this.#known.size > MAX_TARGETS) this.#known.delete(this.#known.keys().next().value as string);
  }
}

function keyOf({ method, options }: ConnectOrder): string {
  return JSON.stringify([method, options], function (this: Record<string, unknown>, name, value) {
    return Buffer.isBuffer(this[name]) || (this === options && ELSEWHERE.test(name)) ? undefined : (value as unknown);
  });
}

/** This process, if its Node has no file. */
function ownRuntime(): KnownRuntime | undefined {
  if (!/^\/proc\/\d+\/exe$/.test(process.execPath)) return undefined;
  const startedAt = startOf(readFileSync('/proc/self/stat', 'latin1'));
  return startedAt === undefined ? undefined : { pid: process.pid, startedAt };
}

/** When a process was started, from its `stat`: its name, in parentheses, may hold anything. */
function startOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
