/** Aborts for every Node: 12 and 14 have no AbortController, and early ones of 15 and 16 give no reason. */

type Listener = ((event: object) => void) | { handleEvent(event: object): void };

/** What stands for an AbortSignal where there is none. */
class Signal {
  aborted = false;
  reason: unknown = undefined;
  onabort: ((event: object) => void) | null = null;
  readonly #listeners: Map<Listener, boolean> = new Map();

  get [Symbol.toStringTag](): string {
    return 'AbortSignal';
  }

  addEventListener(type: string, listener: Listener | null, options?: boolean | { once?: boolean }): void {
    if (type === 'abort' && listener && !this.#listeners.has(listener))
      this.#listeners.set(listener, typeof options === 'object' && options !== null && options.once === true);
  }

  removeEventListener(type: string, listener: Listener): void {
    if (type === 'abort') this.#listeners.delete(listener);
  }

  dispatchEvent(event: { type: string }): boolean {
    if (event.type !== 'abort') return true;
    const all: Listener[] = this.onabort ? [this.onabort] : [];
    this.#listeners.forEach((isOnce, listener) => {
      all.push(listener);
      if (isOnce) this.#listeners.delete(listener);
    });
    for (const listener of all) {
      try {
        if (typeof listener === 'function') listener.call(this, event);
        else listener.handleEvent(event);
      } catch (error) {
        // One that throws keeps no other from being told.
        process.nextTick(() => {
          throw error;
        });
      }
    }
    return true;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}

/** Makes what aborts a signal. */
export function createAbort(): AbortController {
  if (typeof AbortController === 'undefined') {
    const signal = new Signal();
    return {
      signal: signal as unknown as AbortSignal,
      abort: (reason: unknown = Object.assign(new Error('This operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR' })) => {
        if (signal.aborted) return;
        signal.aborted = true;
        signal.reason = reason;
        signal.dispatchEvent({ type: 'abort', target: signal } as { type: string });
      },
    };
  }
  const controller = new AbortController();
  const { signal } = controller;
  if ('reason' in signal) return controller;
  return {
    signal,
    abort: (reason?: unknown) => {
      if (!(signal as AbortSignal).aborted) Object.defineProperty(signal, 'reason', { value: reason, configurable: true });
      controller.abort();
    },
  };
}
