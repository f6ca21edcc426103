/** The runtime of a child: what it does not know, it asks the master. */
import { createAbort } from '../core/abort.ts';
import { mitosError } from '../core/errors.ts';
import { ALLOCATE, BUNDLE, GET_BUNDLE, GET_MODULE, IDENTIFY, LOAD, RELAY } from '../core/handles.ts';
import type { LogData } from '../core/log.ts';
import { cut, packBatches } from '../core/module-pack.ts';
import { relayMessage, toRanges } from '../core/relay-message.ts';
import type { UserSide } from '../core/user-side.ts';
import { CONTROL, type ContextId, dataOf, HEADER, MASTER } from '../core/wire.ts';
import type { Context } from './context.ts';
import { openContext } from './context-promise.ts';
import { locateFunction } from './locate.ts';
import { referenceOf } from './reference-of.ts';
import { ContextRegistry } from './registry.ts';
import type { AnyFunction, MaybePromise, Runtime } from './runtime.ts';
import { runAs } from './self.ts';

/** The process of a child, for the contexts it uses. */
export class ChildRuntime implements Runtime {
  readonly endpoint: UserSide['endpoint'];
  readonly live: UserSide['live'];
  readonly registry: ContextRegistry;
  readonly open: Runtime['open'] = openContext;
  readonly self: Context;
  readonly #user: UserSide;
  readonly #refs: WeakMap<AnyFunction, string> = new WeakMap();
  /** Modules sent to others from here. */
  readonly #sent: Map<ContextId, Set<number>> = new Map();
  /** What others were sent from here to have children; `last` is done when all of that is on its way. */
  readonly #bundlesSent: Map<ContextId, { names: Set<string>; last: Promise<void> | undefined }> = new Map();
  readonly #bundles: Map<string, Promise<Buffer>> = new Map();
  #ids: { next: ContextId; end: ContextId } = { next: 0, end: 0 };
  #granting: Promise<void> | undefined;
  #onGrant: (start: ContextId, count: number) => void = () => {};

  constructor(user: UserSide) {
    this.#user = user;
    this.endpoint = user.endpoint;
    this.live = user.live;
    this.registry = new ContextRegistry(this);
    const { config } = user;
    let via: Context | null = null;
    for (let index = config.ancestors.length - 1; index >= 0; index--) {
      via = this.registry.obtain(config.ancestors[index] as ContextId, config.ancestorNames[index] as string, via, '');
    }
    this.self = this.registry.obtain(config.id, config.name, via, '');
    for (const context of this.registry.all()) context.assumeConnected();
    this.live.makeContext = (id, name) => this.contextOf(id, name);
    this.live.apiModule ??= user.moduleAt('mitos:api');
    this.live.onContextSent = (dst) => this.#send(dst, this.live.apiModule as number);
    this.endpoint.onTree = (notice) => {
      user.onTree(notice);
      if (notice.kind === 'grant') this.#onGrant(notice.start, notice.count);
      else this.registry.onTree(notice);
    };
  }

  /** The object of a context that somebody told of. */
  contextOf(id: ContextId, name: string = `context-${id}`): Context {
    const known = this.registry.get(id);
    if (known) return known;
    const context = this.registry.obtain(id, name, null, '');
    context.assumeConnected();
    return context;
  }

  identify(fn: AnyFunction): MaybePromise<string> {
    const known = this.#refs.get(fn) || referenceOf(this.#user.importer, fn);
    if (known) return known;
    const found = locateFunction(fn);
    const at = found && /^mitos:(\d+)\//.exec(found.url);
    if (!found || !at) {
      throw mitosError('ERR_MITOS_NOT_CALLABLE', `Cannot call "${fn.name || 'anonymous'}": it does not come from a module of the program`);
    }
    const query = { module: Number(at[1]), line: found.line, column: found.column, text: fn.toString() };
    return this.endpoint.request(MASTER, IDENTIFY, query).then((reply) => {
      const ref = this.#user.takeAnswer(reply) as string;
      this.#refs.set(fn, ref);
      return ref;
    });
  }

