/**
 * Modules on their way through a hop. What comes from above for a context behind it is kept here and passed on, as far as the next link has not carried it;
 * the last hop gives it to the context itself. What children ask for, the hop answers from what it knows, and asks the one above for the rest: once
 * for all who ask the same, and never twice for what has an answer that stays.
 *
 * Only what comes from above, or from this context for those below it, is kept: a child can neither change what its siblings get, nor have anything
 * that the master would not serve it.
 */
import { GET_MODULE, RELAY } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import type { ModuleQuery } from '../core/importer.ts';
import { Parts, unpackModules } from '../core/module-batch.ts';
import type { Batch } from '../core/module-pack.ts';
import { fromReason, type Reason, toReason } from '../core/reason.ts';
import { fromRanges, type RelayHead, readRelayMessage } from '../core/relay-message.ts';
import type { Stream } from '../core/stream.ts';
import { type ContextId, DEAD, dstOf, HEADER, jsonFrame, jsonOf, MASTER, NORMAL, replyToOf, srcOf, writeHeader } from '../core/wire.ts';
import { type Answer, RelayLink } from './relay-link.ts';
import { RelayStore } from './relay-store.ts';

/** Questions that one child may ask, as with the master. */
const MAX_QUESTIONS = 20000;
/** Answers that are kept. */
const MAX_ANSWERS = 2000;
/** A longer question is passed on as it is. */
const MAX_QUESTION_BYTES = 4096;

/** The part of a hop that keeps modules. */
export class Relay {
  readonly #hop: Hop;
  readonly #store: RelayStore;
  readonly #parts: Parts = new Parts();
  readonly #loadParts: Parts = new Parts();
  /** What this context itself was given. */
  readonly #self: RelayLink;
  readonly #links: WeakMap<Stream, RelayLink> = new WeakMap();
  /** Answers that stay, by question. */
  readonly #answers: Map<string, Answer> = new Map();
  /** Questions under way, with the frames of those who wait for the answer. */
  readonly #asked: Map<string, Buffer[]> = new Map();

  constructor(hop: Hop) {
    this.#hop = hop;
    this.#store = new RelayStore(hop.config.limits.maxModuleBytes);
    this.#self = new RelayLink(hop.config.id, (handle, message) => hop.host.deliver(this.#addressed(hop.config.id, handle, message)));
    hop.extensions.set(RELAY, (frame, _from, isTrusted) => this.#onFrame(frame, isTrusted));
    hop.extensions.set(GET_MODULE, (frame, from) => this.#onQuestion(frame, from as Stream));
  }

  /** Bytes that are kept, and questions under way. */
  get stats(): { bytes: number; questions: number; answers: number } {
    return { bytes: this.#store.bytes, questions: this.#asked.size, answers: this.#answers.size };
  }

  #addressed(dst: ContextId, handle: number, message: Buffer): Buffer {
    return writeHeader(message, NORMAL, dst, MASTER, handle, 0);
  }

  #linkTo(stream: Stream): RelayLink {
    let link = this.#links.get(stream);
    if (!link) {
      const { peerId } = stream;
      link = new RelayLink(peerId, (handle, message) => this.#hop.router.route(this.#addressed(peerId, handle, message), undefined));
      this.#links.set(stream, link);
    }
    return link;
  }

  /** Takes over what this context, and those behind it, were sent without its doing. */
  #takeLoads(): void {
    for (const frame of this.#hop.loads.splice(0)) {
      const data = this.#loadParts.add(frame);
      if (!data) continue;
      try {
        const ids = unpackModules(data, Infinity).map(({ id }) => id);
        const dst = dstOf(frame);
        const stream = this.#hop.router.routes.lookup(dst);
        this.#store.add(ids, data);
        (stream ? this.#linkTo(stream) : this.#self).has(ids, dst);
      } catch {
        // The context has found that out too, and asks again.
      }
    }
  }

  /** What is not here is asked for; who needs it asks too, and waits for the same answer. */
  readonly #find = (ids: readonly number[]): readonly Batch[] => {
    const missing: number[] = [];
    const found = this.#store.find(ids, missing);
    for (const id of missing) this.#ask({ id } as ModuleQuery);
    return found;
  };

  #pass(to: ContextId, ids: readonly number[]): void {
    const stream = this.#hop.router.routes.lookup(to);
    if (stream) this.#linkTo(stream).pass(to, ids, this.#find);
    else if (to === this.#hop.config.id) this.#self.pass(to, ids, this.#find);
  }

  #onFrame(frame: Buffer, isTrusted: boolean): void {
    if (!isTrusted) {
      const message = `Context ${srcOf(frame)} has no authority over context ${this.#hop.config.id}`;
      this.#hop.router.refuse(frame, { code: 'ERR_MITOS_POLICY', message });
    } else if ((frame[2] as number) & DEAD) {
      this.#onRefused(toReason(fromReason(jsonOf(frame))));
    } else {
      const message = this.#parts.add(frame);
      if (message) this.#onMessage(message);
    }
  }

