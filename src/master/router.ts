/** The root of a tree: what a program makes to have contexts. */
import { EventEmitter } from 'node:events';
import type { Context, LogRecord } from '../api/context.ts';
import { graceOf } from '../api/operations.ts';
import { RouterBase } from '../api/router-base.ts';
import { selfSource, setSelf } from '../api/self.ts';
import type { ChildConfig } from '../core/config.ts';
import { describe } from '../core/describe.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
import type { RuntimeProgress } from '../core/runtime-order.ts';
import type { KeepAlive, StreamStats } from '../core/stream.ts';
import { type Logger, readLogLevel } from './logger.ts';
import { MasterRuntime } from './master-runtime.ts';
import { type MinifyOptions, minifyOptions } from './minify.ts';
import type { ResponderStats } from './responder.ts';
import type { RuntimeSource } from './runtime/serve.ts';
import type { TraceSink } from './trace.ts';
import type { SentModule } from './travel.ts';

/** Options of a {@link Router}. */
export interface RouterOptions {
  /** Takes every record loud enough; `false` prints nothing. By default records go to stderr, escaped, behind the name of their context. */
  logger?: Logger | false;
  /** From which level records are printed: trace, debug, info, warn, error or silent. @default `MITOS_LOG_LEVEL`, else info */
  logLevel?: string;
  /** Bounds to set differently; they hold in the whole tree. */
  limits?: Partial<Limits>;
  /** Whether contexts may talk up and down their own line only, but for what was handed to them. @default true */
  unidirectional?: boolean;
  /** Whether streams have a thread of their own, so that code that blocks here does not stop them. @default false */
  threaded?: boolean;
  /** When a quiet link is probed and given up. */
  keepAlive?: Partial<KeepAlive>;
  /** Records every frame that the master sends or receives, without its data: into a file, one JSON object a line, or to a function. */
  trace?: string | TraceSink;
  /** What happens to native addons of packages in contexts; see the option of the same name of each connection method. @default 'refuse' */
  addons?: 'refuse' | 'ram';
  /**
   * Whether source files are looked at before each call: what has been changed on disk, and everything that imports it, is sent anew, and the new
   * code runs. Otherwise a file stays what the program has loaded, or what was sent of it first. Never a mixture. @default false
   */
  reload?: boolean;
  /**
   * Whether modules are sent without comments and white space; names stay, and stacks show the files as they are. For all, or for the program's own
   * and for those under node_modules. @default `{ own: false, dependencies: true }`
   */
  minify?: boolean | MinifyOptions;
  /**
   * Where the executables come from that are pushed to targets without Node: a directory of files that were put there before, used before the network;
   * or an object that gives them. @default the environment variable `MITOS_RUNTIMES`, and npm
   */
  runtimes?: string | RuntimeSource;
}

/** Events of a {@link Router}. */
export interface RouterEvents {
  connect: [context: Context];
  disconnect: [context: Context];
  log: [record: LogRecord];
  module: [module: SentModule];
  runtime: [progress: RuntimeProgress];
  error: [error: Error];
}

/** A row of {@link Router.tree}. */
export interface TreeRow {
  id: number;
  name: string;
  method: string;
  parent: number | null;
  pid: number | null;
  node: string | null;
  user: string | null;
  host: string | null;
  /** The shortest time that a call has taken so far; null before the first one. */
  roundTripMs: number | null;
}

/** What {@link Router.stats} gives. */
export interface RouterStats extends ResponderStats {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** The same for each link of the master. */
  streams: (StreamStats & { id: number; queuedBytes: number })[];
}

/** The root of a tree of contexts. Make one for a program, and {@link close} it at the end: nothing is left running then. */
export class Router extends RouterBase {
  declare readonly runtime: MasterRuntime;
  readonly #events: EventEmitter = new EventEmitter();
  #closing: Promise<void> | undefined;

  constructor(options: RouterOptions = {}) {
    checkOptions(options);
    const events = new EventEmitter();
    const runtime = new MasterRuntime({
      config: configOf(options),
      isThreaded: options.threaded === true,
      trace: options.trace,
      reload: options.reload === true,
      minify: options.minify,
      runtimes: options.runtimes,
      logger: options.logger,
      logLevel: readLogLevel(options.logLevel),
      emit: (event, value) => {
        if (event !== 'error' || events.listenerCount('error')) events.emit(event, value);
      },
    });
    super(runtime, runtime.self);
    this.#events = events;
    setSelf({ router: this, callerOf: () => runtime.self });
  }

