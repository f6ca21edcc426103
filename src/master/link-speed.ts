/** How fast the links of the master are: watched while much is being written, which costs nothing else. */
import type { PackLevel } from '../core/module-pack.ts';
import { holds, type IdSet } from '../core/route-table.ts';
import type { ContextId } from '../core/wire.ts';

/** Counters of one link. */
export interface LinkCounters {
  id: ContextId;
  /** Bytes that wait for the transport. */
  queuedBytes: number;
  /** Bytes that were handed to it. */
  bytesOut: number;
}

/** What is written of it at once before a link is worth watching: buffers on the way take as much without a word of the link. */
const WORTH_BYTES = 262_144;
/** How often a busy link is looked at. */
const LOOK_MS = 20;
/** Below so many bytes a second, bytes are dear: measured on graphs of 40 KB to 3 MB. */
const SLOW = 50_000;
/** Above so many, time is. */
const FAST = 250_000;

/** Ways to another process of this machine. */
const LOCAL: ReadonlySet<string> = new Set(['local', 'worker', 'sudo', 'su', 'doas', 'run0', 'runuser', 'chroot', 'nsenter']);

/** Whether contexts that are started so are on the same machine as who starts them. */
export function isLocalMethod(method: string): boolean {
  return LOCAL.has(method);
}

/** How hard to compress for a link of so many bytes a second. */
export function levelFor(bytesPerSecond: number | undefined): PackLevel {
  if (bytesPerSecond === undefined) return 'usual';
  return bytesPerSecond < SLOW ? 'dense' : bytesPerSecond < FAST ? 'usual' : 'quick';
}

/** The speeds of links. */
export class LinkSpeeds {
  readonly #counters: () => readonly LinkCounters[];
  readonly #now: () => number;
  readonly #speeds = new Map<ContextId, number>();
  readonly #busy = new Map<ContextId, { at: number; bytesOut: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param counters Gives the counters of all links. */
  constructor(counters: () => readonly LinkCounters[], now: () => number = () => performance.now()) {
    this.#counters = counters;
    this.#now = now;
  }

  /** Bytes a second that a link has been seen to take; undefined before much has been written to it. */
  of(link: ContextId): number | undefined {
    return this.#speeds.get(link);
  }

  /** Watches links that have much to write now. */
  watch(): void {
    for (const { id, queuedBytes, bytesOut } of this.#counters())
      if (queuedBytes >= WORTH_BYTES && !this.#busy.has(id)) this.#busy.set(id, { at: this.#now(), bytesOut });
    if (this.#busy.size && !this.#timer) this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Takes the speeds of links that have written what they had. */
  look(): void {
    const now = this.#now();
    const seen = new Set<ContextId>();
    for (const { id, queuedBytes, bytesOut } of this.#counters()) {
      const start = this.#busy.get(id);
      if (!start) continue;
      seen.add(id);
      const bytes = bytesOut - start.bytesOut;
      // A link that is not up yet says nothing.
      if (!bytes) start.at = now;
      if (bytes >= WORTH_BYTES && now > start.at) this.#speeds.set(id, (bytes * 1000) / (now - start.at));
      if (!queuedBytes) this.#busy.delete(id);
    }
    for (const id of this.#busy.keys()) if (!seen.has(id)) this.#busy.delete(id);
    if (!this.#busy.size) this.close();
  }

  /** Forgets links that are gone. */
  forget(gone: IdSet): void {
    for (const known of [this.#speeds, this.#busy]) for (const id of known.keys()) if (holds(gone, id)) known.delete(id);
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
