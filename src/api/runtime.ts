/** What a Context needs of the process it is used in: the master, or a child that calls others. */
import type { Endpoint } from '../core/endpoint.ts';
import type { LiveValues } from '../core/live.ts';
import type { LogData } from '../core/log.ts';
import type { ContextId, Message } from '../core/wire.ts';
import type { Context } from './context.ts';
import type { ContextPromise } from './context-promise.ts';
import type { InspectOptions, InspectServer } from './inspect-options.ts';
import type { ContextOperations } from './operations.ts';
import type { ConnectOptions } from './options.ts';
import type { ContextRegistry } from './registry.ts';

/** Something now, or later. */
export type MaybePromise<T> = T | Promise<T>;

/** Any function that can be called elsewhere. */
// oxlint-disable-next-line typescript/no-explicit-any -- the parameters are those of the user's function, kept by inference
export type AnyFunction = (...args: any[]) => unknown;

/** The process a program's contexts are used in. At once on the master; in a child some answers come from there. */
export interface Runtime {
  readonly endpoint: Endpoint;
  readonly live: LiveValues;
  readonly registry: ContextRegistry;
  /** The reference by which `fn` is known everywhere. Throws (or rejects) with a ModuleError when it cannot be called. */
  identify(fn: AnyFunction): MaybePromise<string>;
  /** The id of a module (or the name of a builtin one), as seen from `from`. */
  resolveModule(specifier: string, from: string): MaybePromise<number | string>;
  /** The id of a module of the library itself, such as `mitos:exec`. */
  serviceModule(name: string): MaybePromise<number>;
  /** The functions of such a module, where a context cannot call itself by messages: in the master. */
  localService?(name: string): Record<string, AnyFunction>;
  /** Sends what `dst` lacks to run `ref` and to read the `message` that asks for it, ahead of the call. */
  sendModules(dst: ContextId, ref: string, message: Message): void;
  /** An id for a new context. */
  allocateId(): MaybePromise<ContextId>;
  /** Sends the parent layer and a connection method to `dst` if it lacks them. */
  sendMethod(dst: ContextId, method: string): MaybePromise<void>;
  /** Turns the positions in a stack of a child into those of the user's own files. */
  mapStack(stack: string): string;
  /** Opens the debugger of a context on a local port; only in the master. */
  inspect?(context: Context, options: InspectOptions): Promise<InspectServer>;
  /** Takes a record about a context. */
  log(data: LogData): void;
  /** Orders a new context below `from`. */
  open(from: ContextOperations, method: string, options: ConnectOptions): ContextPromise;
  /** What a reference means in this context. */
  resolveHere(ref: string): MaybePromise<unknown>;
  /** Runs `fn` here, as a call of this context to itself. */
  runHere(fn: AnyFunction, args: readonly unknown[], signal: AbortSignal | undefined): unknown;
}
