/**
 * The parent layer: starts children as CONNECT messages say, watches over them, and ends them.
 *
 * A child's stream is in the route table from the moment of the order, so whatever is addressed to it (or behind it) waits
 * in the stream's queues and goes out right behind the preamble, without waiting for any answer. One deadline covers it all.
 */
import type { ChildConfig, ContextInfo } from '../core/config.ts';
import { type ConnectOrder, unpackOrder } from '../core/connect-order.ts';
import { type MitosError, mitosError } from '../core/errors.ts';
import { HELLO, LOG, SHUTDOWN } from '../core/handles.ts';
import type { Hop, ParentLayer } from '../core/hop.ts';
import { LogLimiter, type LogSource } from '../core/log.ts';
import { fromReason, toReason } from '../core/reason.ts';
import type { Stream } from '../core/stream.ts';
import { CONTROL, type ContextId, dataOf, jsonFrame, NORMAL, srcOf, VERSION } from '../core/wire.ts';
import { type Child, configFor, newChild, startFailure, wipe } from './child.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { type Ended, type ExplainFailure, endOfChild, type Failure } from './failure.ts';
import { OnNeed } from './on-need.ts';
import { withRuntime } from './runtime-link.ts';

/** A connection method: how to start one kind of child. */
export interface Method {
  /** Whether the link crosses a network, where bytes are dear. */
  isFar?: boolean;
  /** Starts a child. Throws a TypeError for options it cannot take. Secrets in the options are overwritten when it is up, or gone. */
  start(order: ConnectOrder, config: ChildConfig, hop: Hop): ChildLink;
}

/** Time given up between the end of a link and the kill of a process that does not go. */
const LINGER_MS = 700;

/** Time for the master to send what explains a failure. */
const EXPLAIN_MS = 2000;

/** A child whose target has no Node. */
export interface Needy {
  order: ConnectOrder;
  /** As {@link Method.isFar}. */
  isFar: boolean;
  link: ChildLink;
  /** Something has moved: the time for the connection begins again. */
  onProgress(): void;
  /** Goes on with the Node that is there now. */
  ready(node: string, rest: Buffer): void;
  fail(failure: Failure): void;
}

/** What provides targets with a Node. */
export interface Provider {
  /** What gets at the Node of a process on the target of an order, as `known` of a search. */
  find(order: ConnectOrder): string | undefined;
  /** Provides a target, and tells the child what comes of it. */
  provide(needy: Needy): void;
}

const UNKNOWN: ExitStatus = { exitCode: null, signal: null };

/** Starts and ends the children of one hop. */
export class Connector implements ParentLayer {
  readonly #hop: Hop;
  readonly #children: Map<ContextId, Child> = new Map();
  /** What makes errors of failures, and what provides targets with a Node. */
  readonly failures: OnNeed<ExplainFailure>;
  readonly provision: OnNeed<Provider>;

  constructor(hop: Hop) {
    this.#hop = hop;
    this.failures = new OnNeed(hop, 'failures');
    this.provision = new OnNeed(hop, 'provision');
  }

  connect(frame: Buffer): void {
    const order = unpackOrder(dataOf(frame));
    const { router } = this.#hop;
    const method = this.#methodOf(order);
    const config = configFor(order, method && method.isFar, this.#hop.config);
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
      const reason = startFailure(error, order.name);
      router.refuse(frame, toReason(reason));
      router.remove(stream, reason);
      return;
    }
    this.#adopt(frame, order, stream, link, config);
  }

  #start(order: ConnectOrder, config: ChildConfig, method: Method): ChildLink {
    const { runtime = 'auto' } = order.options;
    const provider = this.provision.part;
    order.search = { mode: runtime, known: provider && provider.find(order) };
    const link = method.start(order, config, this.#hop);
    if (runtime === 'never') return link;
    const again = (): ChildLink => {
      order.search = { mode: 'push' };
      return method.start(order, config, this.#hop);
    };
    return withRuntime(link, again, (needing, ready) => {
      const child = this.#children.get(order.id) as Child;
      child.progress.stage = 'push';
      const needy: Needy = {
        order,
        isFar: method.isFar === true,
        link: needing,
        onProgress: () => child.pending && !child.isSettled && this.#startTimer(child),
        ready,
        fail: (error) => !child.isSettled && this.#giveUp(child, undefined, error as Failure & Error),
      };
      this.provision.use((part) => part.provide(needy));
    });
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
    const child = newChild(frame, order, stream, link, this.#hop);
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
    const explain = (failure: ExplainFailure): void => {
      clock.clearTimeout(timer);
      tell(failure(ended));
    };
    const timer = clock.setTimeout(() => {
      if (this.failures.leave(explain)) tell(mitosError('ERR_MITOS_TRANSPORT_EXIT', `Cannot connect "${name}" via ${method}`));
    }, EXPLAIN_MS);
    this.failures.use(explain);
  }
}
