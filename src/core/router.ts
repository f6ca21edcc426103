/**
 * The hop: decides where a frame goes, stamps who it comes from, and tells everybody concerned when a context is gone.
 * It reads headers only. Sans-I/O: bytes live in {@link Stream}, time in its clock.
 *
 * Trust: what comes from the parent (or from the context itself) is believed; what comes from a child must be from an id
 * that was granted to that child, carries no authority but its own, and may only go to this line, or where the
 * {@link Policy} of this hop has opened a way.
 */
import { type MitosError, mitosError } from './errors.ts';
import * as handles from './handles.ts';
import type { Limits } from './limits.ts';
import { Policy } from './policy.ts';
import { fromReason, type Reason, shortReason, toReason } from './reason.ts';
import { FIRST_PAGED_ID, type IdSet, PAGE, RouteTable } from './route-table.ts';
import type { Stream, StreamStats } from './stream.ts';
import {
  CONTROL,
  type ContextId,
  DEAD,
  dstOf,
  FRAGMENT,
  HEADER,
  handleOf,
  jsonFrame,
  jsonOf,
  MAX_FRAME_DATA,
  makeFrame,
  replyToOf,
  srcOf,
} from './wire.ts';

/** Where a frame came in: a link, or the context's own endpoint. */
export type Ingress = Stream | undefined;

/** What a router asks of the process around it. */
export interface RouterHooks {
  /** Hands a frame to the endpoint of this context. */
  deliver(frame: Buffer): void;
  /** A neighbour greets. */
  onHello(stream: Stream, data: unknown): void;
  /** Start a child; answer with {@link Router.reply} or {@link Router.refuse}. */
  onConnect(frame: Buffer): void;
  /** End child `id` (or this context, when `id` is its own). */
  onShutdown(frame: Buffer, id: ContextId, graceMs: number): void;
  /** One of the master's bundles has come. */
  onBundle(frame: Buffer): void;
  /** Everything that this context wanted to say has been handed over; call back when it is written. */
  onFlush(frame: Buffer): void;
  /** The link to the parent is gone. */
  onOrphan(reason: MitosError): void;
  /** Handlers that bundles have added, by handle. */
  readonly extensions?: ReadonlyMap<number, RouterExtension>;
}

/**
 * Takes the frames of a handle of routers that only some hops know. `from` is the neighbour that it came from, `isTrusted` whether it came from
 * above (or from the context itself); what comes from below is from a child itself, not from behind it.
 */
export type RouterExtension = (frame: Buffer, from: Ingress, isTrusted: boolean) => void;

/** A change in the tree, as a router tells it to its endpoint. */
export type TreeNotice =
  | { kind: 'gone'; ids: ContextId[]; pages: number[]; reason: Reason }
  | { kind: 'arrived'; id: ContextId; about: unknown }
  | { kind: 'grant'; start: ContextId; count: number };

/** Most reasons kept for contexts that are gone. */
const MAX_TOMBSTONES = 256;
/** Most ids in one notice: it has to fit into a frame. */
const MAX_GONE_IDS = 1000;

/** Routes the frames of one context. */
export class Router {
  readonly id: ContextId;
  readonly isUnidirectional: boolean;
  parent: Stream | undefined;
  /** Set when the context is being shut down. */
  isEnding = false;
  /** Links to children, by id. A stream is removed before anybody is told that it is gone. */
  readonly children: Map<ContextId, Stream> = new Map();
  readonly routes: RouteTable = new RouteTable();
  readonly limits: Limits;
  readonly #policy: Policy = new Policy();
  readonly #hooks: RouterHooks;
  readonly #tombstones: Map<ContextId, Reason> = new Map();
  readonly #pagesTaken: Map<ContextId, number> = new Map();
  #nextPage: number = FIRST_PAGED_ID / PAGE;

  constructor(id: ContextId, limits: Limits, isUnidirectional: boolean, hooks: RouterHooks) {
    this.id = id;
    this.limits = limits;
    this.isUnidirectional = isUnidirectional;
    this.#hooks = hooks;
  }

  /** Puts a child's link into use; its own id is granted to it. */
  addChild(stream: Stream): void {
    this.children.set(stream.peerId, stream);
    this.routes.grant(stream.peerId, 1, stream);
  }