  resolveModule(specifier: string, from: string): MaybePromise<number | string> {
    const id = this.#user.moduleAt(from);
    if (id === undefined)
      throw mitosError('ERR_MITOS_MODULE_NOT_FOUND', `Cannot import "${specifier}": ${from} is not a module of this context`);
    return this.#ask({ from: id, specifier, kind: 'import' });
  }

  serviceModule(name: string): MaybePromise<number> {
    return this.#ask({ from: this.live.apiModule as number, specifier: name, kind: 'require' }) as Promise<number>;
  }

  async #ask(query: object): Promise<number | string> {
    const target = this.#user.takeAnswer(await this.endpoint.request(MASTER, GET_MODULE, query));
    if (typeof target !== 'object') return target;
    throw mitosError(target.code as 'ERR_MITOS_MODULE_NOT_FOUND', target.message);
  }

  sendModules(dst: ContextId, ref: string): void {
    const id = Number.parseInt(ref, 10);
    if (id >= 0) this.#send(dst, id);
  }

  #send(dst: ContextId, id: number): void {
    let sent = this.#sent.get(dst);
    if (!sent) this.#sent.set(dst, (sent = new Set()));
    if (sent.has(id)) return;
    const had = sent;
    const missing = this.#user.importer.closure(id).filter((def) => !had.has(def.id));
    for (const def of missing) had.add(def.id);
    had.add(id);
    if (!missing.length) return;
    // Those below this context are served by its hop, which knows what it has passed on to whom.
    const isBelow = this.#isBelow(dst);
    const data = isBelow
      ? [relayMessage({ to: dst, ids: toRanges(missing.map((def) => def.id)) })]
      : packBatches(missing).map((batch) => batch.data);
    for (const message of data.flatMap(cut)) this.endpoint.send(isBelow ? this.self.id : dst, isBelow ? RELAY : LOAD, 0, message);
  }

  #isBelow(dst: ContextId): boolean {
    for (let at = this.registry.get(dst); at; at = at.via || undefined) if (at.via === this.self) return true;
    return false;
  }

  allocateId(): MaybePromise<ContextId> {
    if (this.#ids.next < this.#ids.end) return this.#ids.next++;
    if (!this.#granting) this.#granting = this.#requestIds().finally(() => (this.#granting = undefined));
    return this.#granting.then(() => this.allocateId());
  }

  #requestIds(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onGrant = (start, count) => {
        this.#ids = { next: start, end: start + count };
        resolve();
      };
      const replyTo = this.endpoint.expect(MASTER, { onReply: () => {}, onDead: reject });
      this.endpoint.sendJson(MASTER, ALLOCATE, replyTo, {}, CONTROL);
    });
  }

  sendMethod(dst: ContextId, method: string): MaybePromise<void> {
    let sent = this.#bundlesSent.get(dst);
    if (!sent) this.#bundlesSent.set(dst, (sent = { last: undefined, names: new Set() }));
    for (const name of ['parent', 'relay', method]) {
      if (sent.names.has(name)) continue;
      sent.names.add(name);
      const bundle = this.#bundle(name);
      sent.last = Promise.all([bundle, sent.last]).then(([bytes]) => {
        this.endpoint.send(dst, BUNDLE, 0, Buffer.concat([Buffer.alloc(HEADER), bytes]), CONTROL);
      });
    }
    return sent.last;
  }

  /** A bundle, asked for once. */
  #bundle(name: string): Promise<Buffer> {
    let bundle = this.#bundles.get(name);
    if (!bundle)
      this.#bundles.set(name, (bundle = this.endpoint.request(MASTER, GET_BUNDLE, name).then((reply) => Buffer.from(dataOf(reply)))));
    return bundle;
  }

  mapStack(stack: string): string {
    return stack;
  }

  log(data: LogData): void {
    this.#user.log(data.source, data.level, data.text);
  }

  resolveHere(ref: string): MaybePromise<unknown> {
    return this.#user.importer.resolveRef(ref);
  }

  runHere(fn: AnyFunction, args: readonly unknown[], signal: AbortSignal | undefined): unknown {
    const caller = this.endpoint.id;
    return runAs(
      signal
        ? { caller, signal }
        : {
            caller,
            get signal() {
              return createAbort().signal;
            },
          },
      () => fn(...args),
    );
  }
}
