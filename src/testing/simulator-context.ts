import { Dispatcher } from '../core/dispatcher.ts';
import { Endpoint } from '../core/endpoint.ts';
import { type MitosError, mitosError } from '../core/errors.ts';
import { ALLOCATE, HELLO } from '../core/handles.ts';
import type { Limits } from '../core/limits.ts';
import '../core/whole.ts';
import { LiveValues } from '../core/live.ts';
import { toReason } from '../core/reason.ts';
import { Router, type RouterHooks, type TreeNotice } from '../core/router.ts';
import { type KeepAlive, Stream } from '../core/stream.ts';
import { CONTROL, type ContextId, HEADER, jsonFrame, jsonOf } from '../core/wire.ts';
import type { SimulatedLink } from './simulator-link.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A function that can be called in a simulated context. */
export type SimulatedFunction = (this: SimulatedContext, ...args: never[]) => unknown;

/** What a context needs of its simulation. @internal */
export interface ContextWorld {
  readonly clock: VirtualClock;
  readonly limits: Limits;
  readonly keepAlive: KeepAlive;
  readonly isUnidirectional: boolean;
  readonly functions: ReadonlyMap<string, SimulatedFunction>;
  /** Milliseconds that something takes, such as starting a process. */
  draw(maxMs: number): number;
  /** Makes the child that an order names; undefined when the order is none of the simulation's. */
  createChild(parent: SimulatedContext, id: ContextId): { child: SimulatedContext; link: SimulatedLink } | undefined;
  /** Sees every frame that comes in over a link, after it was routed. */
  onRouted(at: SimulatedContext, stream: Stream, frame: Buffer): void;
  /** Sees every frame that is put on a link. */
  onSent(at: SimulatedContext, stream: Stream, frame: Buffer): void;
  onDead(context: SimulatedContext): void;
}

interface Child {
  stream: Stream;
  link: SimulatedLink;
  order: Buffer | undefined;
}

/** A context of a simulation: the parts of a real one without a process. */
export class SimulatedContext {
  readonly id: ContextId;
  readonly name: string;
  readonly parent: SimulatedContext | undefined;
  readonly router: Router;
  readonly endpoint: Endpoint;
  readonly live: LiveValues;
  readonly dispatcher: Dispatcher;
  /** Settles once the context is up; rejects when it never will be. */
  ready: Promise<unknown> = Promise.resolve();
  /** The link to the parent. */
  link: SimulatedLink | undefined;
  isDead = false;
  /** Notices of its router, newest last. */
  readonly notices: TreeNotice[] = [];
  /** The frame from a link that is being routed. @internal */
  routing: { stream: Stream; frame: Buffer } | undefined;
  readonly #world: ContextWorld;
  readonly #children: Map<ContextId, Child> = new Map();
  #ids = { next: 0, end: 0 };
  #onGrant: (start: ContextId, count: number) => void = () => {};

