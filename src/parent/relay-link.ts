/**
 * One link on which modules travel downwards, as the end above sees it: what it has carried, and who needs what of that. Used by the master for its
 * children and by each hop for its own, so no link carries the same module twice.
 */
import { LOAD, RELAY } from '../core/handles.ts';
import type { ModuleQuery } from '../core/importer.ts';
import type { Dep } from '../core/module-batch.ts';
import { type Batch, cut } from '../core/module-pack.ts';
import { type RelayHead, relayMessage, toRanges } from '../core/relay-message.ts';
import type { ContextId } from '../core/wire.ts';

/** An answer to a question about modules. */
export interface Answer {
  /** Where the question leads. */
  target: Dep;
  /** What the target needs. */
  ids: readonly number[];
  /** Whether the same question has the same answer at any time. */
  keep?: boolean | undefined;
}

/** Finds the content of modules; some may be missing. All that is found is sent. */
export type Find = (ids: readonly number[]) => readonly Batch[];

/** The link to one neighbour. */
export class RelayLink {
  /** Questions that came over it. */
  questions = 0;
  readonly #peer: ContextId;
  readonly #send: (handle: number, message: Buffer, dst: ContextId) => void;
  readonly #useRelays: ((to: ContextId) => void) | undefined;
  /** Whether the hops on the way keep modules. */
  #hasRelays: boolean;
  /** Modules that the neighbour's hop has. */
  readonly #carried: Set<number> = new Set();
  /** Those of them that the neighbour itself was given, and not only its hop. */
  readonly #given: Set<number> = new Set();

  /**
   * @param send Sends a message, with room for the header, to the neighbour or one behind it; messages stay in order.
   * @param useRelays Has the hops on the way to a context keep modules. They need not before something is to go over this link that it has carried:
   * until then, contexts behind the neighbour are sent their modules as the neighbour is. Not given where they do so already.
   */
  constructor(peer: ContextId, send: (handle: number, message: Buffer, dst: ContextId) => void, useRelays?: (to: ContextId) => void) {
    this.#peer = peer;
    this.#send = send;
    this.#useRelays = useRelays;
    this.#hasRelays = !useRelays;
  }

  /** Lets context `to`, the neighbour or one behind it, have modules: what the link has not carried is sent, of the rest only the ids. */
  pass(to: ContextId, ids: readonly number[], find: Find): void {
    const isPeer = to === this.#peer;
    const known = ids.filter((id) => this.#carried.has(id) && !(isPeer && this.#given.has(id)));
    if (known.length) this.#hasRelays = true;
    if (this.#useRelays && this.#hasRelays && (known.length || !isPeer)) this.#useRelays(to);
    for (const batch of this.#lacking(ids, find)) {
      if (!isPeer && this.#hasRelays) this.#relay({ to, own: toRanges(batch.ids) }, batch);
      else this.#give(LOAD, batch.data, isPeer ? batch.ids : [], to);
    }
    if (!known.length) return;
    if (isPeer) for (const id of known) this.#given.add(id);
    this.#relay({ to, ids: toRanges(known) });
  }

  /** Sends the neighbour's hop content that it has asked for, and the answer if that is all. */
  answer(re: ModuleQuery, ids: readonly number[], find: Find, answer?: Answer): void {
    this.#hasRelays = true;
    for (const batch of this.#lacking(ids, find)) this.#relay({ re, own: toRanges(batch.ids) }, batch);
    if (answer) this.#relay({ re, target: answer.target, ids: toRanges(ids), ...(answer.keep && { keep: true }) });
  }

  /** The neighbour says that it lacks a module, whatever it was sent. */
  lost(id: number): void {
    this.#carried.delete(id);
    this.#given.delete(id);
  }

  /** Notes modules that have gone over the link otherwise, to the neighbour or to one behind it. */
  has(ids: readonly number[], to: ContextId): void {
    for (const id of ids) {
      this.#carried.add(id);
      if (to === this.#peer) this.#given.add(id);
    }
  }

  #lacking(ids: readonly number[], find: Find): readonly Batch[] {
    const lacking = ids.filter((id) => !this.#carried.has(id));
    const batches = lacking.length ? find(lacking) : [];
    for (const batch of batches) for (const id of batch.ids) this.#carried.add(id);
    return batches;
  }

  #give(handle: number, data: Buffer, ids: readonly number[], to: ContextId = this.#peer): void {
    for (const id of ids) this.#given.add(id);
    for (const message of cut(data)) this.#send(handle, message, to);
  }

  #relay(head: RelayHead, batch?: Batch): void {
    this.#give(RELAY, relayMessage(head, batch && batch.data), []);
  }
}