  /**
   * Takes a frame from a link (or, with no `from`, from this context's endpoint) and sends it on or consumes it.
   * Frames from one place to another stay in order within a priority. Never throws for what a peer sent.
   */
  route(frame: Buffer, from: Ingress): void {
    if (from && from !== this.parent) {
      const src = srcOf(frame);
      // Forged, or late: from behind the child, by a context that is gone. Not to be taken for a word of the child itself.
      if (this.routes.lookup(src) !== from) return;
      frame.writeUInt32BE(src, 12);
    }
    const dst = dstOf(frame);
    if (dst === this.id) {
      if (handleOf(frame) < handles.FIRST_MAILBOX) this.#control(frame, from);
      else this.#hooks.deliver(frame);
      return;
    }
    const child = this.routes.lookup(dst);
    const reason = child ? undefined : this.#tombstones.get(dst) || this.#tombstones.get(pageKey(dst));
    if (child && child !== from) {
      if (this.#mayPass(frame, from)) this.#pass(frame, child);
    } else if (!child && !reason && this.parent && from !== this.parent) {
      this.#pass(frame, this.parent);
    } else {
      this.refuse(frame, reason || { code: 'ERR_MITOS_NO_ROUTE', message: `No context ${dst} in this tree` });
    }
  }

  /** Answers a frame with JSON, or with nothing but the answer itself. */
  reply(frame: Buffer, value?: unknown): void {
    this.#answer(frame, CONTROL, value);
  }

  /**
   * Answers a frame with the reason why it cannot be served. Silent when nobody waits. The credit that a fragment used is
   * given back, so that what waits behind it gets its answer too.
   */
  refuse(frame: Buffer, reason: Reason): void {
    if ((frame[2] as number) & FRAGMENT) {
      const data = Buffer.alloc(4);
      data.writeUInt32BE(frame.length - HEADER, 0);
      this.route(makeFrame(CONTROL, srcOf(frame), dstOf(frame), handles.BULK_CREDIT, 0, data), undefined);
    }
    this.#answer(frame, CONTROL | DEAD, reason);
  }

  /** Takes a link out of use; everything behind it is gone, and everybody concerned is told. */
  remove(stream: Stream, reason: MitosError): void {
    if (stream === this.parent) {
      this.parent = undefined;
      this.#hooks.onOrphan(reason);
      return;
    }
    if (this.children.get(stream.peerId) === stream) this.children.delete(stream.peerId);
    this.#pagesTaken.delete(stream.peerId);
    this.#announceGone(this.routes.revokeAll(stream), toReason(reason));
  }

  /** Tells this context and all above it that child `id` is up. */
  announceArrival(id: ContextId, about: unknown): void {
    this.#tell({ kind: 'arrived', id, about });
    this.#toParent(handles.ARRIVED, { id, about });
  }

  #answer(frame: Buffer, flags: number, value: unknown): void {
    const replyTo = replyToOf(frame);
    if (!replyTo || (frame[2] as number) & DEAD) return;
    const answer = jsonFrame(flags, srcOf(frame), dstOf(frame), replyTo, 0, value === undefined ? null : value);
    if (answer.length <= HEADER + MAX_FRAME_DATA || srcOf(frame) === this.id) this.route(answer, undefined);
    else if (flags & DEAD) this.#answer(frame, flags, shortReason(value as Reason));
    else this.refuse(frame, { code: 'ERR_MITOS_TOO_LARGE', message: `The answer of context ${this.id} does not fit into a frame` });
  }