  constructor(world: ContextWorld, id: ContextId, parent: SimulatedContext | undefined) {
    this.#world = world;
    this.id = id;
    this.parent = parent;
    this.name = parent ? `${parent.name}.${id}` : 'master';
    const { limits } = world;
    this.router = new Router(id, limits, world.isUnidirectional, this.#hooks());
    this.endpoint = new Endpoint(id, this.#ancestors(), limits, (frame) => {
      if (!this.isDead) this.router.route(frame, undefined);
    });
    this.live = new LiveValues(this.endpoint);
    this.endpoint.onTree = (notice) => this.#onTree(notice);
    this.dispatcher = new Dispatcher(this.endpoint, this.live, { resolveRef: (ref) => this.#resolve(ref) });
  }

  /** Whether it can act: it has begun and not ended. */
  get isUp(): boolean {
    return !this.isDead && (this.parent === undefined || this.router.parent !== undefined);
  }

  /** Whether this context is `other` or stands above it. */
  isAbove(other: SimulatedContext): boolean {
    for (let at: SimulatedContext | undefined = other; at; at = at.parent) if (at === this) return true;
    return false;
  }

  /** Links to children that are in use. */
  get links(): SimulatedLink[] {
    return [...this.#children.values()].map((child) => child.link);
  }

  /** Ends the context at once, as SIGKILL does: nothing is sent any more, its links close. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    const reason = mitosError('ERR_MITOS_SHUTDOWN', 'killed');
    for (const { stream } of this.#children.values()) stream.close(reason);
    this.router.parent?.close(reason);
    this.#world.onDead(this);
  }

  /** An id for a context that this one starts: from the block of the master, asked for when there is none. */
  allocateId(): Promise<ContextId> {
    if (this.#ids.next < this.#ids.end) return Promise.resolve(this.#ids.next++);
    return new Promise((resolve, reject) => {
      this.#onGrant = (start, count) => {
        this.#ids = { next: start + 1, end: start + count };
        resolve(start);
      };
      const replyTo = this.endpoint.expect(0, { onReply: () => {}, onDead: reject });
      this.endpoint.sendJson(0, ALLOCATE, replyTo, {}, CONTROL);
    });
  }

  /** Puts the link to the parent into use, and greets. @internal */
  attachParent(link: SimulatedLink, parentId: ContextId): void {
    this.link = link;
    const stream = this.#createStream(parentId, 'parent', (closed, reason) => this.router.remove(closed, reason));
    this.router.parent = stream;
    stream.attach(link.lower);
    link.lower.resume();
    stream.startKeepAlive();
    stream.send(jsonFrame(CONTROL, parentId, this.id, HELLO, 0, { v: 1 }));
  }

  #ancestors(): ContextId[] {
    const ids: ContextId[] = [];
    for (let at = this.parent; at; at = at.parent) ids.push(at.id);
    return ids;
  }

  #hooks(): RouterHooks {
    return {
      deliver: (frame) => {
        if (!this.isDead) this.endpoint.receive(frame);
      },
      onHello: (stream) => this.#onHello(stream),
      onConnect: (frame) => this.#onConnect(frame),
      onShutdown: (frame, id) => {
        const child = this.#children.get(id);
        if (child) child.stream.close(mitosError('ERR_MITOS_SHUTDOWN', `"${child.stream.name}" was shut down`));
        else if (id === this.id) this.#world.clock.setTimeout(() => this.kill(), 0);
        this.router.reply(frame);
      },
      onBundle: (frame) => this.router.reply(frame),
      onFlush: (frame) => this.router.reply(frame),
      onOrphan: () => {
        if (!this.isDead) this.#world.clock.setTimeout(() => this.kill(), this.#world.draw(500));
      },
    };
  }

  #createStream(peerId: ContextId, name: string, onClose: (stream: Stream, reason: MitosError) => void): Stream {
    const { clock, keepAlive } = this.#world;
    const onFrame = (from: Stream, frame: Buffer): void => {
      if (this.isDead) return;
      const outer = this.routing;
      this.routing = { stream: from, frame };
      this.router.route(frame, from);
      this.routing = outer;
      this.#world.onRouted(this, from, frame);
    };
    const stream = new Stream({ peerId, selfId: this.id, name, clock, keepAlive, onFrame, onClose });
    const send = stream.send.bind(stream);
    stream.send = (frame) => {
      this.#world.onSent(this, stream, frame);
      send(frame);
    };
    return stream;
  }

  #onConnect(frame: Buffer): void {
    const { id } = jsonOf(frame) as { id: ContextId };
    const made = this.#world.createChild(this, id);
    if (!made) {
      this.router.refuse(frame, { code: 'ERR_MITOS_PROTOCOL', message: `Nobody asked for context ${id}` });
      return;
    }
    const { child, link } = made;
    const stream = this.#createStream(id, child.name, (_closed, reason) => this.#onChildLost(id, reason));
    this.#children.set(id, { stream, link, order: frame });
    this.router.addChild(stream);
    stream.attach(link.upper);
    this.#world.clock.setTimeout(() => {
      if (!child.isDead) child.attachParent(link, this.id);
    }, this.#world.draw(100));
  }

  #onHello(stream: Stream): void {
    const child = this.#children.get(stream.peerId);
    if (!child?.order || child.stream !== stream) return;
    const { order } = child;
    child.order = undefined;
    stream.startKeepAlive();
    this.router.announceArrival(stream.peerId, { parent: this.id });
    this.router.reply(order, {});
  }

  /** As in a real hop, some time passes until it is known how the child ended. */
  #onChildLost(id: ContextId, reason: MitosError): void {
    this.#world.clock.setTimeout(() => {
      const child = this.#children.get(id);
      if (!child || this.isDead) return;
      this.#children.delete(id);
      if (child.order) this.router.refuse(child.order, toReason(reason));
      this.router.remove(child.stream, reason);
    }, this.#world.draw(50));
  }

  #onTree(notice: TreeNotice): void {
    this.notices.push(notice);
    if (notice.kind === 'grant') this.#onGrant(notice.start, notice.count);
    if (notice.kind !== 'gone') return;
    const { code, message } = notice.reason;
    this.live.onGone(notice, mitosError(code, message));
  }

  /** `name` is there at once; `name@ms` takes so long to come, as modules do. */
  #resolve(ref: string): unknown {
    const [name, ms] = ref.split('@') as [string, string | undefined];
    const fn = this.#world.functions.get(name);
    if (!fn) throw mitosError('ERR_MITOS_NOT_CALLABLE', `No function ${name}`);
    const bound = fn.bind(this);
    if (ms === undefined) return bound;
    return new Promise((resolve) => this.#world.clock.setTimeout(() => resolve(bound), Number(ms)));
  }
}

/** A CALL message as the api layer makes it. */
export function encodeCall(from: SimulatedContext, dst: ContextId, head: string, args: readonly unknown[]): Buffer {
  const message = from.live.encode(args, 'args', dst, 2 + head.length);
  message.writeUInt16BE(head.length, HEADER);
  message.write(head, HEADER + 2);
  return message;
}
