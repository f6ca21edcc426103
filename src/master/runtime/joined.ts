/** Equal work that several want at the same time is done once. */

/** What one of them wants. */
export interface Wish<P> {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: P) => void) | undefined;
}

interface Running<T, P> {
  result: Promise<T>;
  controller: AbortController;
  wishes: Set<Wish<P>>;
}

/** Does work by its name. It is ended when nobody wants it any more. */
export class JoinedWork<T, P> {
  /** What can be joined. */
  readonly #running = new Map<string, Running<T, P>>();
  /** What has not ended yet, also when nobody wants it any more. */
  readonly #unended = new Set<Running<T, P>>();

  /** Joins the work that runs under that name, or starts it. Rejects with the reason of its own signal when that aborts. */
  async run(name: string, wish: Wish<P>, start: (signal: AbortSignal, tell: (progress: P) => void) => Promise<T>): Promise<T> {
    wish.signal?.throwIfAborted();
    const running = this.#running.get(name) ?? this.#start(name, start);
    running.wishes.add(wish);
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(wish.signal?.reason as Error);
      wish.signal?.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([running.result, left]);
    } finally {
      if (leave) wish.signal?.removeEventListener('abort', leave);
      running.wishes.delete(wish);
      if (running.wishes.size === 0) {
        if (this.#running.get(name) === running) this.#running.delete(name);
        running.controller.abort(wish.signal?.reason);
      }
    }
  }

  /** Ends all of it; resolves when it has ended. */
  async abort(reason: unknown): Promise<void> {
    const all = [...this.#unended];
    for (const { controller } of all) controller.abort(reason);
    await Promise.allSettled(all.map(({ result }) => result));
  }

  #start(name: string, start: (signal: AbortSignal, tell: (progress: P) => void) => Promise<T>): Running<T, P> {
    const controller = new AbortController();
    const wishes = new Set<Wish<P>>();
    const result = start(controller.signal, (progress) => {
      for (const wish of wishes) wish.onProgress?.(progress);
    });
    const running = { result, controller, wishes };
    const end = (): void => void this.#unended.delete(running);
    result.then(end, end);
    this.#running.set(name, running);
    this.#unended.add(running);
    return running;
  }
}
