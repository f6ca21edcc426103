/** A context that is still starting: a promise that can already be called, and connected through. */

import { packOrder } from '../core/connect-order.ts';
import type { MitosError } from '../core/errors.ts';
import { CONNECT, GRANT } from '../core/handles.ts';
import { CONTROL, HEADER, jsonOf } from '../core/wire.ts';
import { checkOptions } from './check-options.ts';
import type { Context } from './context.ts';
import { contextName } from './names.ts';
import { ContextOperations } from './operations.ts';
import type { ConnectOptions } from './options.ts';
import { toInfo } from './registry.ts';
import type { Runtime } from './runtime.ts';

/**
 * A `Promise<Context>` that also has the operations of the Context: what is asked of it before it is up is sent ahead, behind
 * the order to start it. When it does not come up, everything asked of it rejects with the same error.
 */
export class ContextPromise extends ContextOperations implements Promise<Context> {
  readonly runtime: Runtime;
  readonly #target: Context | Promise<Context>;
  readonly #ready: Promise<Context>;

  constructor(runtime: Runtime, target: Context | Promise<Context>, ready: Promise<Context>) {
    super();
    this.runtime = runtime;
    this.#target = target;
    this.#ready = ready;
    ready.catch(() => {});
    if (target instanceof Promise) target.catch(() => {});
  }

  get [Symbol.toStringTag](): string {
    return 'ContextPromise';
  }

  /** @internal */
  target(): Context | Promise<Context> {
    return this.#target;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  then<A = Context, B = never>(
    onFulfilled?: ((context: Context) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#ready.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Context | B> {
    return this.#ready.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Context> {
    return this.#ready.finally(onFinally);
  }
}

/** Orders a new context below `from`. */
export function openContext(from: ContextOperations, method: string, given: ConnectOptions): ContextPromise {
  const options = checkOptions(method, given);
  const { runtime } = from;
  const via = from.target();
  const id = runtime.allocateId();
  let ready: Promise<Context>;
  const begin = (parent: Context, childId: number): Context => {
    const name = runtime.registry.uniqueName(options.name ?? contextName(parent, method, options));
    const context = runtime.registry.obtain(childId, name, parent, method);
    ready = order(runtime, parent, context, options);
    ready.catch(() => {});
    return context;
  };
  if (!(via instanceof Promise) && typeof id === 'number') {
    const context = begin(via, id);
    // biome-ignore lint/style/noNonNullAssertion: set by begin
    return new ContextPromise(runtime, context, ready!);
  }
  const target = Promise.all([via, id]).then(([parent, childId]) => begin(parent, childId));
  return new ContextPromise(
    runtime,
    target,
    target.then(() => ready),
  );
}

/** Sends the order; everything the new context needs to be reached is set up on the way. */
function order(runtime: Runtime, parent: Context, context: Context, options: ConnectOptions): Promise<Context> {
  const { endpoint } = runtime;
  const { id, name, method } = context;
  return new Promise((resolve, reject) => {
    let isOrdered = false;
    let release = (): void => {};
    const fail = (reason: MitosError): void => {
      context.markClosed(reason);
      runtime.registry.drop(id);
      reject(reason);
      release();
    };
    const { name: _name, through, ...rest } = options as ConnectOptions & { through?: Context };
    const sent = through ? { ...rest, through: through.id } : rest;
    const send = (): void => {
      if (parent.id !== endpoint.id) endpoint.sendJson(endpoint.id, GRANT, 0, { start: id, count: 1, via: parent.id }, CONTROL);
      const replyTo = endpoint.expect(parent.id, {
        onReply: (reply) => {
          // Without them, they have come with the news that it is up.
          const facts = jsonOf(reply);
          if (facts && context.markConnected(toInfo(facts))) runtime.registry.onChange('connect', context);
          resolve(context);
        },
        onDead: fail,
      });
      endpoint.send(
        parent.id,
        CONNECT,
        replyTo,
        Buffer.concat([Buffer.alloc(HEADER), packOrder({ id, name, method, options: sent })]),
        CONTROL,
      );
      isOrdered = true;
      release();
    };
    parent.inOrder(
      () => runtime.sendMethod(parent.id, method),
      send,
      (reason) => fail(reason as MitosError),
    );
    // In a child, the code for the method may have to come first: until the order has left, nobody knows the way to the new context.
    if (!isOrdered && !context.reason)
      context.inOrder(
        () => new Promise<void>((done) => (release = done)),
        () => {},
        () => {},
      );
  });
}