  #onMessage(message: Buffer): void {
    this.#takeLoads();
    const { head, batch } = readRelayMessage(message);
    const own = fromRanges(head.own);
    if (own.length) this.#store.add(own, batch);
    if (head.to !== undefined) this.#pass(head.to, own.concat(fromRanges(head.ids)));
    if (head.re) this.#onAnswer(head.re, head, own);
  }

  // ---- questions ----------------------------------------------------------------------------------------------------------------------

  #onQuestion(frame: Buffer, from: Stream): void {
    const { router } = this.#hop;
    const query = frame.length < HEADER + MAX_QUESTION_BYTES && (jsonOf(frame) as ModuleQuery | undefined);
    const link = this.#linkTo(from);
    if (srcOf(frame) !== from.peerId || typeof query !== 'object' || !query) {
      if (router.parent) router.parent.send(frame);
    } else if (++link.questions > MAX_QUESTIONS) {
      const message = `Context ${from.peerId} has asked for modules too often (${MAX_QUESTIONS} times)`;
      router.refuse(frame, { code: 'ERR_MITOS_LIMIT', message });
    } else {
      this.#takeLoads();
      const known = this.#known(query, link);
      if (known) this.#answer(frame, known.ids, false, known);
      else this.#ask(query, frame);
    }
  }

  /** The answer, if it is known here. Who asks for a module by its id has not got it, or cannot read that edition of it. */
  #known(query: ModuleQuery, link: RelayLink): Answer | undefined {
    const known = this.#answers.get(JSON.stringify(query));
    if (!('id' in query)) return known;
    const id = known ? (known.target as number) : query.id;
    link.lost(id);
    const def = this.#store.read(id) as { level?: number } | undefined;
    const isReadable = def && !((def.level as number) > parseInt((query as { node?: string }).node as string));
    return isReadable ? known || { target: id, ids: [id] } : undefined;
  }

  #ask(query: ModuleQuery, frame?: Buffer): void {
    // What is missed here may be on its way already.
    const wanted = 'id' in query && JSON.stringify({ id: query.id });
    const key = wanted && this.#asked.has(wanted) ? wanted : JSON.stringify(query);
    const waiting = this.#asked.get(key);
    if (waiting) {
      if (frame) waiting.push(frame);
      return;
    }
    this.#asked.set(key, frame ? [frame] : []);
    this.#hop.router.route(jsonFrame(NORMAL, MASTER, this.#hop.config.id, GET_MODULE, RELAY, query), undefined);
  }

  /** Content goes to those who wait as it comes. */
  #onAnswer(query: ModuleQuery, { target, ids, keep }: RelayHead, own: readonly number[]): void {
    const key = JSON.stringify(query);
    const waiting = this.#asked.get(key) || [];
    if (target === undefined) {
      for (const frame of waiting) this.#answer(frame, own, 'id' in query);
      return;
    }
    const answer: Answer = { target, ids: fromRanges(ids), keep };
    this.#asked.delete(key);
    if (keep && this.#answers.set(key, answer).size > MAX_ANSWERS) this.#answers.delete(this.#answers.keys().next().value as string);
    for (const frame of waiting) this.#answer(frame, answer.ids, false, answer);
  }

  /**
   * Sends who has asked modules, and the answer if it is there. Who asks for a module by its id has lost it, or gets another edition: then also what
   * the link has carried is sent.
   */
  #answer(frame: Buffer, ids: readonly number[], isLost: boolean, answer?: Answer): void {
    const { router } = this.#hop;
    const src = srcOf(frame);
    const stream = router.children.get(src);
    // Who is gone needs none.
    if (!stream) return;
    const link = this.#linkTo(stream);
    if (isLost) for (const id of ids) link.lost(id);
    if (replyToOf(frame) === RELAY) link.answer(jsonOf(frame) as ModuleQuery, ids, this.#find, answer);
    else {
      link.pass(src, ids, this.#find);
      if (answer) router.route(jsonFrame(NORMAL, src, MASTER, replyToOf(frame), 0, answer.target), undefined);
    }
  }

  /** The one above answers nothing any more: all who wait are told why. */
  #onRefused({ code, message }: Reason): void {
    const asked = [...this.#asked];
    this.#asked.clear();
    for (const [, frames] of asked) for (const frame of frames) this.#answer(frame, [], false, { target: { code, message }, ids: [] });
  }
}
