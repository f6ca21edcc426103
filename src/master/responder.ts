/** Answers what contexts ask of the master about modules, and remembers what each of them has been sent. */
import type { Endpoint } from '../core/endpoint.ts';
import { MitosError, mitosError } from '../core/errors.ts';
import { GET_BUNDLE, GET_MODULE, IDENTIFY, LOAD } from '../core/handles.ts';
import type { ModuleQuery } from '../core/importer.ts';
import { type Dep, type ModuleDef } from '../core/module-batch.ts';
import { packModules } from '../core/module-pack.ts';
import { holds, type IdSet } from '../core/route-table.ts';
import { type ContextId, HEADER, jsonOf, MAX_FRAME_DATA, type Message, NORMAL, replyToOf, sizeOf, srcOf } from '../core/wire.ts';
import { EXTRA, type ModuleGraph } from './module-graph.ts';

/** What has been sent. */
export interface ResponderStats {
  /** Modules sent, counted once for each context that got them. */
  modules: number;
  /** Bytes of them on the wire. */
  moduleBytes: number;
  /** Requests of contexts for modules that nobody had predicted: each is a round trip. */
  requests: number;
}

/** One module on its way to one context. */
export interface SentModule {
  id: number;
  url: string;
  to: ContextId;
  bytes: number;
}

/** What one context has been sent, and has asked. */
interface Sent {
  ids: Set<number>;
  refs: Set<string>;
  hasExtra: boolean;
  questions: number;
}

/** Questions about modules that one context may ask: a program needs some hundreds, and each may make the master look at the disk. */
const MAX_QUESTIONS = 20000;

/** Batches kept for the next context that needs the same. */
const MAX_BATCHES = 64;

/** The master's answers to GET_MODULE, IDENTIFY and GET_BUNDLE, and the LOAD messages it sends by itself. */
export class Responder {
  readonly stats: ResponderStats = { modules: 0, moduleBytes: 0, requests: 0 };
  /** Told of every module that is sent. */
  onModule: (module: SentModule) => void = () => {};
  /** Told of every bundle that a context has asked for, before it is sent. */
  onBundle: (name: string, dst: ContextId) => void = () => {};
  readonly #endpoint: Endpoint;
  readonly #graph: ModuleGraph;
  readonly #bundles: ReadonlyMap<string, Buffer>;
  readonly #sent: Map<ContextId, Sent> = new Map();
  readonly #batches: Map<string, Buffer> = new Map();

  constructor(endpoint: Endpoint, graph: ModuleGraph, bundles: ReadonlyMap<string, Buffer>) {
    this.#endpoint = endpoint;
    this.#graph = graph;
    this.#bundles = bundles;
    endpoint.on(GET_MODULE, (message) => this.#onGetModule(message));
    endpoint.on(IDENTIFY, (message) => this.#onIdentify(message));
    endpoint.on(GET_BUNDLE, (message) => this.#onGetBundle(message));
  }

  /** Sends `dst` what it lacks to run `ref` and to read `message`, in front of it. */
  send(dst: ContextId, ref: string, message?: Message): void {
    const sent = this.#sentTo(dst);
    const closure: ModuleDef[] = [];
    if (!sent.hasExtra && message && needsExtra(message)) closure.push(...this.#extra(sent));
    if (!sent.refs.has(ref)) closure.push(...this.#graph.closureOf(ref));
    else if (!closure.length) return;
    sent.refs.add(ref);
    const missing = this.#missing(dst, closure);
    this.#load(dst, this.#sendAhead(dst, missing, sent));
  }

  #load(dst: ContextId, defs: readonly ModuleDef[]): void {
    if (defs.length) this.#endpoint.send(dst, LOAD, 0, this.#withHeader(this.#pack(dst, defs)));
  }

  /** The modules of the rare parts of the core, on their way from now on. */
  #extra(sent: Sent): readonly ModuleDef[] {
    sent.hasExtra = true;
    return this.#graph.closureOf(this.#graph.internalModule(EXTRA));
  }

  /**
   * What is larger than a frame can be put together there only with the rare parts of the core: sends these first if they are not there
   * yet, also when they are among `defs`. Returns what is left to send.
   */
  #sendAhead(dst: ContextId, defs: readonly ModuleDef[], sent: Sent): readonly ModuleDef[] {
    if (!defs.length || this.#batchOf(defs).length < MAX_FRAME_DATA - 1024) return defs;
    const extra = new Set(this.#extra(sent));
    this.#load(dst, [...this.#missing(dst, [...extra]), ...defs.filter((def) => extra.has(def))]);
    return defs.filter((def) => !extra.has(def));
  }

  /** Forgets contexts that are gone. */
  forget(gone: IdSet): void {
    for (const id of this.#sent.keys()) if (holds(gone, id)) this.#sent.delete(id);
  }

  #sentTo(dst: ContextId): Sent {
    let sent = this.#sent.get(dst);
    if (!sent) this.#sent.set(dst, (sent = { ids: new Set(), refs: new Set(), hasExtra: false, questions: 0 }));
    return sent;
  }

  #missing(dst: ContextId, closure: readonly ModuleDef[]): ModuleDef[] {
    const { ids } = this.#sentTo(dst);
    const missing = closure.filter((def) => !ids.has(def.id));
    for (const def of missing) ids.add(def.id);
    return missing;
  }

  /** Modules as they travel; kept for the next context that needs the same. */
  #batchOf(defs: readonly ModuleDef[]): Buffer {
    const key = defs.map((def) => def.id).join();
    let batch = this.#batches.get(key);
    if (!batch) {
      batch = packModules(defs);
      this.#batches.set(key, batch);
      if (this.#batches.size > MAX_BATCHES) this.#batches.delete(this.#batches.keys().next().value as string);
    }
    return batch;
  }

  #pack(dst: ContextId, defs: readonly ModuleDef[]): Buffer {
    const batch = this.#batchOf(defs);
    this.stats.modules += defs.length;
    this.stats.moduleBytes += batch.length;
    for (const { id, url, code } of defs) this.onModule({ id, url, to: dst, bytes: code.length });
    return batch;
  }

  #withHeader(data: Buffer): Buffer {
    return Buffer.concat([Buffer.alloc(HEADER), data]);
  }

  /** Counts a question; refuses it when there have been too many. */
  #mayAsk(message: Buffer): boolean {
    if (++this.#sentTo(srcOf(message)).questions <= MAX_QUESTIONS) return true;
    this.#endpoint.refuse(
      message,
      mitosError('ERR_MITOS_LIMIT', `Context ${srcOf(message)} has asked for modules too often (${MAX_QUESTIONS} times)`),
    );
    return false;
  }

