/**
 * The user's side of a context: mailboxes, modules and the functions that run here. Attached to the hop directly
 * (threadless) or by a {@link FrameLink} (threaded).
 */
import { systemClock } from './clock.ts';
import type { ChildConfig } from './config.ts';
import { Dispatcher } from './dispatcher.ts';
import { Endpoint } from './endpoint.ts';
import { errorToText } from './error-text.ts';
import { GET_MODULE, LOAD, LOG } from './handles.ts';
import { Importer, type ModuleAnswer } from './importer.ts';
import { LiveValues } from './live.ts';
import { type LogData, type LogLevel, LogLimiter, type LogSource } from './log.ts';
import { type Dep, type ModuleDef, unpackModules } from './module-batch.ts';
import { onRare, type Rare } from './rare.ts';
import { fromReason } from './reason.ts';
import { holds } from './route-table.ts';
import type { TreeNotice } from './router.ts';
import { authOf, type ContextId, dataOf, MASTER } from './wire.ts';

/** The module of what few calls need, see `rare.ts`. */
const EXTRA = 'mitos:extra';

/** Everything in a context that user code can touch. */
export class UserSide {
  readonly config: ChildConfig;
  readonly endpoint: Endpoint;
  readonly live: LiveValues;
  readonly importer: Importer;
  readonly dispatcher: Dispatcher;
  /** Blocks until frames came in, see {@link Endpoint.requestSync}. */
  readonly pump: () => boolean;
  readonly #limiter: LogLimiter;
  readonly #urls: Map<string, number> = new Map();

  /**
   * @param sendFrame Passes a frame to the hop.
   * @param pump Blocks until frames came in and were given to the endpoint; false when none can come any more.
   */
  constructor(config: ChildConfig, sendFrame: (frame: Buffer) => void, pump: () => boolean, core: object) {
    this.config = config;
    this.pump = pump;
    const endpoint = new Endpoint(config.id, config.ancestors, config.limits, sendFrame);
    this.endpoint = endpoint;
    this.live = new LiveValues(endpoint);
    onRare(() => {
      const known = this.moduleAt(EXTRA);
      const query = { from: 0, specifier: EXTRA, kind: 'require' };
      const id = known === undefined ? this.takeAnswer(endpoint.requestSync(MASTER, GET_MODULE, query, pump)) : known;
      return (this.importer.namespace(id as number) as { default: Rare }).default;
    });
    this.importer = new Importer({
      core,
      request: (query) => endpoint.request(MASTER, GET_MODULE, query).then((reply) => this.#readAnswer(reply)),
      requestSync: (query) => this.#readAnswer(endpoint.requestSync(MASTER, GET_MODULE, query, pump)),
    });
    this.dispatcher = new Dispatcher(endpoint, this.live, this.importer);
    this.dispatcher.onNotifyError = (caller, error) => {
      endpoint.sendJson(caller, LOG, 0, { id: config.id, source: 'mitos', level: 'error', text: errorToText(error) });
    };
    this.#limiter = new LogLimiter(config.limits, systemClock, (data: LogData) => endpoint.sendJson(MASTER, LOG, 0, data));
    this.live.makeContext = (id, name) => this.#makeContext(id, name);
    endpoint.onTree = (notice) => this.onTree(notice);
    endpoint.on(LOAD, (message) => {
      if (endpoint.obeys(authOf(message))) this.#define(unpackModules(dataOf(message), config.limits.maxModuleBytes));
    });
  }

  /** Ends what was done with and for contexts that are gone. */
  onTree(notice: TreeNotice): void {
    if (notice.kind !== 'gone') return;
    const reason = fromReason(notice.reason);
    this.live.onGone(notice, reason);
    this.dispatcher.abortAll(reason, (caller) => holds(notice, caller));
  }

  /** Sends a log record to the master. */
  log(source: LogSource, level: LogLevel, text: string): void {
    this.#limiter.push({ id: this.config.id, source, level, text });
  }

  /** Reads the answer to a question about modules, and takes in the modules that came with it. */
  takeAnswer(reply: Buffer): Dep {
    const { target, modules } = this.#readAnswer(reply);
    this.#define(modules);
    return target;
  }

  /** The id of a module of this context, by its URL. */
  moduleAt(url: string): number | undefined {
    return this.#urls.get(url);
  }

  #define(modules: readonly ModuleDef[]): void {
    for (const { url, id } of modules) this.#urls.set(url, id);
    this.importer.define(modules);
  }

  /** The Context class lives in a module of its own, which the sender has sent ahead. */
  #makeContext(id: ContextId, name: string): unknown {
    const first = this.live.makeContext;
    const api = this.moduleAt('mitos:api');
    if (api !== undefined) this.importer.namespace(api);
    return this.live.makeContext === first ? undefined : this.live.makeContext(id, name);
  }

  /** u16 length of the target, the target as JSON, and a batch of modules if there are any. */
  #readAnswer(reply: Buffer): ModuleAnswer {
    const data = dataOf(reply);
    const end = 2 + data.readUInt16BE(0);
    return {
      target: JSON.parse(data.toString('utf8', 2, end)) as Dep,
      modules: end < data.length ? unpackModules(data.subarray(end), this.config.limits.maxModuleBytes) : [],
    };
  }
}
