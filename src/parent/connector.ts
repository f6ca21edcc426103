/**
 * The parent layer: starts children as CONNECT messages say, watches over them, and ends them.
 *
 * A child's stream is in the route table from the moment of the order, so whatever is addressed to it (or behind it) waits
 * in the stream's queues and goes out right behind the preamble, without waiting for any answer. One deadline covers it all.
 */
import type { ChildConfig, ContextInfo } from '../core/config.ts';
import { type ConnectOrder, type KnownRuntime, unpackOrder } from '../core/connect-order.ts';
import { type MitosError, mitosError } from '../core/errors.ts';
import { BUNDLE, GET_BUNDLE, HELLO, LOG, SHUTDOWN } from '../core/handles.ts';
import type { Hop, ParentLayer } from '../core/hop.ts';
import { LogLimiter, type LogSource } from '../core/log.ts';
import { fromReason, toReason } from '../core/reason.ts';
import type { Stream } from '../core/stream.ts';
import { CONTROL, type ContextId, dataOf, jsonFrame, MASTER, NORMAL, srcOf, VERSION } from '../core/wire.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { type Ended, type ExplainFailure, endOfChild, type Failure, isShortage, type Progress } from './failure.ts';
import { KnownRuntimes } from './known-runtimes.ts';
import { type Provide, withRuntime } from './runtime-link.ts';

/** A connection method: how to start one kind of child. */
export interface Method {
  /** Whether the link crosses a network, where bytes are dear. */
  isFar?: boolean;
  /** Starts a child. Throws a TypeError for options it cannot take. Secrets in the options are overwritten when it is up, or gone. */
  start(order: ConnectOrder, config: ChildConfig, hop: Hop): ChildLink;
}

interface Child {
  order: ConnectOrder;
  stream: Stream;
  link: ChildLink;
  progress: Progress;
  /** Set while the child is not up yet. */
  pending: { frame: Buffer; timer: unknown } | undefined;
  isGreeted?: boolean;
  /** Set when it has failed to come up and is made to end. */
  givenUp?: Ended;
  isSettled?: boolean;
  /** Why it is being ended from here. */
  reason: MitosError | undefined;
  /** How its link ended; says less than the exit status of its process. */
  lost: MitosError | undefined;
  gone: Promise<void>;
  onGone(): void;
}

/** Time given up between the end of a link and the kill of a process that does not go. */
const LINGER_MS = 700;

/** Time for the master to send what explains a failure. */
const EXPLAIN_MS = 2000;
/** The names of bundles that are asked for: what explains failures, and what provides a Node. */
const FAILURES = 'failures';
const PROVISION = 'provision';

/** A child whose target has no Node. */
export interface Needy {
  order: ConnectOrder;
  link: ChildLink;
  /** Something has moved: the time for the connection begins again. */
  onProgress(): void;
  /** Goes on with the Node that is there now; `known` is the process that runs it. */
  ready(node: string, rest: Buffer, known: KnownRuntime | undefined): void;
  fail(failure: Failure): void;
}

const UNKNOWN: ExitStatus = { exitCode: null, signal: null };

/** Starts and ends the children of one hop. */
export class Connector implements ParentLayer {
  readonly #hop: Hop;
  readonly #children: Map<ContextId, Child> = new Map();
  #failure: ExplainFailure | undefined;
  readonly #unexplained: Set<(failure: ExplainFailure) => void> = new Set();
  readonly #known: KnownRuntimes = new KnownRuntimes();
  #provision: ((needy: Needy) => void) | undefined;
  readonly #needy: Needy[] = [];

  constructor(hop: Hop) {
    this.#hop = hop;
  }

