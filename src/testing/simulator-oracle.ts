import { BULK_CREDIT, FIRST_MAILBOX, FIRST_REPLY } from '../core/handles.ts';
import { FIRST_PAGED_ID, PAGE } from '../core/route-table.ts';
import type { Stream } from '../core/stream.ts';
import { authOf, type ContextId, dstOf, handleOf, srcOf } from '../core/wire.ts';
import type { SimulatedContext } from './simulator-context.ts';

/**
 * Watches every frame of a simulation for what must never happen, knowing the true tree and not what the routers believe:
 * a frame whose source or authority is not behind the link it came in by, and one that crosses between branches that were
 * not joined.
 */
export class Oracle {
  /** What went wrong, in words. */
  readonly problems: string[] = [];
  /** Frames looked at. */
  frames = 0;
  /** Most bytes that ever waited for one link. */
  maxQueuedBytes = 0;
  readonly #contexts: ReadonlyMap<ContextId, SimulatedContext>;
  /** Who may order whom across: `from>to`; with only its own authority: `from~to`. */
  readonly #joined: Set<string> = new Set();
  /** Who a page of ids was given to. */
  readonly #pages: Map<number, SimulatedContext> = new Map();
  readonly #isUnidirectional: boolean;

  constructor(contexts: ReadonlyMap<ContextId, SimulatedContext>, isUnidirectional: boolean) {
    this.#contexts = contexts;
    this.#isUnidirectional = isUnidirectional;
  }

  /** `from` may talk to `to` from now on; with `own` as itself only. */
  join(from: ContextId, to: ContextId, own: boolean): void {
    this.#joined.add(`${from}${own ? '~' : '>'}${to}`);
  }

  /** A page was given to `context`. */
  grantPage(start: ContextId, context: SimulatedContext): void {
    this.#pages.set(start / PAGE, context);
  }

  /** Whether `src` may send to `handle` of `dst`. */
  mayTalk(src: ContextId, dst: ContextId, handle: number): boolean {
    const from = this.#contexts.get(src);
    const to = this.#contexts.get(dst);
    if (from && to && (from.isAbove(to) || to.isAbove(from))) return true;
    if (handle < FIRST_MAILBOX) return false;
    if (!this.#isUnidirectional || this.#has(src, dst)) return true;
    return (handle >= FIRST_REPLY || handle === BULK_CREDIT) && this.#has(dst, src);
  }

  /** After a frame from a child was routed: it is stamped now. */
  checkStamp(at: SimulatedContext, stream: Stream, frame: Buffer): void {
    this.frames++;
    if (stream.peerId === at.parent?.id) return;
    const child = this.#contexts.get(stream.peerId);
    const src = srcOf(frame);
    if (at.router.routes.lookup(src) !== stream) return; // dropped
    const auth = authOf(frame);
    if (!child || !this.#isWithin(src, child)) this.problems.push(`${at.name} took a frame from ${stream.name} as one of ${src}`);
    if (auth !== src && !this.#joined.has(`${src}>${dstOf(frame)}`)) {
      this.problems.push(`${at.name} took a frame of ${src} for ${dstOf(frame)} on the authority of ${auth}`);
    }
  }

  /** When a frame is put on a link: what came from one child and goes to another needs a right to. */
  checkCrossing(at: SimulatedContext, to: Stream, frame: Buffer): void {
    this.maxQueuedBytes = Math.max(this.maxQueuedBytes, to.queuedBytes);
    const { routing } = at;
    if (!routing || routing.frame !== frame) return;
    const { parent } = at.router;
    if (routing.stream === parent || to === parent) return;
    if (routing.stream === to || !this.mayTalk(srcOf(frame), dstOf(frame), handleOf(frame))) {
      this.problems.push(`${at.name} let ${srcOf(frame)} talk to handle ${handleOf(frame)} of ${dstOf(frame)}`);
    }
  }

  #has(from: ContextId, to: ContextId): boolean {
    return this.#joined.has(`${from}>${to}`) || this.#joined.has(`${from}~${to}`);
  }

  #isWithin(id: ContextId, child: SimulatedContext): boolean {
    const context = this.#contexts.get(id) ?? (id >= FIRST_PAGED_ID ? this.#pages.get(Math.floor(id / PAGE)) : undefined);
    return context !== undefined && child.isAbove(context);
  }
}
