/** Calls of functions of the library itself: services, which are sent on their first use. */
import { createAbort } from '../core/abort.ts';
import { mitosError } from '../core/errors.ts';
import type { CallOptions } from './calls.ts';
import type { Context } from './context.ts';
import type { AnyFunction } from './runtime.ts';

/** Calls `module#name` in a context; in this very process too, where that is the master. */
export function callService(context: Context, service: string, args: unknown[], options: CallOptions): Promise<unknown> {
  const { runtime } = context;
  const [module, name] = service.split('#') as [string, string];
  const local = context.id === runtime.endpoint.id && runtime.localService;
  if (local) return callHere(context, local.call(runtime, module)[name] as AnyFunction, args, options);
  const id = runtime.serviceModule(module);
  if (id instanceof Promise) return id.then((known) => context.callWith(options, `${known}#${name}`, args));
  return context.callWith(options, `${id}#${name}`, args);
}

/** Runs it in this very process, where no message has to be sent. */
function callHere(context: Context, run: AnyFunction, args: unknown[], { signal, timeoutMs }: CallOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const controller = createAbort();
    const giveUp = (error: unknown): void => {
      controller.abort(error);
      reject(error);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const onTime = (): void =>
      giveUp(mitosError('ERR_MITOS_TIMEOUT', `The program in "${context.name}" did not end within ${timeoutMs} ms`));
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs);
    if (signal) signal.addEventListener('abort', onAbort);
    const forget = onClosed(context, giveUp);
    const done = (): void => {
      forget();
      clearTimeout(timer);
      if (signal) signal.removeEventListener('abort', onAbort);
    };
    const [order, flows = {}] = args;
    Promise.resolve(run(order, flows, controller.signal))
      .then(resolve, reject)
      .finally(done);
  });
}

/** What runs here and has to be given up when the router is closed. */
const running: WeakMap<Context, Set<(reason: unknown) => void>> = new WeakMap();

/** Calls `fn` when a context is closed; returns what undoes that. */
function onClosed(context: Context, fn: (reason: unknown) => void): () => void {
  let set = running.get(context);
  if (!set) {
    const created: Set<(reason: unknown) => void> = new Set();
    running.set(context, (set = created));
    void context.closed.then(() => created.forEach((giveUp) => giveUp(context.reason)));
  }
  const all = set.add(fn);
  return () => all.delete(fn);
}
