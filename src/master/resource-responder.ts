/** Answers what contexts ask about files of the program's packages. */
import type { Endpoint } from '../core/endpoint.ts';
import { mitosError } from '../core/errors.ts';
import { GET_RESOURCE } from '../core/handles.ts';
import type { ResourceHead, ResourceQuery } from '../core/resource.ts';
import { holds, type IdSet } from '../core/route-table.ts';
import { type ContextId, HEADER, jsonOf, MAX_FRAME_DATA, NORMAL, replyToOf, srcOf } from '../core/wire.ts';
import type { ModuleGraph } from './module-graph.ts';
import type { Reply } from './resources.ts';
import type { Responder } from './responder.ts';

/** Bytes of files that one context may be sent. */
export const MAX_RESOURCE_TOTAL_BYTES: number = 512 * 1024 * 1024;

/** The master's answers to GET_RESOURCE. */
export class ResourceResponder {
  readonly #endpoint: Endpoint;
  readonly #graph: ModuleGraph;
  readonly #responder: Responder;
  readonly #sentBytes: Map<ContextId, number> = new Map();
  /** Files are read for one context one after the other. */
  readonly #turns: Map<ContextId, Promise<void>> = new Map();

  constructor(endpoint: Endpoint, graph: ModuleGraph, responder: Responder) {
    this.#endpoint = endpoint;
    this.#graph = graph;
    this.#responder = responder;
    endpoint.on(GET_RESOURCE, (message) => this.#onAsked(message));
  }

  /** Forgets contexts that are gone. */
  forget(gone: IdSet): void {
    for (const map of [this.#sentBytes, this.#turns]) for (const id of map.keys()) if (holds(gone, id)) map.delete(id);
  }

  #onAsked(message: Buffer): void {
    if (!this.#responder.mayAsk(message)) return;
    const query = jsonOf(message) as ResourceQuery | undefined;
    if (!query || typeof query !== 'object') {
      this.#endpoint.refuse(message, mitosError('ERR_MITOS_PROTOCOL', 'The question about a file cannot be read'));
      return;
    }
    this.#responder.stats.requests++;
    const src = srcOf(message);
    const turn = (this.#turns.get(src) ?? Promise.resolve()).then(async () =>
      this.#send(message, await this.#graph.resources.answer(query)),
    );
    this.#turns.set(src, turn);
    void turn.finally(() => {
      if (this.#turns.get(src) === turn) this.#turns.delete(src);
    });
  }

  #send(message: Buffer, { head, data }: Reply): void {
    const dst = srcOf(message);
    const total = (this.#sentBytes.get(dst) ?? 0) + (data?.length ?? 0);
    const isTooMuch = total > MAX_RESOURCE_TOTAL_BYTES;
    if (data && !isTooMuch) this.#sentBytes.set(dst, total);
    const said: ResourceHead = isTooMuch
      ? { kind: 'refused', code: 'ERR_MITOS_LIMIT', message: `this context has read ${MAX_RESOURCE_TOTAL_BYTES} bytes of files already` }
      : head;
    const text = Buffer.from(JSON.stringify(said));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length, 0);
    const reply = Buffer.concat([Buffer.alloc(HEADER), length, text, ...(data && !isTooMuch ? [data] : [])]);
    if (reply.length - HEADER > MAX_FRAME_DATA) this.#responder.prepare(dst);
    this.#endpoint.send(dst, replyToOf(message), 0, reply, NORMAL);
  }
}
