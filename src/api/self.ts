/** Where am I, who called me, and should I stop: `self()`. */
import { AsyncLocalStorage } from 'async_hooks';
import { createAbort } from '../core/abort.ts';
import type { Context } from './context.ts';
import type { RouterBase } from './router-base.ts';

/** What a function finds out about the place where it runs. */
export interface Self {
  /** The context this runs in. */
  context: Context;
  /** Opens further contexts from here. */
  router: RouterBase;
  /** The context that started this one; null in the master. */
  parent: Context | null;
  /** The context that made the call; null outside of calls. */
  caller: Context | null;
  /** Aborts when the caller gives up, or the context is shut down. */
  signal: AbortSignal;
}

/** What `self` is made of in a thread. */
export interface SelfSource {
  router: RouterBase;
  callerOf(id: number): Context;
}

/** A call as the dispatcher sees it. */
interface Frame {
  readonly caller: number;
  readonly signal: AbortSignal;
}

const storage: AsyncLocalStorage<Frame> = new AsyncLocalStorage();
/** Made when first asked for. */
let never: AbortController | undefined;
let source: SelfSource | undefined;

/** @internal Says what `self()` gives in this thread. The newest router of a master wins. */
export function setSelf(newest: SelfSource | undefined): void {
  source = newest;
}

/** @internal What `self()` is made of now. */
export function selfSource(): SelfSource | undefined {
  return source;
}

/** @internal Runs `fn` as a call. */
export function runAs(frame: Frame, fn: () => unknown): unknown {
  return storage.run(frame, fn);
}

/** Tells where the running function is. Works from any depth of asynchronous code. Throws outside of a tree. */
export function self(): Self {
  if (!source) throw new Error('self() has no meaning here: no Router has been made');
  const { router, callerOf } = source;
  const frame = storage.getStore();
  return {
    context: router.self,
    router,
    parent: router.self.via,
    caller: frame ? callerOf(frame.caller) : null,
    get signal(): AbortSignal {
      if (frame) return frame.signal;
      never = never || createAbort();
      return never.signal;
    },
  };
}
