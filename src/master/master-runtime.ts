/** The runtime of the master: everything can be answered here, at once. */
import type { Duplex } from 'node:stream';
import type { Context, LogRecord } from '../api/context.ts';
import { openContext } from '../api/context-promise.ts';
import { dial } from '../api/dial.ts';
import type { InspectOptions, InspectServer } from '../api/inspect-options.ts';
import { ContextRegistry } from '../api/registry.ts';
import type { AnyFunction, Runtime } from '../api/runtime.ts';
import { runAs } from '../api/self.ts';
import { systemClock } from '../core/clock.ts';
import type { ChildConfig } from '../core/config.ts';
import { describe } from '../core/describe.ts';
import { Endpoint } from '../core/endpoint.ts';
import { ChannelError, MitosError, mitosError } from '../core/errors.ts';
import { BUNDLE, CALL, LOG, STATS } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import { LiveValues } from '../core/live.ts';
import { type LogData, type LogLevel, LogLimiter } from '../core/log.ts';
import type { PackLevel } from '../core/module-pack.ts';
import { toReason } from '../core/reason.ts';
import '../core/whole.ts';
import { CONTROL, type ContextId, HEADER, jsonOf, type Message, srcOf } from '../core/wire.ts';
import { API, DIAL, EXEC, EXTRA, FILES } from '../generated/bundles.ts';
import * as dialing from '../services/dial.ts';
import * as exec from '../services/exec.ts';
import { adviceForMissingApi } from './api-versions.ts';
import type { Debuggers } from './debuggers.ts';
import { isLocalMethod, LinkSpeeds, levelFor } from './link-speed.ts';
import { isLoud, type Logger, printRecord } from './logger.ts';
import { BUNDLES, createHop, createThreadedHop, type MasterHop } from './master-hop.ts';
import type { MinifyOptions } from './minify.ts';
import { ModuleGraph } from './module-graph.ts';
import { EXTRA as EXTRA_MODULE } from './our-modules.ts';
import { ResourceResponder } from './resource-responder.ts';
import { FILES as FILES_MODULE } from './resources.ts';
import { Responder } from './responder.ts';
import { RuntimeService, type RuntimeSource } from './runtime/serve.ts';
import { RuntimeStore } from './runtime/store.ts';
import { startTrace, type Trace, type TraceSink } from './trace.ts';

/** What a master's runtime is made of. */
export interface MasterOptions {
  config: ChildConfig;
  isThreaded: boolean;
  trace: string | TraceSink | undefined;
  reload: boolean;
  minify: boolean | MinifyOptions | undefined;
  logger: Logger | false | undefined;
  logLevel: LogLevel | 'silent';
  /** Where runtimes for targets without Node come from. */
  runtimes: string | RuntimeSource | undefined;
  emit(event: 'connect' | 'disconnect' | 'log' | 'module' | 'runtime' | 'error', value: unknown): void;
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];
const LOG_SOURCES: readonly string[] = ['stdout', 'stderr', 'console', 'mitos'];

/** The process of a master. */
export class MasterRuntime implements Runtime {
  readonly endpoint: Endpoint;
  readonly live: LiveValues;
  readonly registry: ContextRegistry;
  readonly open: Runtime['open'] = openContext;
  readonly self: Context;
  readonly graph: ModuleGraph;
  readonly responder: Responder;
  readonly resources: ResourceResponder;
  readonly #options: MasterOptions;
  readonly #hop: MasterHop;
  readonly #speeds: LinkSpeeds | undefined;
  readonly #trace: Trace | undefined;
  readonly #runtimes: RuntimeService;
  readonly #limiters: WeakMap<Context, LogLimiter> = new WeakMap();
  /** What contexts were sent to have children; methods may share a bundle. */
  readonly #bundlesSent: WeakMap<Context, Set<Buffer>> = new WeakMap();
  #debuggers: Promise<Debuggers> | undefined;
  #lastId: ContextId = 0;
  #isClosed = false;

