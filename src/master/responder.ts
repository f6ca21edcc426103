/**
 * Answers what contexts ask of the master about modules, and remembers what each of them has been sent. What is for a context further below goes to the
 * first hop on its way, once for all that are behind that hop (see `parent/relay.ts`).
 */
import type { Endpoint } from '../core/endpoint.ts';
import { MitosError, mitosError } from '../core/errors.ts';
import { GET_BUNDLE, GET_MODULE, IDENTIFY, RELAY } from '../core/handles.ts';
import type { ModuleQuery } from '../core/importer.ts';
import { type Dep, type ModuleDef } from '../core/module-batch.ts';
import { type Batch, type PackLevel, packBatches } from '../core/module-pack.ts';
import { holds, type IdSet } from '../core/route-table.ts';
import { type ContextId, HEADER, jsonOf, MAX_FRAME_DATA, type Message, replyToOf, sizeOf, srcOf } from '../core/wire.ts';
import { type Find, RelayLink } from '../parent/relay-link.ts';
import { editionOf } from './editions.ts';
import type { ModuleGraph } from './module-graph.ts';
import { importersOf, ownFile } from './module-item.ts';
import { EXTRA } from './our-modules.ts';
import { editionFor } from './syntax-level.ts';
import { type Occasion, type SentModule, Travel } from './travel.ts';

/** What has been sent. */
export interface ResponderStats {
  /** Modules sent over links of the master: once for each of its children, whatever number of contexts behind it need them. */
  modules: number;
  /** Bytes of them on these links. */
  moduleBytes: number;
  /** Requests of contexts for modules that nobody had predicted: each is a round trip. */
  requests: number;
}

/** What one context has been sent, and has asked. */
interface Sent {
  ids: Set<number>;
  refs: Set<string>;
  hasExtra: boolean;
  /** Whether it has the module `mitos`. */
  hasLibrary: boolean;
  questions: number;
  /** The version of Node there, once it has asked for modules that its Node understands. */
  node?: string;
}

/** Questions about modules that one context may ask: a program needs some hundreds, and each may make the master look at the disk. */
const MAX_QUESTIONS = 20000;

/** So many times more a hop may ask, for all that are behind it. */
const RELAY_SHARE = 16;

/** How hard to compress, from little to much. */
const LEVELS: readonly PackLevel[] = ['quick', 'usual', 'dense'];

/** Sets of modules that are kept as they travel, for the next context that needs the same. */
const MAX_BATCHES = 64;

/** The master's answers to GET_MODULE, IDENTIFY and GET_BUNDLE, and the LOAD messages it sends by itself. */
export class Responder {
  readonly stats: ResponderStats = { modules: 0, moduleBytes: 0, requests: 0 };
  /** Told of every module that is sent, if anybody listens. */
  onModule: ((module: SentModule) => void) | undefined;
  /** Has the hops on the way to a context keep modules. */
  useRelays: (to: ContextId) => void = () => {};
  /** Told when a context is sent the library itself. */
  onLibrary: (dst: ContextId) => void = () => {};
  /** Whether a context has been sent the library itself. */
  hasLibrary(dst: ContextId): boolean {
    return this.#sent.get(dst)?.hasLibrary === true;
  }
  /** How hard to compress what goes to a context. */
  levelOf: (dst: ContextId) => PackLevel = () => 'usual';
  /** Told when batches have been written. */
  onWritten: () => void = () => {};
  /** The version of Node of a context, once that is known. */
  nodeOf: (id: ContextId) => string | undefined = () => undefined;
  /** Told of every bundle that a context has asked for, before it is sent. */
  onBundle: (name: string, dst: ContextId) => void = () => {};
  readonly #endpoint: Endpoint;
  readonly #graph: ModuleGraph;
  readonly #bundles: ReadonlyMap<string, Buffer>;
  readonly #firstHopOf: (dst: ContextId) => ContextId;
  readonly #sent: Map<ContextId, Sent> = new Map();
  readonly #links: Map<ContextId, RelayLink> = new Map();
  readonly #batches: Map<string, readonly Batch[]> = new Map();
  readonly #travel: Travel;

