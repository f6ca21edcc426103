/** What a router is everywhere: the tree as seen from one context. */
import { Receiver } from '../core/channel.ts';
import type { Context } from './context.ts';
import { ContextOperations } from './operations.ts';
import type { Runtime } from './runtime.ts';

/** The tree seen from the context it is used in. Operations on it are those of {@link self}. */
export class RouterBase extends ContextOperations {
  /** @internal */
  readonly runtime: Runtime;
  readonly #self: Context;

  /** @internal */
  constructor(runtime: Runtime, self: Context) {
    super();
    this.runtime = runtime;
    this.#self = self;
  }

  /** This context. */
  get self(): Context {
    return this.#self;
  }

  /** @internal */
  target(): Context {
    return this.#self;
  }

  /** The contexts that are known here and not gone, this one first. */
  contexts(): Context[] {
    return this.runtime.registry.all();
  }

  /** A mailbox for items: hand its `sender()` to whoever shall send. */
  receiver<T = unknown>(): Receiver<T> {
    return new Receiver<T>(this.runtime.live.channels);
  }
}