  /** Plain facts about every context, this one first. */
  tree(): TreeRow[] {
    return this.contexts().map(({ id, name, method, via, facts, roundTripMs }) => ({
      id,
      name,
      method,
      parent: via ? via.id : null,
      pid: facts?.pid ?? null,
      node: facts?.node ?? null,
      user: facts?.user ?? null,
      host: facts?.hostname ?? null,
      roundTripMs: roundTripMs ?? null,
    }));
  }

  /** Counters of what has travelled since the router was made, over the links that are up now. */
  stats(): RouterStats {
    const streams = this.runtime.streamStats();
    const sum = (key: 'framesIn' | 'framesOut' | 'bytesIn' | 'bytesOut'): number =>
      streams.reduce((total, stream) => total + stream[key], 0);
    return {
      ...this.runtime.responder.stats,
      framesIn: sum('framesIn'),
      framesOut: sum('framesOut'),
      bytesIn: sum('bytesIn'),
      bytesOut: sum('bytesOut'),
      streams,
    };
  }

  /** Listens to an event. */
  on<E extends keyof RouterEvents>(event: E, listener: (...args: RouterEvents[E]) => void): this {
    this.#listenTo(event);
    this.#events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Listens to the next event only. */
  once<E extends keyof RouterEvents>(event: E, listener: (...args: RouterEvents[E]) => void): this {
    this.#listenTo(event);
    this.#events.once(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Stops listening. */
  off<E extends keyof RouterEvents>(event: E, listener: (...args: RouterEvents[E]) => void): this {
    this.#events.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /**
   * Ends the whole tree: running calls are aborted and get `graceMs` to end, then everything goes. Idempotent; done when
   * nothing is left running. Later calls reject with `ERR_MITOS_SHUTDOWN`.
   */
  close(options: { graceMs?: number } = {}): Promise<void> {
    const graceMs = graceOf(options);
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  /** The same as {@link close}. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The same as {@link close}. */
  override shutdown(options: { graceMs?: number } = {}): Promise<void> {
    return this.close(options);
  }

  /** What is told of modules has to be found out: only from when somebody listens. */
  #listenTo(event: keyof RouterEvents): void {
    if (event === 'module') this.runtime.responder.onModule ??= (module) => this.#events.emit('module', module);
  }

  async #close(graceMs: number): Promise<void> {
    await this.runtime.close(graceMs);
    if (selfSource()?.router === this) setSelf(undefined);
  }
}

function checkOptions(options: RouterOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('The options of a Router must be an object');
  const { logger, limits, keepAlive, trace, addons } = options;
  for (const name of ['threaded', 'unidirectional', 'reload'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'boolean') throw new TypeError(`${name} must be true or false`);
  }
  minifyOptions(options.minify);
  if (logger !== undefined && logger !== false && typeof logger !== 'function') throw new TypeError('logger must be a function or false');
  if (trace !== undefined && typeof trace !== 'string' && typeof trace !== 'function')
    throw new TypeError('trace must be a path or a function');
  if (addons !== undefined && addons !== 'refuse' && addons !== 'ram') throw new TypeError("addons must be 'refuse' or 'ram'");
  for (const [name, value] of Object.entries(limits || {})) {
    if (!(name in DEFAULT_LIMITS)) throw new TypeError(`There is no limit "${name}"; there are ${Object.keys(DEFAULT_LIMITS).join(', ')}`);
    if (!(typeof value === 'number' && value > 0)) throw new RangeError(`limits.${name} must be a number above 0, not ${String(value)}`);
  }
  for (const [name, value] of Object.entries(keepAlive || {})) {
    if (!(typeof value === 'number' && value > 0)) throw new RangeError(`keepAlive.${name} must be a number of milliseconds above 0`);
  }
}

function configOf(options: RouterOptions): ChildConfig {
  const { user, hostname } = describe();
  return {
    id: 0,
    name: 'master',
    ancestors: [],
    ancestorNames: [],
    title: `mitos:${user}@${hostname}:${process.pid}`,
    isThreadless: options.threaded !== true,
    isUnidirectional: options.unidirectional !== false,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    addons: options.addons,
    keepAlive: { intervalMs: 15000, timeoutMs: 45000, ...options.keepAlive },
  };
}
