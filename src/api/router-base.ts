/** What a router is everywhere: the tree as seen from one context. */
import { Receiver } from '../core/channel.ts';
import { type ConnectAllOptions, type ConnectRun, connectAll } from './connect-all.ts';
import type { Context } from './context.ts';
import { ContextOperations } from './operations.ts';
import type { Runtime } from './runtime.ts';
import type { Spec } from './specs.ts';

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

  /**
   * Connects to many at once, with a limit for each hop; gives `{ spec, status, context | error, ms }` as they come. Steps that
   * several specs begin with are made once. A spec that fails does not disturb the others.
   */
  connectAll(specs: Iterable<Spec>, options: ConnectAllOptions = {}): ConnectRun {
    return connectAll(this, specs, options);
  }
}