  connect(frame: Buffer): void {
    const order = unpackOrder(dataOf(frame));
    const { router } = this.#hop;
    const method = this.#methodOf(order);
    const config = this.#configFor(order, method);
    const stream = this.#hop.createStream(
      order.id,
      order.name,
      (_stream, reason) => this.#onLinkLost(order.id, reason),
      config.keepAlive,
      config.isThin === true,
    );
    router.addChild(stream);
    let link: ChildLink;
    try {
      if (!method) throw mitosError('ERR_MITOS_PROTOCOL', `No connection method "${order.method}" here`);
      link = this.#start(order, config, method);
    } catch (error) {
      const reason = toError(error, order.name);
      router.refuse(frame, toReason(reason));
      router.remove(stream, reason);
      return;
    }
    this.#adopt(frame, order, stream, link, config);
  }

  #start(order: ConnectOrder, config: ChildConfig, method: Method): ChildLink {
    const { runtime = 'auto' } = order.options;
    const known = this.#known.find(order, method.isFar === true);
    order.search = { mode: runtime, known };
    const link = method.start(order, config, this.#hop);
    if (runtime === 'never') return link;
    const again = (): ChildLink => {
      order.search = { mode: 'push' };
      return method.start(order, config, this.#hop);
    };
    return withRuntime(link, again, (needing, ready) => this.#provide(order, needing, ready));
  }

  /** Has a child provided with a Node; what that takes is asked for first, if it is not here yet. */
  #provide(order: ConnectOrder, link: ChildLink, ready: Parameters<Provide>[1]): void {
    const child = this.#children.get(order.id) as Child;
    child.progress.stage = 'push';
    const needy: Needy = {
      order,
      link,
      onProgress: () => child.pending && !child.isSettled && this.#startTimer(child),
      ready: (node, rest, known) => {
        if (known) this.#known.add(order, known);
        ready(node, rest);
      },
      fail: (error) => !child.isSettled && this.#giveUp(child, undefined, error as Failure & Error),
    };
    if (this.#provision) return this.#provision(needy);
    if (!this.#needy.length) this.#askFor(PROVISION);
    this.#needy.push(needy);
  }

  /** Takes what provides children with a Node. */
  provideBy(provision: (needy: Needy) => void): void {
    this.#provision = provision;
    for (const needy of this.#needy.splice(0)) provision(needy);
  }

  #askFor(bundle: string): void {
    const { router, config } = this.#hop;
    router.route(jsonFrame(CONTROL, MASTER, config.id, GET_BUNDLE, BUNDLE, bundle), undefined);
  }

  #startTimer(child: Child): void {
    const { pending, order } = child;
    if (!pending) return;
    const timeoutMs = order.options.connectTimeoutMs ?? 30000;
    this.#hop.clock.clearTimeout(pending.timer);
    pending.timer = this.#hop.clock.setTimeout(() => {
      if (child.pending && !child.isSettled) this.#giveUp(child, timeoutMs);
    }, timeoutMs);
  }

  #methodOf({ method }: ConnectOrder): Method | undefined {
    return this.#hop.methods[method] as Method | undefined;
  }

  #adopt(frame: Buffer, order: ConnectOrder, stream: Stream, link: ChildLink, config: ChildConfig): void {
    const progress: Progress = {
      name: order.name,
      method: order.method,
      stage: 'start',
      startedAt: this.#hop.clock.now(),
      now: () => this.#hop.clock.now(),
      node: undefined,
      lines: [],
    };
    let onGone = (): void => {};
    const gone = new Promise<void>((resolve) => (onGone = resolve));
    const child: Child = {
      order,
      stream,
      link,
      progress,
      pending: { frame, timer: undefined },
      reason: undefined,
      lost: undefined,
      gone,
      onGone,
    };
    this.#children.set(order.id, child);
    this.#startTimer(child);
    this.#watch(child, config);
    if (link.isBlind) this.#greet(child, config);
  }

  /** Writes preamble and greeting; everything that waits for the child follows in the same write. */
  #greet(child: Child, config: ChildConfig): void {
    const { order, stream, link } = child;
    // A second time, it has been provided with a Node: the link does the rest.
    if (child.isGreeted) return;
    child.isGreeted = true;
    const own = this.#hop.config;
    const { preamble } = link;
    const greet = (firstBytes: number): Buffer => {
      const greeting = jsonFrame(CONTROL, order.id, own.id, HELLO, 0, { ...config, firstBytes });
      return Buffer.concat([preamble as Uint8Array, greeting]);
    };
    stream.attach(link.transport, preamble && greet);
  }

  #watch(child: Child, config: ChildConfig): void {
    const { link, progress, order } = child;
    const { clock } = this.#hop;
    const limiter = new LogLimiter(config.limits, clock, (data) => {
      this.#hop.router.route(jsonFrame(NORMAL, 0, this.#hop.config.id, LOG, 0, data), undefined);
    });
    link.onOutput = (source: LogSource, text) => {
      // A terminal has blank lines; of a child that ends itself su and others say that it was killed.
      if (child.pending ? !text : text === 'Killed' && (child.reason || child.stream.hasEnded)) return;
      progress.lines.push(text);
      if (progress.lines.length > 100) progress.lines.shift();
      limiter.push({ id: order.id, source, level: source === 'stdout' ? 'info' : 'warn', text });
    };
    link.onWord = (word, text) => {
      progress.stage = word === 'ok' ? 'node' : word;
      progress.node = text;
      if (word === 'ok' && !link.isBlind) this.#greet(child, config);
      if (word === 'asked' || word === 'asked-again') this.#giveUp(child);
    };
    void link.exited.then((status) => this.#onExit(child, status));
  }

  onHello(stream: Stream, data: unknown): void {
    const child = this.#children.get(stream.peerId);
    const hello = data as (ContextInfo & { v: number }) | undefined;
    if (!child || child.stream !== stream || !child.pending || !hello) return;
    const { frame, timer } = child.pending;
    child.pending = undefined;
    wipe(child.order.options);
    this.#hop.clock.clearTimeout(timer);
    if (hello.v !== VERSION) {
      this.#end(
        child,
        mitosError(
          'ERR_MITOS_VERSION',
          `Cannot connect "${child.order.name}": it speaks version ${hello.v} of the wire, this is ${VERSION}`,
        ),
      );
      return;
    }
    stream.startKeepAlive();
    const { v: _version, ...info } = hello;
    const { id, name, method } = child.order;
    this.#hop.router.announceArrival(id, { name, method, parent: this.#hop.config.id, info });
    // Those above have just been told.
    this.#hop.router.reply(frame, this.#hop.config.ancestors.includes(srcOf(frame)) ? undefined : info);
  }

  shutdown(id: ContextId, graceMs: number): Promise<void> {
    const child = this.#children.get(id);
    if (!child) return Promise.resolve();
    const { clock } = this.#hop;
    if (!child.reason) child.reason = mitosError('ERR_MITOS_SHUTDOWN', `"${child.order.name}" was shut down`);
    if (child.pending) {
      this.#end(child, child.reason);
    } else {
      child.stream.send(jsonFrame(CONTROL, id, this.#hop.config.id, SHUTDOWN, 0, { graceMs }));
      const timer = clock.setTimeout(() => child.link.kill(), graceMs + 300);
      void child.gone.then(() => clock.clearTimeout(timer));
    }
    return child.gone;
  }

  shutdownAll(graceMs: number): Promise<void> {
    return Promise.all([...this.#children.keys()].map((id) => this.shutdown(id, graceMs))).then(() => {});
  }

  /** Ends a child that does not come up; why is told when it has ended. */
  #giveUp(child: Child, timeoutMs?: number, error?: Failure & Error): void {
    child.givenUp = { progress: child.progress, status: { ...UNKNOWN, error }, link: child.link, timeoutMs };
    child.stream.close(mitosError('ERR_MITOS_DISCONNECTED', `"${child.order.name}" does not come up`));
    child.link.kill();
  }

  /** Ends a child at once, for `reason`. */
  #end(child: Child, reason: MitosError): void {
    child.reason = reason;
    child.stream.close(reason);
    child.link.kill();
  }

  /** The link is gone: if the process does not follow, it is made to. What everybody is told waits for its exit status. */
  #onLinkLost(id: ContextId, reason: MitosError): void {
    const child = this.#children.get(id);
    if (!child) return;
    if (child.stream.hasEnded) child.lost = reason;
    else if (!child.reason && !child.givenUp) child.reason = reason;
    const timer = this.#hop.clock.setTimeout(() => {
      child.link.kill();
      this.#settle(child, UNKNOWN);
    }, LINGER_MS);
    void child.link.exited.then(() => this.#hop.clock.clearTimeout(timer));
  }

  #onExit(child: Child, status: ExitStatus): void {
    this.#settle(child, status);
    child.stream.close(mitosError('ERR_MITOS_DISCONNECTED', `"${child.order.name}" exited`));
  }

  /** Tells everybody that the child is gone, once. */
  #settle(child: Child, status: ExitStatus): void {
    const { id } = child.order;
    if (child.isSettled) return;
    child.isSettled = true;
    const { pending, progress, link, lost, order } = child;
    const tell = (reason: MitosError): void => {
      this.#children.delete(id);
      if (pending) this.#hop.router.refuse(pending.frame, toReason(reason));
      this.#hop.router.remove(child.stream, fromReason(toReason(reason)));
      child.onGone();
    };
    if (pending) {
      wipe(order.options);
      this.#hop.clock.clearTimeout(pending.timer);
    }
    if (child.reason) tell(child.reason);
    else if (pending) this.#explain(child.givenUp || { progress, status, link }, tell);
    else tell(lost && status.exitCode === null && status.signal === null ? lost : endOfChild(order.name, status, progress));
  }

  /** Makes the error for a child that did not come up; what that takes is asked for first, if it is not here yet. */
  #explain(ended: Ended, tell: (reason: MitosError) => void): void {
    const { clock } = this.#hop;
    const { name, method } = ended.progress;
    if (this.#failure) return tell(this.#failure(ended));
    const plain = (): void => settle(mitosError('ERR_MITOS_TRANSPORT_EXIT', `Cannot connect "${name}" via ${method}`));
    const timer = clock.setTimeout(plain, EXPLAIN_MS);
    const settle = (reason: MitosError): void => {
      clock.clearTimeout(timer);
      if (this.#unexplained.delete(explain)) tell(reason);
    };
    const explain = (failure: ExplainFailure): void => settle(failure(ended));
    // One answer is for all that wait for it.
    if (!this.#unexplained.size) this.#askFor(FAILURES);
    this.#unexplained.add(explain);
  }

  /** Takes what makes errors of failures. */
  explainBy(failure: ExplainFailure): void {
    this.#failure = failure;
    for (const explain of this.#unexplained) explain(failure);
  }

  #configFor(order: ConnectOrder, method: Method | undefined): ChildConfig {
    const own = this.#hop.config;
    const { threadless, keepAlive, env, cwd, remoteName, addons } = order.options;
    return {
      id: order.id,
      name: order.name,
      ancestors: [own.id, ...own.ancestors],
      ancestorNames: [own.name, ...own.ancestorNames],
      title: remoteName ?? own.title,
      isThreadless: threadless === true,
      isUnidirectional: own.isUnidirectional,
      isThin: method?.isFar,
      limits: own.limits,
      keepAlive: { ...own.keepAlive, ...keepAlive },
      env,
      cwd,
      addons: addons ?? own.addons,
    };
  }
}

/** Overwrites the secrets in options. */
function wipe(options: object): void {
  for (const value of Object.values(options) as unknown[]) {
    if (Buffer.isBuffer(value)) value.fill(0);
    else if (typeof value === 'object' && value) wipe(value);
  }
}

function toError(error: unknown, name: string): MitosError {
  const { code, message } = error as MitosError;
  if (typeof code === 'string' && code.startsWith('ERR_MITOS_')) return error as MitosError;
  return mitosError(isShortage(code) ? 'ERR_MITOS_RESOURCE' : 'ERR_MITOS_TRANSPORT_EXIT', `Cannot start "${name}": ${message}`, {
    cause: error,
  });
}
