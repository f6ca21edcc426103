/**
 * Provides a target with a Node, through the pipe of a first stage that found none: looks at the target, asks the master for an executable that suits it,
 * has the target take it in, and hands over to the Node that runs then.
 */
import { randomBytes } from 'crypto';
import type { ConnectOrder } from '../core/connect-order.ts';
import { GET_RUNTIME, RUNTIME } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import type { RuntimeOffer, RuntimeProgress } from '../core/runtime-order.ts';
import { CONTROL, jsonFrame, jsonOf, MASTER } from '../core/wire.ts';
import { type Blobs, PIECE } from './blobs.ts';
import type { Needy, Provider } from './connector.ts';
import type { Failure } from './failure.ts';
import { KnownRuntimes, type RuntimeProcess, takeOwn } from './known-runtimes.ts';
import { badStep, noWay, unsuited, wouldBePushed } from './provision-failure.ts';
import { knownScript, openScript, probeScript, takeScript } from './provision-script.ts';
import { readTarget, type Target } from './provision-target.ts';

/** Pieces that are asked for ahead of what the target has taken. */
const WINDOW = 32;
/** The master is told of progress so often, at most, in milliseconds. */
const TELL_MS = 100;
/** Most bytes of a line that a target may say. */
const MAX_LINE = 65_536;

/** What a hop is answered by the master. */
export interface RuntimeAnswer {
  /** The context that needs it. */
  for: number;
  offer?: RuntimeOffer;
  /** Why there is none. */
  reason?: Failure;
}

/** Provides the children of one hop. */
export class Provisioner implements Provider {
  readonly #hop: Hop;
  readonly #blobs: Blobs;
  readonly #waiting: Map<number, (answer: RuntimeAnswer) => void> = new Map();
  readonly #known: KnownRuntimes = new KnownRuntimes();

  constructor(hop: Hop, blobs: Blobs) {
    this.#hop = hop;
    this.#blobs = blobs;
    hop.extensions.set(RUNTIME, (frame, _from, isTrusted) => {
      const answer = jsonOf(frame) as RuntimeAnswer | undefined;
      if (isTrusted && answer) this.#waiting.get(answer.for)?.(answer);
    });
  }

  find(order: ConnectOrder): string | undefined {
    return this.#known.find(order);
  }

  provide(needy: Needy): void {
    const { order, isFar } = needy;
    const { id } = order;
    const push = new Push(this.#hop, this.#blobs, needy, {
      onAnswer: (answer) => this.#waiting.set(id, answer),
      onUp: (known) => this.#known.add(order, known),
    });
    void needy.link.exited.then(() => {
      this.#waiting.delete(id);
      push.end();
    });
    push.start(this.find(order) || (isFar ? undefined : takeOwn()));
  }
}

/** Takes what a push needs, and what comes of it. */
interface PushHooks {
  onAnswer(listener: (answer: RuntimeAnswer) => void): void;
  /** It runs in that process. */
  onUp(known: RuntimeProcess): void;
}

/** One push. */
class Push {
  readonly #hop: Hop;
  readonly #blobs: Blobs;
  readonly #needy: Needy;
  readonly #hooks: PushHooks;
  readonly #said: string[][] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #target: Target | undefined;
  #offer: RuntimeOffer | undefined;
  #hasEnded = false;
  /** Pieces that have come and were not written, and how many were asked for and written. */
  readonly #pieces: Map<number, Buffer> = new Map();
  #asked = 0;
  #written = 0;
  #isFull = false;
  #toldAt = -Infinity;

  constructor(hop: Hop, blobs: Blobs, needy: Needy, hooks: PushHooks) {
    this.#hop = hop;
    this.#blobs = blobs;
    this.#needy = needy;
    this.#hooks = hooks;
  }

  /** `known` is tried first: it may not have been known when the child was started. */
  start(known: string | undefined): void {
    const { transport, marker, tail } = this.#needy.link;
    transport.onData = (chunk) => this.#take(chunk);
    transport.onDrain = () => {
      this.#isFull = false;
      this.#pump();
    };
    this.#write(openScript(marker as string));
    if (known) this.#write(knownScript(known, tail as string));
    else this.#look();
  }