  constructor(options: MasterOptions) {
    this.#options = options;
    const { config } = options;
    this.#trace = options.trace === undefined ? undefined : startTrace(options.trace);
    const deliver = (frame: Buffer): void => {
      this.#trace?.record('in', frame);
      this.endpoint.receive(frame);
    };
    this.#hop = options.isThreaded
      ? createThreadedHop(config, deliver, (error) => this.#onCrash(error))
      : createHop(config, deliver, { dial: (from, host, port) => this.#dial(from, host, port) });
    const { stats } = this.#hop;
    this.#speeds = stats && new LinkSpeeds(stats);
    this.endpoint = new Endpoint(config.id, [], config.limits, (frame) => {
      this.#trace?.record('out', frame);
      this.#hop.send(frame);
    });
    this.live = new LiveValues(this.endpoint);
    const textModules = {
      'mitos:exec': { code: EXEC },
      'mitos:dial': { code: DIAL },
      [EXTRA_MODULE]: { code: EXTRA },
      [FILES_MODULE]: { code: FILES },
    };
    this.graph = new ModuleGraph({
      apiModule: { code: API },
      textModules,
      reload: options.reload,
      ...(options.minify === undefined ? {} : { minify: options.minify }),
    });
    this.responder = new Responder(this.endpoint, this.graph, BUNDLES, (dst) => this.#firstHopOf(dst));
    this.resources = new ResourceResponder(this.endpoint, this.graph, this.responder);
    this.responder.useRelays = (to) => this.#useRelays(to);
    this.responder.onLibrary = (dst) => {
      const context = this.registry.get(dst);
      if (context && this.#isHop(context)) this.#useRelays(dst);
    };
    this.responder.levelOf = (dst) => this.#levelOf(dst);
    this.responder.onWritten = () => this.#speeds?.watch();
    this.registry = new ContextRegistry(this);
    this.responder.nodeOf = (id) => this.registry.get(id)?.facts?.node;
    this.self = this.registry.obtain(0, config.name, null, 'master');
    this.self.markConnected(describe());
    this.registry.onChange = (event, context) => options.emit(event, context);
    this.responder.onBundle = (name, dst) => this.#sendAbove(name, dst);
    const { runtimes } = options;
    this.#runtimes = new RuntimeService(
      this.endpoint,
      this.registry,
      () => (typeof runtimes === 'object' ? runtimes : new RuntimeStore({ runtimes })),
      (progress) => options.emit('runtime', progress),
    );
    this.live.makeContext = (id, name) => this.registry.get(id) || this.registry.obtain(id, name, null, '');
    this.live.onContextSent = (dst, id) => {
      this.#sendApi(dst);
      // Who stands above it sends it modules by the hops between.
      if (dst !== this.endpoint.id) this.#useRelays(id);
    };
    this.endpoint.onTree = (notice) => {
      if (notice.kind === 'gone') {
        this.responder.forget(notice);
        this.resources.forget(notice);
        this.#speeds?.forget(notice);
      }
      this.registry.onTree(notice);
    };
    this.endpoint.on(CALL, (message) => {
      this.endpoint.refuse(message, mitosError('ERR_MITOS_POLICY', 'The master runs no functions for others'));
    });
    this.endpoint.on(LOG, (message) => this.#onLog(message));
  }

  identify(fn: AnyFunction): string {
    return this.graph.identify(fn);
  }

  resolveModule(specifier: string, from: string): number | string {
    return this.graph.addEntry(specifier, from);
  }

  exportsOf(id: number | string): string[] {
    return typeof id === 'number' ? this.graph.exportsOf(id) : [];
  }

  refresh(ref: string): string {
    return this.graph.refresh(ref);
  }

  serviceModule(name: string): number {
    return this.graph.internalModule(name);
  }

  localService(name: string): Record<string, AnyFunction> {
    return name === 'mitos:dial' ? dialing : exec;
  }

  sendModules(dst: ContextId, ref: string, message?: Message): void {
    this.responder.send(dst, ref, message);
  }

  #dial(from: ContextId, host: string, port: number): Duplex {
    const context = this.registry.get(from);
    if (!context) throw mitosError('ERR_MITOS_NO_ROUTE', `There is no context ${from} to connect through`);
    return dial(context, { host, port });
  }

  /** The child of this context that leads to another one; that one itself if it is not known who does. */
  #firstHopOf(dst: ContextId): ContextId {
    let at = this.registry.get(dst);
    while (at?.via && at.via !== this.self) at = at.via;
    return at?.via ? at.id : dst;
  }

  /** How hard to compress for a context: little where all the way is inside this machine, or its first link is fast. */
  #levelOf(dst: ContextId): PackLevel {
    let at = this.registry.get(dst);
    let isLocal = true;
    for (; at?.via && at.via !== this.self; at = at.via) isLocal &&= isLocalMethod(at.method);
    if (at?.via && isLocal && isLocalMethod(at.method)) return 'quick';
    const level = levelFor(this.#speeds?.of(this.#firstHopOf(dst)));
    // What is beyond the first link is not known to be fast.
    return level === 'quick' && at?.id !== dst && !isLocal ? 'usual' : level;
  }

  /** A context that is handed on needs its class there. */
  #sendApi(dst: ContextId): void {
    this.live.apiModule ??= this.graph.internalModule('mitos:api');
    if (dst !== this.endpoint.id) this.responder.send(dst, `${this.live.apiModule}#`);
  }

  allocateId(): ContextId {
    return ++this.#lastId;
  }

  sendMethod(dst: ContextId, method: string): void {
    const context = this.registry.get(dst);
    if (!context || context === this.self) return;
    const needsRelay = this.#isHop(context) || this.responder.hasLibrary(dst);
    this.#sendBundles(context, needsRelay ? ['parent', method, 'relay'] : ['parent', method]);
  }

  /** Whether a context was made able to have children. */
  #isHop(context: Context): boolean {
    return this.#bundlesSent.get(context)?.has(BUNDLES.get('parent') as Buffer) === true;
  }

  /** Has the hops on the way to a context keep modules for those behind them. */
  #useRelays(to: ContextId): void {
    for (let at = this.registry.get(to); at?.via; at = at.via) if (this.#isHop(at)) this.#sendBundles(at, ['relay']);
  }

  /** Sends bundles for the hop of a context, if they have not been sent. */
  #sendBundles(context: Context, names: readonly string[]): void {
    let sent = this.#bundlesSent.get(context);
    if (!sent) this.#bundlesSent.set(context, (sent = new Set()));
    for (const name of names) {
      const bundle = BUNDLES.get(name);
      if (!bundle || sent.has(bundle)) continue;
      sent.add(bundle);
      this.endpoint.send(context.id, BUNDLE, 0, Buffer.concat([Buffer.alloc(HEADER), bundle]), CONTROL);
    }
  }

