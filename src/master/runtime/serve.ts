/** The master's answers to hops that want a runtime for a target without Node. */
import type { ContextRegistry } from '../../api/registry.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import { MitosError, mitosError } from '../../core/errors.ts';
import { BLOB, GET_RUNTIME, RUNTIME } from '../../core/handles.ts';
import { toReason } from '../../core/reason.ts';
import type { RuntimeProgress, RuntimeQuery } from '../../core/runtime-order.ts';
import { BULK, CONTROL, type ContextId, DEAD, HEADER, jsonFrame, jsonOf, type Message, NORMAL, srcOf } from '../../core/wire.ts';
import { pieceData } from '../../parent/blobs.ts';
import type { RuntimeStore } from './store.ts';

/** Where runtimes come from. */
export interface RuntimeSource extends Pick<RuntimeStore, 'offer' | 'read'> {
  /** Lets go of what it holds; called when the router is closed. */
  close?(): Promise<void>;
}

/** What hops ask and tell. */
interface Request {
  /** The context that is to get a runtime; one of its ancestors speaks. */
  for?: number;
  query?: RuntimeQuery;
  progress?: RuntimeProgress;
  /** A piece of a blob is wanted: asked by the router of the master only. */
  blob?: string;
  index?: number;
  at?: number;
  size?: number;
}

const PHASES: readonly string[] = ['send', 'start'];

/** Serves runtimes to the tree of one master. */
export class RuntimeService {
  readonly #endpoint: Endpoint;
  readonly #registry: ContextRegistry;
  readonly #source: () => RuntimeSource;
  readonly #emit: (progress: RuntimeProgress) => void;
  #used: RuntimeSource | undefined;
  readonly #ending: AbortController = new AbortController();

  /** `source` is called when the first runtime is wanted. */
  constructor(endpoint: Endpoint, registry: ContextRegistry, source: () => RuntimeSource, emit: (progress: RuntimeProgress) => void) {
    this.#endpoint = endpoint;
    this.#registry = registry;
    this.#source = source;
    this.#emit = emit;
    endpoint.on(GET_RUNTIME, (message) => this.#onMessage(message));
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#ending.abort(mitosError('ERR_MITOS_SHUTDOWN', 'The router was closed'));
    await this.#used?.close?.();
  }

  #get(): RuntimeSource {
    return (this.#used ??= this.#source());
  }

  #onMessage(message: Buffer): void {
    const request = jsonOf(message) as Request | undefined;
    const src = srcOf(message);
    if (typeof request !== 'object' || request === null) return;
    if (request.blob !== undefined) {
      if (src === this.#endpoint.id)
        void this.#sendPiece(String(request.blob), Number(request.index), Number(request.at), Number(request.size));
      return;
    }
    const context = this.#registry.get(Number(request.for));
    if (!context) return;
    for (let at = context.via; at?.id !== src; at = at.via) if (!at) return;
    if (request.query) void this.#offer(src, context.id, context.name, request.query);
    else if (request.progress && PHASES.includes(request.progress.phase)) {
      const { phase, done, total } = request.progress;
      this.#emit({ phase, context: context.name, done: Number(done), total: Number(total) });
    }
  }

  async #offer(dst: ContextId, id: ContextId, name: string, query: RuntimeQuery): Promise<void> {
    const answer = (data: object): void => this.#send(dst, RUNTIME, { for: id, ...data }, CONTROL);
    const onProgress = (progress: RuntimeProgress): void => {
      this.#emit({ ...progress, context: name });
      // It takes its time, and something moves.
      answer({ progress });
    };
    try {
      answer({ offer: await this.#get().offer(query, { onProgress, signal: this.#ending.signal }) });
    } catch (error) {
      const { code, message, hint } = toReason(asMitosError(error));
      answer({
        reason: {
          code,
          message: message.startsWith('Cannot') ? `there is no Node. ${message}` : `there is no Node, and none can be pushed: ${message}`,
          hint,
        },
      });
    }
  }

  async #sendPiece(blob: string, index: number, at: number, size: number): Promise<void> {
    const { id } = this.#endpoint;
    try {
      const piece = await this.#get().read(blob, at, size);
      this.#endpoint.send(id, BLOB, 0, Buffer.concat([Buffer.alloc(HEADER), pieceData(blob, index, piece)]), BULK);
    } catch (error) {
      this.#send(id, BLOB, { blob, index, reason: toReason(asMitosError(error)) }, NORMAL | DEAD);
    }
  }

  #send(dst: ContextId, handle: number, data: object, flags: number): void {
    const frame: Message = jsonFrame(flags, dst, this.#endpoint.id, handle, 0, data);
    this.#endpoint.send(dst, handle, 0, frame, flags);
  }
}

function asMitosError(error: unknown): MitosError {
  return MitosError.is(error) ? error : mitosError('ERR_MITOS_RUNTIME_PUSH', error instanceof Error ? error.message : String(error));
}