  /** Whether a frame from a child may cross to another one. Routers take orders from their own line only, whatever is open. */
  #mayPass(frame: Buffer, from: Ingress): boolean {
    if (!from || from === this.parent) return true;
    if (handleOf(frame) >= handles.FIRST_MAILBOX) {
      const auth = this.#policy.authority(srcOf(frame), dstOf(frame), handleOf(frame));
      if (auth !== undefined) frame.writeUInt32BE(auth, 12);
      if (auth !== undefined || !this.isUnidirectional) return true;
    }
    this.refuse(frame, {
      code: 'ERR_MITOS_POLICY',
      message: `Context ${srcOf(frame)} may not talk to context ${dstOf(frame)}`,
      hint: 'hand it a Context, Sender or Receiver of that context, or set unidirectional: false',
    });
    return false;
  }

  #pass(frame: Buffer, to: Stream): void {
    if (to.queuedBytes > this.limits.maxHeldBytes) {
      this.refuse(frame, {
        code: 'ERR_MITOS_LIMIT',
        message: `"${to.name}" does not read: ${to.queuedBytes} bytes wait for it (maxHeldBytes)`,
      });
    } else {
      to.send(frame);
    }
  }

  #control(frame: Buffer, from: Ingress): void {
    const isTrusted = !from || from === this.parent;
    if (from && !isTrusted && srcOf(frame) !== from.peerId && handleOf(frame) !== handles.ALLOCATE) {
      // News and wishes go from neighbour to neighbour: what comes from further below is not vouched for by the child between.
      this.#noAuthority(frame);
      return;
    }
    const extension = this.#hooks.extensions?.get(handleOf(frame));
    if (extension) return extension(frame, from, isTrusted);
    const data = jsonOf(frame) as Record<string, number> | undefined;
    switch (handleOf(frame)) {
      case handles.HELLO:
        if (from) this.#hooks.onHello(from, data);
        return;
      case handles.ARRIVED:
        if (from && !isTrusted) this.#onArrived(data, from);
        return;
      case handles.GONE:
        if (from && !isTrusted) this.#onGone(data as unknown as IdSet & { reason: Reason }, from);
        return;
      case handles.OPEN:
        this.#onOpen(frame, data, from);
        return;
      case handles.ALLOCATE:
        if (from && !this.id) this.#onAllocate(frame, from);
        return;
    }
    if (isTrusted) this.#order(frame, data || {});
    else this.#noAuthority(frame);
  }

  #noAuthority(frame: Buffer): void {
    this.refuse(frame, { code: 'ERR_MITOS_POLICY', message: `Context ${srcOf(frame)} has no authority over context ${this.id}` });
  }

  /** Orders that only an ancestor (or the context itself) may give. */
  #order(frame: Buffer, data: Record<string, number>): void {
    switch (handleOf(frame)) {
      case handles.GRANT:
        return this.#onGrant(frame, data);
      case handles.CONNECT:
        return this.#hooks.onConnect(frame);
      case handles.SHUTDOWN:
        return this.#hooks.onShutdown(frame, data['id'] ?? this.id, data['graceMs'] ?? 500);
      case handles.BUNDLE:
        return this.#hooks.onBundle(frame);
      case handles.FLUSH:
        return this.#hooks.onFlush(frame);
      case handles.STATS:
        return this.reply(frame, this.stats());
      default:
        this.refuse(frame, { code: 'ERR_MITOS_PROTOCOL', message: `Context ${this.id} knows no control handle ${handleOf(frame)}` });
    }
  }

  /** Number of routes, of pairs that may talk, and of children that were given ids. */
  get size(): number {
    return this.routes.size + this.#policy.size + this.#pagesTaken.size;
  }

  /** Counters of every link, with the id of the neighbour. */
  stats(): (StreamStats & { id: ContextId; queuedBytes: number })[] {
    const streams = [...this.children.values()];
    if (this.parent) streams.unshift(this.parent);
    return streams.map((stream) => ({ id: stream.peerId, queuedBytes: stream.queuedBytes, ...stream.stats }));
  }

  #onGrant(frame: Buffer, data: Record<string, number>): void {
    const { start, count, via } = data as { start: number; count: number; via: number };
    if (via === this.id) {
      if (count > 1) this.#tell({ kind: 'grant', start, count });
      return;
    }
    const child = this.routes.lookup(via);
    if (!child) {
      this.refuse(frame, { code: 'ERR_MITOS_NO_ROUTE', message: `No context ${via} in this tree` });
      return;
    }
    this.routes.grant(start, count, child);
    child.send(jsonFrame(CONTROL, child.peerId, this.id, handles.GRANT, 0, data));
  }

  #onAllocate(frame: Buffer, from: Stream): void {
    const taken = (this.#pagesTaken.get(from.peerId) || 0) + 1;
    if (taken * PAGE > this.limits.maxIdsPerChild) {
      this.refuse(frame, {
        code: 'ERR_MITOS_LIMIT',
        message: `"${from.name}" has used up its ${this.limits.maxIdsPerChild} context ids (maxIdsPerChild)`,
      });
      return;
    }
    this.#pagesTaken.set(from.peerId, taken);
    const start = this.#nextPage++ * PAGE;
    this.#onGrant(frame, { start, count: PAGE, via: srcOf(frame) });
  }

  #onOpen(frame: Buffer, data: Record<string, number> | undefined, from: Ingress): void {
    const a = Number(data?.['from']);
    const b = Number(data?.['to']);
    const toA = this.routes.lookup(a);
    const toB = this.routes.lookup(b);
    const src = srcOf(frame);
    if (!from && !toA && (toB || b === this.id)) {
      // Only who stands above both can open the way.
      this.#toParent(handles.OPEN, data);
    } else if (!from || from === this.parent) {
      if (!toA || !toB) return;
      if (toA === toB) toA.send(jsonFrame(CONTROL, toA.peerId, this.id, handles.OPEN, 0, data));
      else this.#policy.open(a, b, data?.['own'] ? a : src);
    } else if (toB === from) {
      // The child vouches for who of those behind it wants this.
      const by = Number(data?.['by'] ?? src);
      if (this.routes.lookup(by) !== from) return;
      if (!toA && this.parent) {
        this.#pass(jsonFrame(CONTROL, this.parent.peerId, this.id, handles.OPEN, 0, Object.assign({}, data, { by })), this.parent);
      } else if (toA && toA !== from && this.#policy.authority(by, a, handles.FIRST_REPLY) !== undefined) {
        this.#policy.open(a, b, data?.['own'] ? a : by);
      }
    }
  }

  #onArrived(data: Record<string, unknown> | undefined, from: Stream): void {
    const id = Number(data?.['id']);
    if (this.routes.lookup(id) === from) this.announceArrival(id, data?.['about']);
    else from.close(mitosError('ERR_MITOS_PROTOCOL', `Lost "${from.name}": it announced context ${id}, which was not granted to it`));
  }

  #onGone(data: (IdSet & { reason: Reason }) | undefined, from: Stream): void {
    if (!data || !Array.isArray(data.ids) || !Array.isArray(data.pages)) return;
    const ids = data.ids.filter((id) => id !== from.peerId);
    this.#announceGone(this.routes.revoke({ ids, pages: data.pages }, from), toReason(fromReason(data.reason)));
  }

  #announceGone(set: IdSet, why: Reason): void {
    const reason = shortReason(why);
    while (set.ids.length > MAX_GONE_IDS) this.#announceGone({ ids: set.ids.splice(0, MAX_GONE_IDS), pages: [] }, reason);
    if (!set.ids.length && !set.pages.length) return;
    for (const key of set.ids.concat(set.pages.map((page) => pageKey(page * PAGE)))) this.#tombstones.set(key, reason);
    for (const id of this.#tombstones.keys()) {
      if (this.#tombstones.size <= MAX_TOMBSTONES) break;
      this.#tombstones.delete(id);
    }
    const notice: TreeNotice = { kind: 'gone', ids: set.ids, pages: set.pages, reason };
    this.#tell(notice);
    // The end of this context says the same of all behind it, in a moment.
    if (!this.isEnding) this.#toParent(handles.GONE, { ids: set.ids, pages: set.pages, reason });
    for (const id of new Set(this.#policy.forget(set))) {
      this.routes.lookup(id)?.send(jsonFrame(CONTROL, id, this.id, handles.TREE, 0, notice));
    }
  }

  #tell(notice: TreeNotice): void {
    this.#hooks.deliver(jsonFrame(CONTROL, this.id, this.id, handles.TREE, 0, notice));
  }

  #toParent(handle: number, value: unknown): void {
    if (this.parent) this.parent.send(jsonFrame(CONTROL, this.parent.peerId, this.id, handle, 0, value));
  }
}

/** Where the reason for a whole page is kept, among those for ids. */
function pageKey(id: ContextId): number {
  return id < FIRST_PAGED_ID ? NaN : -Math.floor(id / PAGE);
}