  /** What provides a target with Node takes it from the hop above: all on the way need that bundle, the nearest to here first. */
  #sendAbove(name: string, dst: ContextId): void {
    if (name !== 'provision') return;
    const above: Context[] = [];
    for (let at = this.registry.get(dst)?.via; at && at !== this.self; at = at.via) above.unshift(at);
    for (const context of above) this.#sendBundles(context, ['parent', name]);
  }

  mapStack(stack: string): string {
    // What is left of ours are frames of the library, which help nobody.
    return this.graph.mapStack(stack).replace(/\n[ \t]+at [^\n]*\bmitos:[^\s()]*:\d+:\d+\)?(?=\n|$)/g, '');
  }

  adviceFor(target: Context, error: unknown): string | undefined {
    // An error that a context had from one further down is told by that one.
    let at: Context | undefined = target;
    let inner = error;
    while (MitosError.is(inner) && inner.code === 'ERR_MITOS_CALL' && inner.cause !== undefined) {
      const name = /--- in "(.*)" ---/.exec(inner.stack ?? '')?.[1];
      at = this.registry.all().find((context) => context.name === name);
      inner = inner.cause;
    }
    if (!at?.facts || !(inner instanceof Error)) return undefined;
    return adviceForMissingApi(inner, at.facts.node, this.graph.thrownAt(inner.stack ?? ''));
  }

  async inspect(context: Context, options: InspectOptions): Promise<InspectServer> {
    this.#debuggers ??= import('./debuggers.ts').then(
      ({ Debuggers }) =>
        new Debuggers({
          endpoint: this.endpoint,
          prepare: (debuggee) => this.#sendBundles(debuggee, ['inspect']),
          sourceMap: (id) => this.graph.sourceMap(id),
        }),
    );
    return (await this.#debuggers).inspect(context, options);
  }

  /** Counters of the links of the master. */
  streamStats(): ReturnType<Hop['router']['stats']> {
    if (this.#isClosed) return [];
    if (this.#hop.stats) return this.#hop.stats();
    const reply = this.endpoint.requestSync(this.endpoint.id, STATS, null, this.#hop.pump as () => boolean);
    return jsonOf(reply) as ReturnType<Hop['router']['stats']>;
  }

  /** Passes on a record; those about one context are limited, whoever sends them. */
  log(data: LogData): void {
    const context = this.registry.get(data.id);
    if (!context) return;
    let limiter = this.#limiters.get(context);
    if (!limiter) {
      limiter = new LogLimiter(this.endpoint.limits, systemClock, (passed) => this.#emitLog(context, passed));
      this.#limiters.set(context, limiter);
    }
    limiter.push(data);
  }

  #emitLog(context: Context, data: LogData): void {
    const text = data.source === 'mitos' ? this.mapStack(data.text) : data.text;
    const record: LogRecord = { context, source: data.source, level: data.level, text, time: Date.now() };
    context.emit('log', record);
    this.#options.emit('log', record);
    const { logger, logLevel } = this.#options;
    if (logger !== false && isLoud(record, logLevel)) (logger || printRecord)(record);
  }

  /** Takes a record from below. A context may speak for itself and for those behind it. */
  #onLog(message: Buffer): void {
    const data = jsonOf(message) as Partial<LogData> | undefined;
    const context = data && this.registry.get(Number(data.id));
    if (!data || !context || !LOG_SOURCES.includes(String(data.source)) || !LEVELS.includes(String(data.level))) return;
    const src = srcOf(message);
    for (let at: Context | null = context; at && at.id !== src; at = at.via) if (!at.via) return;
    this.log({ id: context.id, source: data.source as LogData['source'], level: data.level as LogLevel, text: String(data.text) });
  }

  async resolveHere(ref: string): Promise<unknown> {
    const [, id, path] = /^(.*?)#(.*)$/.exec(ref) as unknown as [string, string, string];
    const url = Number(id) >= 0 ? this.graph.closureOf(ref).at(-1)?.url : id;
    let value = (await import(String(url))) as Record<string, unknown>;
    // What a CommonJS module exports is not always seen as a name.
    if (!(path in value) && typeof value['default'] === 'object' && value['default'] !== null)
      value = value['default'] as Record<string, unknown>;
    return value[path];
  }

  runHere(fn: AnyFunction, args: readonly unknown[], signal: AbortSignal | undefined): unknown {
    return runAs({ caller: 0, signal: signal || new AbortController().signal }, () => fn(...args));
  }

  /** Ends the tree. */
  async close(graceMs: number): Promise<void> {
    const children = this.registry.all().filter((context) => context.via === this.self);
    const reason = mitosError('ERR_MITOS_SHUTDOWN', 'The router was closed');
    await (await this.#debuggers)?.close();
    await Promise.all(children.map((context) => context.end(graceMs)));
    this.#isClosed = true;
    await this.#runtimes.close();
    for (const context of this.registry.all()) context.markClosed(reason);
    this.endpoint.abandon(toReason(reason));
    this.live.onGone({ ids: [], pages: [], all: true }, reason);
    this.#speeds?.close();
    await Promise.all([this.#hop.close(), this.graph.flush()]);
    this.#trace?.close();
  }

  #onCrash(error: Error): void {
    const reason = new ChannelError('ERR_MITOS_DISCONNECTED', `The I/O thread failed: ${error.message}`, { cause: error });
    for (const context of this.registry.all()) context.markClosed(reason);
    this.endpoint.abandon(toReason(reason));
    this.#options.emit('error', reason);
  }
}