  #look(): void {
    this.#write(probeScript(randomBytes(12).toString('hex')));
  }

  end(): void {
    this.#hasEnded = true;
    this.#pieces.clear();
  }

  #write(text: string): void {
    if (!this.#needy.link.transport.write([Buffer.from(text)])) this.#isFull = true;
  }

  #fail(failure: Failure): void {
    if (this.#hasEnded) return;
    this.end();
    this.#needy.fail(failure);
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (let end = this.#bytes.indexOf(10); end >= 0 && !this.#hasEnded; end = this.#bytes.indexOf(10)) {
      const line = this.#bytes.toString('utf8', 0, end);
      this.#bytes = this.#bytes.subarray(end + 1);
      const { marker } = this.#needy.link;
      if (line.startsWith(`${marker} `)) this.#hear(line.slice((marker as string).length + 1).split(' '));
    }
    if (this.#bytes.length > MAX_LINE) this.#bytes = this.#bytes.subarray(-MAX_LINE);
  }

  #hear(words: string[]): void {
    this.#needy.onProgress();
    switch (words[0]) {
      case 'gone':
        return this.#look();
      case 'end':
        return this.#onProbe();
      case 'bad':
        return this.#fail(badStep(words.slice(1), this.#target as Target, this.#offer as RuntimeOffer));
      case 'up':
        return this.#hooks.onUp({ pid: Number(words[1]), startedAt: String(words[2]) });
      case 'ok':
        return this.#onUp(words.slice(1).join(' '));
      default:
        if (this.#said.length < 200) this.#said.push(words);
    }
  }

  #onProbe(): void {
    this.#target = readTarget(this.#said);
    const failure = noWay(this.#target);
    if (failure) return this.#fail(failure);
    const { id, options } = this.#needy.order;
    if (options.runtime === 'look') return this.#fail(wouldBePushed(this.#target));
    this.#hooks.onAnswer((answer) => this.#onOffer(answer));
    this.#tell({ query: this.#target.query, for: id });
  }

  #onOffer({ offer, reason }: RuntimeAnswer): void {
    this.#needy.onProgress();
    if (this.#hasEnded || this.#offer) return;
    if (reason) return this.#fail(reason);
    // The master is still at it.
    if (!offer) return;
    const target = this.#target as Target;
    const failure = unsuited(target, offer);
    if (failure) return this.#fail(failure);
    this.#offer = offer;
    const { marker, tail } = this.#needy.link;
    const plan = { marker: marker as string, way: target.way as string, tools: target.tools, offer, tail: tail as string };
    this.#write(takeScript(plan));
    this.#pump();
  }

  /** Writes what has come, as far as the pipe takes it, and asks for more. */
  #pump(): void {
    if (!this.#offer || this.#hasEnded) return;
    const { blob, packedSize } = this.#offer;
    const count = Math.ceil(packedSize / PIECE);
    for (let piece = this.#pieces.get(this.#written); piece && !this.#isFull; piece = this.#pieces.get(this.#written)) {
      this.#pieces.delete(this.#written++);
      if (!this.#needy.link.transport.write([piece])) this.#isFull = true;
      this.#onSent(Math.min(this.#written * PIECE, packedSize));
    }
    while (this.#asked < count && this.#asked < this.#written + WINDOW) {
      const index = this.#asked++;
      this.#blobs.get(blob, index, (piece, reason) => this.#onPiece(index, piece, reason));
    }
  }

  #onPiece(index: number, piece: Buffer | undefined, reason: { code: string; message: string } | undefined): void {
    if (this.#hasEnded) return;
    const length = Math.min(PIECE, (this.#offer as RuntimeOffer).packedSize - index * PIECE);
    const problem = !piece
      ? String(reason && reason.message)
      : piece.length !== length
        ? `piece ${index} has ${piece.length} bytes, not ${length}`
        : '';
    if (!piece || problem) return this.#fail({ code: 'ERR_MITOS_RUNTIME_PUSH', message: `the Node to push cannot be read (${problem})` });
    this.#pieces.set(index, piece);
    this.#pump();
  }

  #onSent(done: number): void {
    const { packedSize } = this.#offer as RuntimeOffer;
    this.#needy.onProgress();
    const now = this.#hop.clock.now();
    if (done < packedSize && now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#progress({ phase: 'send', done, total: packedSize });
  }

  #onUp(node: string): void {
    this.end();
    if (this.#offer) this.#progress({ phase: 'start', done: this.#offer.size, total: this.#offer.size });
    this.#needy.ready(node, this.#bytes);
  }

  #progress(progress: RuntimeProgress): void {
    this.#tell({ progress, for: this.#needy.order.id });
  }

  #tell(value: object): void {
    const { router, config } = this.#hop;
    router.route(jsonFrame(CONTROL, MASTER, config.id, GET_RUNTIME, 0, value), undefined);
  }
}
