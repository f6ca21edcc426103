/** Signals on a Node that has none, or early ones: they do what those of today do. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createAbort } from '#src/core/abort.js';

const native = globalThis.AbortController;

/** An AbortController of Node 15: it knows no reasons. */
class Early extends EventTarget {
  static Signal = class extends EventTarget {
    aborted = false;
  };
  signal = new Early.Signal();
  abort(): void {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.dispatchEvent(new Event('abort'));
  }
}

/** Each rule on a Node without, with an early one, and with that of today. */
for (const [kind, Class] of [
  ['none', undefined],
  ['an early AbortController', Early],
  ['the AbortController of today', native],
] as const) {
  const rule = (name: string, fn: () => void | Promise<void>): void => {
    void test(`With ${kind} ${name}`, async () => {
      Object.assign(globalThis, { AbortController: Class });
      if (!Class) delete (globalThis as { AbortController?: unknown }).AbortController;
      try {
        await fn();
      } finally {
        globalThis.AbortController = native;
      }
    });
  };

  rule('a signal aborts once, with the first reason, and tells everybody in order', () => {
    const { signal, abort } = bound();
    const seen: unknown[] = [];
    const twice = (): unknown => seen.push('twice added, once told');
    signal.addEventListener('abort', () => seen.push(['first', signal.aborted, (signal.reason as Error).message]));
    signal.addEventListener('abort', twice);
    signal.addEventListener('abort', twice);
    signal.addEventListener('abort', { handleEvent: (event: { type: string }) => seen.push(event.type) } as never, {
      once: true,
    });
    const removed = (): unknown => seen.push('removed');
    signal.addEventListener('abort', removed);
    signal.removeEventListener('abort', removed);
    signal.addEventListener('other' as 'abort', removed);
    assert.deepEqual([signal.aborted, seen], [false, []]);
    abort(new Error('one'));
    abort(new Error('two'));
    assert.deepEqual(seen, [['first', true, 'one'], 'twice added, once told', 'abort']);
    assert.deepEqual([signal.aborted, (signal.reason as Error).message], [true, 'one']);
  });

  rule('a listener that throws keeps no other from being told', async () => {
    const { signal, abort } = bound();
    const thrown = new Promise<unknown>((resolve) => {
      const previous = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const listener of previous) process.on('uncaughtException', listener);
        resolve(error);
      });
    });
    const error = new Error('in a listener');
    let told = 0;
    signal.addEventListener('abort', () => {
      throw error;
    });
    signal.addEventListener('abort', () => (told += 1));
    abort('any reason');
    assert.equal(told, 1);
    assert.equal(signal.reason, 'any reason');
    assert.equal(await thrown, error);
  });
}

test('Without a reason, where there is no AbortController, the reason is an AbortError', () => {
  delete (globalThis as { AbortController?: unknown }).AbortController;
  const controller = createAbort();
  globalThis.AbortController = native;
  controller.signal.throwIfAborted();
  controller.abort();
  assert.throws(() => controller.signal.throwIfAborted(), { name: 'AbortError', code: 'ABORT_ERR' });
  assert.equal(Object.prototype.toString.call(controller.signal), '[object AbortSignal]');
});

function bound(): { signal: AbortSignal; abort(reason?: unknown): void } {
  const controller = createAbort();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