  #onGetModule(message: Buffer): void {
    if (!this.#mayAsk(message)) return;
    const query = jsonOf(message) as ModuleQuery | undefined;
    if (!query || typeof query !== 'object') {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_PROTOCOL', 'The question about a module cannot be read'));
      return;
    }
    // That the rare parts of the core are needed says nothing of the program.
    if (!('specifier' in query) || query.specifier !== EXTRA) this.stats.requests++;
    const { target, modules } = this.#graph.answer(query);
    this.#answer(message, target, modules);
  }

  #onIdentify(message: Buffer): void {
    if (!this.#mayAsk(message)) return;
    this.stats.requests++;
    const { module, line, column, text } = (jsonOf(message) || {}) as { module: number; line: number; column: number; text: string };
    try {
      const ref = this.#graph.identifyAt(Number(module), Number(line), Number(column), String(text));
      this.#answer(message, ref, this.#graph.closureOf(ref));
    } catch (error) {
      this.#endpoint.refuse(message, MitosError.is(error) ? error : mitosError('ERR_MITOS_NOT_CALLABLE', String(error)));
    }
  }

  #answer(message: Buffer, target: Dep, modules: readonly ModuleDef[]): void {
    const dst = srcOf(message);
    const missing = this.#sendAhead(dst, this.#missing(dst, modules), this.#sentTo(dst));
    const text = Buffer.from(JSON.stringify(target));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(text.length, 0);
    const parts: Buffer[] = [Buffer.alloc(HEADER), length, text];
    if (missing.length) parts.push(this.#pack(dst, missing));
    this.#endpoint.send(dst, replyToOf(message), 0, Buffer.concat(parts), NORMAL);
  }

  #onGetBundle(message: Buffer): void {
    const name = String(jsonOf(message));
    const bundle = this.#bundles.get(name);
    this.onBundle(name, srcOf(message));
    if (bundle) this.#endpoint.send(srcOf(message), replyToOf(message), 0, this.#withHeader(bundle));
    else this.#endpoint.refuse(message, mitosError('ERR_MITOS_MODULE_NOT_FOUND', 'No such bundle'));
  }
}

/** A type of value that only the rare parts of the core can read. */
const RARE_TYPE = /"\$":"(?!(?:undefined|number|ref|object)")/;

/** Whether who reads this message needs the rare parts of the core. */
function needsExtra(message: Message): boolean {
  return (
    sizeOf(message) > HEADER + MAX_FRAME_DATA || (message.includes('"$":"', HEADER) && RARE_TYPE.test(message.toString('latin1', HEADER)))
  );
}
