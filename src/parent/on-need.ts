/** A part of the parent layer that few hops need: it is asked of the master when it is wanted first. */
import { BUNDLE, GET_BUNDLE } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import { CONTROL, jsonFrame, MASTER } from '../core/wire.ts';

/** What a bundle will bring. */
export class OnNeed<T> {
  /** What it brought, once it is here. */
  part: T | undefined;
  readonly #hop: Hop;
  readonly #bundle: string;
  readonly #waiting: Set<(part: T) => void> = new Set();

  /** `bundle` is its name at the master. */
  constructor(hop: Hop, bundle: string) {
    this.#hop = hop;
    this.#bundle = bundle;
  }

  /** Hands it over, at once or when it comes. One answer is for all that wait for it. */
  use(take: (part: T) => void): void {
    const { router, config } = this.#hop;
    if (this.part) return take(this.part);
    if (!this.#waiting.size) router.route(jsonFrame(CONTROL, MASTER, config.id, GET_BUNDLE, BUNDLE, this.#bundle), undefined);
    this.#waiting.add(take);
  }

  /** No longer waits. @returns whether it did */
  leave(take: (part: T) => void): boolean {
    return this.#waiting.delete(take);
  }

  /** It has come. */
  give(part: T): void {
    this.part = part;
    for (const take of this.#waiting) {
      this.#waiting.delete(take);
      take(part);
    }
  }
}