  /** @param firstHopOf The child of the master that leads to a context: itself if it is one, or if that is not known. */
  constructor(
    endpoint: Endpoint,
    graph: ModuleGraph,
    bundles: ReadonlyMap<string, Buffer>,
    firstHopOf: (dst: ContextId) => ContextId = (dst) => dst,
  ) {
    this.#endpoint = endpoint;
    this.#graph = graph;
    this.#bundles = bundles;
    this.#firstHopOf = firstHopOf;
    this.#travel = new Travel(
      (id) => ownFile(graph.itemOf(id)),
      (def) => graph.preparation.take(def),
    );
    endpoint.on(GET_MODULE, (message) => this.#onGetModule(message));
    endpoint.on(IDENTIFY, (message) => this.#onIdentify(message));
    endpoint.on(GET_BUNDLE, (message) => this.#onGetBundle(message));
  }

  /** Sends `dst` what it lacks to run `ref` and to read `message`, in front of it. */
  send(dst: ContextId, ref: string, message?: Message): void {
    const sent = this.#sentTo(dst);
    const closure: ModuleDef[] = [];
    if (!sent.hasExtra && message && needsExtra(message)) closure.push(...this.#extra(sent));
    const node = sent.node ?? this.nodeOf(dst);
    if (!sent.refs.has(ref)) closure.push(...this.#graph.closureOf(ref, node === undefined ? undefined : editionFor(node)));
    else if (!closure.length) return;
    sent.refs.add(ref);
    this.#pass(dst, closure, { root: closure.at(-1)?.id ?? 0, kind: 'called' });
  }

  /** Sends what `dst` lacks of these modules, or has it sent by the hops on the way as far as they have it. */
  #pass(dst: ContextId, defs: readonly ModuleDef[], occasion: Occasion): void {
    const sent = this.#sentTo(dst);
    const { ids } = sent;
    const missing = defs.filter(({ id }) => !ids.has(id)).map(({ id }) => id);
    for (const id of missing) ids.add(id);
    if (!missing.length) return;
    // With the library, it may call those behind it by itself.
    if (!sent.hasLibrary && defs.some(({ url }) => url === 'mitos:api')) {
      sent.hasLibrary = true;
      this.onLibrary(dst);
    }
    const written: Batch[] = [];
    this.#linkTo(this.#firstHopOf(dst)).pass(dst, missing, this.#finder(dst, defs, written));
    this.#tell(dst, defs, missing, written, occasion);
  }

  #tell(to: ContextId, closure: readonly ModuleDef[], missing: readonly number[], batches: readonly Batch[], occasion: Occasion): void {
    if (batches.length) this.onWritten();
    const { onModule } = this;
    if (!onModule) return;
    for (const module of this.#travel.modules({ ...occasion, to, closure, missing: new Set(missing), batches })) onModule(module);
  }

  #linkTo(peer: ContextId): RelayLink {
    let link = this.#links.get(peer);
    if (!link) {
      const send = (handle: number, message: Buffer, dst: ContextId): void => this.#endpoint.send(dst, handle, 0, message);
      this.#links.set(peer, (link = new RelayLink(peer, send, (to) => this.useRelays(to))));
    }
    return link;
  }

  /** The modules of the rare parts of the core, on their way from now on. */
  #extra(sent: Sent): readonly ModuleDef[] {
    sent.hasExtra = true;
    return this.#graph.closureOf(this.#graph.internalModule(EXTRA));
  }

  /** Forgets contexts that are gone. */
  forget(gone: IdSet): void {
    for (const known of [this.#sent, this.#links]) for (const id of known.keys()) if (holds(gone, id)) known.delete(id);
  }

  #sentTo(dst: ContextId): Sent {
    let sent = this.#sent.get(dst);
    if (!sent) this.#sent.set(dst, (sent = { ids: new Set(), refs: new Set(), hasExtra: false, hasLibrary: false, questions: 0 }));
    return sent;
  }

  /** Modules as they travel; kept for the next context that needs the same. What was compressed harder than needed will do. */
  #batchesOf(defs: readonly ModuleDef[], level: PackLevel): readonly Batch[] {
    const ids = defs.map((def) => def.id).join();
    const key = LEVELS.slice(LEVELS.indexOf(level))
      .map((one) => `${one} ${ids}`)
      .find((one) => this.#batches.has(one));
    let batches = key === undefined ? undefined : this.#batches.get(key);
    if (!batches) {
      batches = packBatches(defs, level, this.#graph.compress);
      this.#batches.set(`${level} ${ids}`, batches);
      if (this.#batches.size > MAX_BATCHES) this.#batches.delete(this.#batches.keys().next().value as string);
    }
    return batches;
  }

  /** Gives the content of some of `defs`, which is on its way for `dst` then, and is added to `written`. */
  #finder(dst: ContextId, defs: readonly ModuleDef[], written: Batch[]): Find {
    return (ids) => {
      const wanted = new Set(ids);
      const found = defs.filter(({ id }) => wanted.has(id));
      const batches = this.#batchesOf(found, this.levelOf(dst));
      this.stats.modules += found.length;
      for (const { data } of batches) this.stats.moduleBytes += data.length;
      written.push(...batches);
      return batches;
    };
  }

  /** Sends the rare parts of the core in front of an answer that is larger than a frame. */
  prepare(dst: ContextId): void {
    const sent = this.#sentTo(dst);
    if (!sent.hasExtra) this.#pass(dst, this.#extra(sent), { root: 0, kind: 'called' });
  }

  /** Counts a question; refuses it when there have been too many. */
  mayAsk(message: Buffer): boolean {
    const most = replyToOf(message) === RELAY ? MAX_QUESTIONS * RELAY_SHARE : MAX_QUESTIONS;
    if (++this.#sentTo(srcOf(message)).questions <= most) return true;
    this.#endpoint.refuse(
      message,
      mitosError('ERR_MITOS_LIMIT', `Context ${srcOf(message)} has asked for modules too often (${most} times)`),
    );
    return false;
  }

  #onGetModule(message: Buffer): void {
    if (!this.mayAsk(message)) return;
    const query = jsonOf(message) as ModuleQuery | undefined;
    if (!query || typeof query !== 'object') {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_PROTOCOL', 'The question about a module cannot be read'));
      return;
    }
    // That the rare parts of the core are needed says nothing of the program.
    if (!('specifier' in query) || query.specifier !== EXTRA) this.stats.requests++;
    // A hop asks for those behind it.
    if ('node' in query && replyToOf(message) !== RELAY) this.#sentTo(srcOf(message)).node = String(query.node);
    const { target, modules } = this.#graph.answer(query);
    // Who asks for a module by its id has not got it, whatever was sent, or cannot read it and gets another edition.
    if ('id' in query) for (const id of [query.id, Number(target), Number(modules.at(-1)?.id)]) this.#lost(srcOf(message), id);
    if (replyToOf(message) === RELAY) this.#answerHop(message, query, target, modules);
    else this.#answer(message, target, modules, this.#asked(query, target));
  }

  #asked(query: ModuleQuery, target: Dep): Occasion {
    const root = Number(target) || 0;
    if (!('specifier' in query)) return { root, kind: 'asked' };
    return { root, kind: 'asked', specifier: query.specifier, askers: importersOf(this.#graph.itemOf(query.from)) };
  }

  #lost(src: ContextId, id: number): void {
    this.#sent.get(src)?.ids.delete(id);
    this.#links.get(this.#firstHopOf(src))?.lost(id);
  }

  /** Answers a hop, which answers those behind it that have asked. */
  #answerHop(message: Buffer, query: ModuleQuery, target: Dep, modules: readonly ModuleDef[]): void {
    const src = srcOf(message);
    // What a module that is not there yet will lead to is not known.
    const keep = this.#graph.isServed('from' in query ? query.from : Number(target));
    const ids = modules.map(({ id }) => id);
    const written: Batch[] = [];
    this.#linkTo(src).answer(query, ids, this.#finder(src, modules, written), { target, ids, keep });
    const sent = written.flatMap((batch) => batch.ids);
    this.#tell(src, modules, sent, written, this.#asked(query, target));
  }

  #onIdentify(message: Buffer): void {
    if (!this.mayAsk(message)) return;
    this.stats.requests++;
    const { module, line, column, text } = (jsonOf(message) || {}) as { module: number; line: number; column: number; text: string };
    try {
      const ref = this.#graph.identifyAt(Number(module), Number(line), Number(column), String(text));
      const closure = this.#graph.closureOf(ref, editionOf(Number(module)));
      this.#answer(message, ref, closure, {
        root: closure.at(-1)?.id ?? 0,
        kind: 'asked',
        askers: importersOf(this.#graph.itemOf(Number(module))),
      });
    } catch (error) {
      this.#endpoint.refuse(message, MitosError.is(error) ? error : mitosError('ERR_MITOS_NOT_CALLABLE', String(error)));
    }
  }

  #answer(message: Buffer, target: Dep, modules: readonly ModuleDef[], occasion: Occasion): void {
    this.#pass(srcOf(message), modules, occasion);
    this.#endpoint.sendJson(srcOf(message), replyToOf(message), 0, target);
  }

  #onGetBundle(message: Buffer): void {
    const name = String(jsonOf(message));
    const bundle = this.#bundles.get(name);
    this.onBundle(name, srcOf(message));
    if (bundle) this.#endpoint.send(srcOf(message), replyToOf(message), 0, Buffer.concat([Buffer.alloc(HEADER), bundle]));
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
