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
import { type Dep, type ModuleDef, Parts, unpackModules } from './module-batch.ts';
import { onRare, type Rare } from './rare.ts';
import { fromReason } from './reason.ts';
import { holds } from './route-table.ts';
import type { TreeNotice } from './router.ts';
import { authOf, type ContextId, jsonOf, MASTER } from './wire.ts';

/** The module of what few calls need, see `rare.ts`. */
const EXTRA = 'mitos:extra';

/** Everything in a context that user code can touch. */
export class UserSide {
  readonly config: ChildConfig;
  readonly endpoint: Endpoint;
  readonly live: LiveValues;
  readonly importer: Importer;
  readonly dispatcher: Dispatcher;
  readonly #limiter: LogLimiter;
  readonly #urls: Map<string, number> = new Map();
  readonly #parts: Parts = new Parts();
  /** Why modules that came could not be read. */
  #damage: unknown;

  /**
   * @param sendFrame Passes a frame to the hop.
   * @param pump Blocks until frames came in and were given to the endpoint; false when none can come any more.
   */
  constructor(config: ChildConfig, sendFrame: (frame: Buffer) => void, pump: () => boolean, core: object) {
    this.config = config;
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
      if (endpoint.obeys(authOf(message))) this.#load(message);
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

  /** Reads the answer to a question about modules; the modules have come in front of it. */
  takeAnswer(reply: Buffer): Dep {
    return this.#readAnswer(reply).target;
  }

  /** The id of a module of this context, by its URL. */
  moduleAt(url: string): number | undefined {
    return this.#urls.get(url);
  }

  /** What cannot be read is as good as not sent: who needs it asks for it, and is told why if that does not help either. */
  #load(message: Buffer): void {
    try {
      const batch = this.#parts.add(message);
      if (!batch) return;
      const modules: ModuleDef[] = unpackModules(batch, this.config.limits.maxModuleBytes);
      for (const { url, id } of modules) this.#urls.set(url, id);
      this.importer.define(modules);
    } catch (error) {
      this.#damage = error;
    }
  }

  /** The Context class lives in a module of its own, which the sender has sent ahead. */
  #makeContext(id: ContextId, name: string): unknown {
    const first = this.live.makeContext;
    const api = this.moduleAt('mitos:api');
    if (api !== undefined) this.importer.namespace(api);
    return this.live.makeContext === first ? undefined : this.live.makeContext(id, name);
  }

  #readAnswer(reply: Buffer): ModuleAnswer {
    const target = jsonOf(reply) as Dep;
    if (this.#damage && typeof target === 'number' && !this.importer.has(target)) throw this.#damage;
    return { target, modules: [] };
  }
}
