/**
 * The hop side of a context: its router, the link to its parent, and (once it has been sent) the parent layer that starts
 * children. Runs on the I/O thread, or on the only thread there is.
 */
import { brotliDecompressSync } from 'zlib';
import { type Clock, systemClock } from './clock.ts';
import type { ChildConfig } from './config.ts';
import { type MitosError, mitosError } from './errors.ts';
import { LOAD } from './handles.ts';
import { toReason } from './reason.ts';
import { Router, type RouterExtension, type RouterHooks } from './router.ts';
import { type KeepAlive, Stream } from './stream.ts';
import type { Transport } from './transport.ts';
import { authOf, type ContextId, dataOf, handleOf, replyToOf } from './wire.ts';

/** What the parent layer does for its hop. */
export interface ParentLayer {
  /** Starts a child as a CONNECT message says, and answers it. */
  connect(frame: Buffer): void;
  /** Ends a child and everything behind it; done when it is gone. */
  shutdown(id: ContextId, graceMs: number): Promise<void>;
  /** Ends all children. */
  shutdownAll(graceMs: number): Promise<void>;
  /** A child greets. */
  onHello(stream: Stream, data: unknown): void;
}

/** The text that makes a context: the core; and the same, compressed, as children get it. */
export interface Sources {
  core: string;
  packedCore: Buffer;
}

/** The source of a thread that runs the core. Node asks the system for its path again in each; that of a Node without a file leads nowhere. */
export function threadSource(sources: Sources): string {
  return `${sources.core}\n;process.execPath=${JSON.stringify(process.execPath)};module.exports.start()`;
}

/** What the hop needs of the process around it. */
export interface HopHost {
  /** Hands a frame to the endpoint. */
  deliver(frame: Buffer): void;
  /** The parent is gone: the context has to end. */
  onOrphan(reason: MitosError): void;
  /** Ends this context; children are ended already. */
  onShutdown(graceMs: number): void;
}

/** Evaluates a bundle: a CommonJS function body that may require `mitos:core`. Gives its exports. */
export function evaluate(code: string, core: object): object {
  const bundle = { exports: {} };
  const load = (name: string): unknown => (name === 'mitos:core' ? core : require(name));
  // oxlint-disable-next-line typescript/no-implied-eval -- the bundle came from above, which may run anything here
  new Function('module', 'exports', 'require', code)(bundle, bundle.exports, load);
  return bundle.exports;
}

/** The router of one context and what belongs to it. */
export class Hop {
  readonly router: Router;
  readonly clock: Clock = systemClock;
  readonly config: ChildConfig;
  readonly host: HopHost;
  /** The texts that make a context; children are made of the same. */
  readonly sources: Sources;
  /** Connection methods that have been sent, by name. */
  readonly methods: Record<string, unknown> = {};
  /** What bundles have added to the router, by handle. */
  readonly extensions: Map<number, RouterExtension> = new Map();
  /** Modules for this context and for those behind it, as they came: others behind it may need the same. */
  readonly loads: Buffer[] = [];
  /** What bundles can import: the exports of the core, and those of the parent layer once it is here. */
  #core: object;
  parentLayer: ParentLayer | undefined;
  #isEnding = false;

  constructor(config: ChildConfig, sources: Sources, core: object, host: HopHost) {
    this.config = config;
    this.sources = sources;
    this.#core = core;
    this.host = host;
    const hooks: RouterHooks = {
      deliver: (frame) => host.deliver(frame),
      onHello: (stream, data) => this.parentLayer?.onHello(stream, data),
      onConnect: (frame) => this.#onConnect(frame),
      onShutdown: (frame, id, graceMs) => this.#onShutdown(frame, id, graceMs),
      onBundle: (frame) => this.#onBundle(frame),
      onFlush: (frame) => this.#onFlush(frame),
      onOrphan: (reason) => host.onOrphan(reason),
      extensions: this.extensions,
    };
    this.router = new Router(config.id, config.limits, config.isUnidirectional, hooks);
  }

  /** A stream to a neighbour; frames that come in are routed. */
  createStream(
    peerId: ContextId,
    name: string,
    onClose: (stream: Stream, reason: MitosError) => void,
    keepAlive: KeepAlive = this.config.keepAlive,
    isThin: boolean | undefined = this.config.isThin,
  ): Stream {
    return new Stream({
      peerId,
      selfId: this.config.id,
      name,
      clock: this.clock,
      keepAlive,
      isThin,
      onFrame: (stream, frame) => {
        if (stream === this.router.parent && handleOf(frame) === LOAD && this.config.ancestors.includes(authOf(frame)))
          this.loads.push(Buffer.from(frame));
        this.router.route(frame, stream);
      },
      onClose,
    });
  }

  /** Puts the link to the parent into use. */
  attachParent(transport: Transport): Stream {
    const stream = this.createStream(this.config.ancestors[0] as number, 'parent', (closed, reason) => this.router.remove(closed, reason));
    this.router.parent = stream;
    stream.attach(transport);
    stream.startKeepAlive();
    return stream;
  }

  /** Evaluates a bundle: the parent layer, whose `install(hop)` does the rest, or connection methods. */
  install(code: string): void {
    const made = evaluate(code, this.#core) as { install?: (hop: Hop) => void };
    if (made.install) {
      this.#core = Object.assign({}, this.#core, made);
      made.install(this);
    } else Object.assign(this.methods, made);
  }

  #onConnect(frame: Buffer): void {
    if (this.#isEnding) this.router.refuse(frame, { code: 'ERR_MITOS_SHUTDOWN', message: 'The context is being shut down' });
    else if (this.parentLayer) this.parentLayer.connect(frame);
    else this.router.refuse(frame, { code: 'ERR_MITOS_PROTOCOL', message: 'The parent layer has not been sent' });
  }

  #onBundle(frame: Buffer): void {
    try {
      this.install(brotliDecompressSync(dataOf(frame)).toString());
      this.router.reply(frame);
    } catch (error) {
      this.router.refuse(frame, toReason(asMitosError(error)));
    }
  }

  #onShutdown(frame: Buffer, id: ContextId, graceMs: number): void {
    if (id !== this.config.id) {
      const gone = this.parentLayer ? this.parentLayer.shutdown(id, graceMs) : Promise.resolve();
      void gone.then(() => this.router.reply(frame));
      return;
    }
    if (this.#isEnding) return;
    this.#isEnding = this.router.isEnding = true;
    const children = this.parentLayer ? this.parentLayer.shutdownAll(graceMs) : Promise.resolve();
    void children.then(() => this.host.onShutdown(graceMs));
  }

  /** Answers once everything queued for the parent has been handed to the system, or after a moment. */
  #onFlush(frame: Buffer): void {
    const until = this.clock.now() + 200;
    const look = (): void => {
      const parent = this.router.parent;
      if (parent && parent.queuedBytes && this.clock.now() < until) this.clock.setTimeout(look, 2);
      else if (replyToOf(frame)) this.router.reply(frame);
    };
    look();
  }
}

function asMitosError(error: unknown): MitosError {
  return mitosError('ERR_MITOS_PROTOCOL', `Cannot evaluate a bundle: ${String(error)}`);
}
