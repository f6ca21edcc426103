/**
 * Which child leads to which context. Ids are granted singly or in pages of {@link PAGE}; what is granted to a child is
 * also the set of ids it may speak for.
 */
import type { Stream } from './stream.ts';
import type { ContextId } from './wire.ts';

/** Ids in a page. */
export const PAGE = 256;
/** The first id that belongs to a page; below, ids are granted one by one. */
export const FIRST_PAGED_ID = 0x1000000;

/** A set of ids: singles and whole pages (by number: id / PAGE). */
export interface IdSet {
  ids: ContextId[];
  pages: number[];
  /** Simply every context. */
  all?: boolean;
}

/** Whether `set` holds `id`. */
export function holds(set: IdSet, id: ContextId): boolean {
  return set.all || set.ids.includes(id) || (id >= FIRST_PAGED_ID && set.pages.includes(Math.floor(id / PAGE)));
}

/** Routes of one context to those below it. */
export class RouteTable {
  readonly #singles: Map<number, Stream> = new Map();
  readonly #pages: Map<number, Stream> = new Map();

  /** The child that leads to `id`. */
  lookup(id: ContextId): Stream | undefined {
    return this.#singles.get(id) || (id < FIRST_PAGED_ID ? undefined : this.#pages.get(Math.floor(id / PAGE)));
  }

  /** Grants one id, or (when `count` is {@link PAGE}) the page that starts there. */
  grant(start: ContextId, count: number, stream: Stream): void {
    if (count === 1) this.#singles.set(start, stream);
    else this.#pages.set(Math.floor(start / PAGE), stream);
  }

  /** Takes back everything that was granted to `stream`, and says what it was. */
  revokeAll(stream: Stream): IdSet {
    return { ids: revoke(this.#singles, stream), pages: revoke(this.#pages, stream) };
  }

  /** Takes back what of `set` was granted to `stream`; returns that part, with ids inside its pages. */
  revoke(set: IdSet, stream: Stream): IdSet {
    const ids = set.ids.filter((id) => this.lookup(id) === stream);
    const pages = set.pages.filter((page) => this.#pages.get(page) === stream);
    for (const id of ids) this.#singles.delete(id);
    for (const page of pages) this.#pages.delete(page);
    return { ids, pages };
  }

  /** Number of entries. */
  get size(): number {
    return this.#singles.size + this.#pages.size;
  }
}

function revoke(map: Map<number, Stream>, stream: Stream): number[] {
  const keys: number[] = [];
  for (const [key, value] of map) if (value === stream) keys.push(key);
  for (const key of keys) map.delete(key);
  return keys;
}
