/** What a connection holds open: sockets, programs, timers. All of it is let go of together, latest first. */
export class Holdings {
  readonly #releases: (() => void)[] = [];
  readonly #controller: AbortController = new AbortController();

  /** Aborts when everything is let go of. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Adds something; when it is too late for that, it is let go of at once. */
  add(release: () => void): void {
    if (this.signal.aborted) release();
    else this.#releases.push(release);
  }

  /** Lets go of everything. Idempotent. */
  release(): void {
    if (this.signal.aborted) return;
    this.#controller.abort();
    for (const release of this.#releases.splice(0).reverse()) release();
  }
}
