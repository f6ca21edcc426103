/**
 * Who may talk to whom across their line. A context may always talk up and down its own line; everything else needs a
 * pair opened here by an ancestor of both, or by a context that opens itself to one it may already talk to.
 */
import { BULK_CREDIT, FIRST_REPLY } from './handles.ts';
import { holds, type IdSet } from './route-table.ts';
import type { ContextId } from './wire.ts';

/** Most pairs kept open at one hop. */
const MAX_PAIRS = 100000;

/** The pairs opened at one hop. */
export class Policy {
  readonly #open: Map<ContextId, Map<ContextId, ContextId>> = new Map();
  #size = 0;

  /**
   * Opens `from` to `to` on the authority of `auth`; on that of `from` itself it gets to mailboxes only, and gives no orders.
   * Returns false when there are too many pairs.
   */
  open(from: ContextId, to: ContextId, auth: ContextId): boolean {
    let targets = this.#open.get(from);
    if (!targets) this.#open.set(from, (targets = new Map()));
    if (!targets.has(to)) {
      if (this.#size >= MAX_PAIRS) return false;
      this.#size++;
    }
    if (auth !== from || !targets.has(to)) targets.set(to, auth);
    return true;
  }

  /**
   * The authority on which `src` may send to `handle` of `dst`, or `undefined`.
   * Whoever was sent something may answer: the way back is open for replies, credit and channels, on its own authority.
   */
  authority(src: ContextId, dst: ContextId, handle: number): ContextId | undefined {
    const auth = this.#open.get(src)?.get(dst);
    if (auth !== undefined) return auth;
    return (handle >= FIRST_REPLY || handle === BULK_CREDIT) && this.#open.get(dst)?.has(src) ? src : undefined;
  }

  /** Number of pairs. */
  get size(): number {
    return this.#size;
  }

  /** Forgets every pair with one of `gone`; returns the contexts that could talk to one of them. */
  forget(gone: IdSet): ContextId[] {
    const told: ContextId[] = [];
    for (const [from, targets] of this.#open) {
      const isGone = holds(gone, from);
      for (const to of [...targets.keys()]) {
        if (!isGone && !holds(gone, to)) continue;
        targets.delete(to);
        this.#size--;
        told.push(isGone ? to : from);
      }
      if (!targets.size) this.#open.delete(from);
    }
    return told.filter((id) => !holds(gone, id));
  }
}
