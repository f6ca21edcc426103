/**
 * One link to a neighbour: frames in and out over a {@link Transport}, three priorities, keep-alive. No routing here.
 *
 * A stream may be made before its transport exists (a child that is still starting): frames wait in its queues, bounded
 * by the router, until {@link Stream.attach}.
 */
import type { Clock } from './clock.ts';
import { MitosError, mitosError } from './errors.ts';
import { PING, PONG } from './handles.ts';
import type { Transport } from './transport.ts';
import { BULK, CONTROL, type ContextId, FrameParser, HEADER, handleOf, MAX_FRAME_DATA, makeFrame, PRIORITY, shorten } from './wire.ts';

/** Frames up to this size are copied together into one write. */
const SMALL = 4096;
/** Most bytes handed to the transport before looking at the priorities again. */
const BATCH = 131072;
/** A timer that fires later than this was kept from firing. */
const LATE_MS = 1000;

/** When a quiet link is probed and when it is given up. */
export interface KeepAlive {
  /** Silence after which the neighbour is asked for a sign of life. @default 15000 */
  intervalMs: number;
  /** Silence after which the link is given up. @default 45000 */
  timeoutMs: number;
}

/** Counters of one link. */
export interface StreamStats {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** How often frames were handed to the transport; many frames may share one write. */
  writes: number;
  /** Newest measured round trip to the neighbour. */
  roundTripMs: number | undefined;
}

/** What the owner of a stream passes in. */
export interface StreamOptions {
  peerId: ContextId;
  selfId: ContextId;
  name: string;
  clock: Clock;
  keepAlive: KeepAlive;
  /** Whether bytes are dear on this link: small frames get short headers. */
  isThin?: boolean | undefined;
  onFrame: (stream: Stream, frame: Buffer) => void;
  /** Called once, after the stream has been taken out of use. */
  onClose: (stream: Stream, reason: MitosError) => void;
}

/** A link to one neighbour. */
export class Stream {
  readonly peerId: ContextId;
  readonly name: string;
  readonly stats: StreamStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, writes: 0, roundTripMs: undefined };
  /** Bytes that wait here for the transport. */
  queuedBytes = 0;
  isClosed = false;
  /** Whether it was the transport that ended, and nobody here who ended it. */
  hasEnded = false;
  readonly #options: StreamOptions;
  readonly #queues: Buffer[][] = [[], [], []];
  readonly #parser: FrameParser = new FrameParser();
  #transport: Transport | undefined;
  #first: ((followingBytes: number) => Uint8Array) | undefined;
  #isWaiting = false;
  #isScheduled = false;
  #isEnding = false;
  #timer: unknown;
  #heardAt = 0;

  constructor(options: StreamOptions) {
    this.peerId = options.peerId;
    this.name = options.name;
    this.#options = options;
  }

  /**
   * Queues a frame. Ownership of the buffer passes to the stream. Frames of equal priority leave in order. A frame that is
   * too large is dropped: the neighbour would end the link.
   */
  send(frame: Buffer): void {
    if (this.isClosed || frame.length > HEADER + MAX_FRAME_DATA) return;
    // biome-ignore lint/style/noNonNullAssertion: the flags were checked by whoever made or parsed the frame, see PRIORITY
    const priority = (frame[2]! & PRIORITY) > BULK ? BULK : frame[2]! & PRIORITY;
    const bytes = this.#options.isThin ? shorten(frame) : frame;
    (this.#queues[priority] as Buffer[]).push(bytes);
    this.queuedBytes += bytes.length;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(() => this.flush());
    }
  }

  /**
   * Gives the stream its bytes. `first` makes what leaves before any frame (preamble and greeting): in a turn of its own, so that
   * it can tell how many bytes of frames follow in the same write, 0 when they are too many for one.
   */
  attach(transport: Transport, first?: (followingBytes: number) => Uint8Array): void {
    this.#transport = transport;
    this.#first = first;
    this.#heardAt = this.#options.clock.now();
    transport.onData = (chunk) => this.#onData(chunk);
    transport.onDrain = () => {
      this.#isWaiting = false;
      this.flush();
    };
    transport.onClose = (reason) => this.close(this.#lost(reason));
    queueMicrotask(() => this.flush());
  }

  /** Starts asking for signs of life; called when the neighbour is up. */
  startKeepAlive(): void {
    const { clock, keepAlive } = this.#options;
    this.#heardAt = clock.now();
    const wait = Math.min(keepAlive.intervalMs, keepAlive.timeoutMs / 3);
    let dueAt = 0;
    const tick = (): void => {
      if (this.isClosed) return;
      // A tick that comes late means that it was this thread that stood still: what the neighbour said is still unread.
      if (clock.now() - dueAt > LATE_MS) this.#heardAt = clock.now();
      const silent = clock.now() - this.#heardAt;
      if (silent >= keepAlive.timeoutMs) {
        this.close(
          mitosError('ERR_MITOS_DISCONNECTED', `Lost "${this.name}": no sign of life for ${Math.round(silent)} ms`, {
            hint: 'the process is stopped or the network between is gone',
          }),
        );
        return;
      }
      if (silent >= wait || this.stats.roundTripMs === undefined) this.#ping();
      arm(Math.min(wait, keepAlive.timeoutMs - silent));
    };
    const arm = (ms: number): void => {
      dueAt = clock.now() + ms;
      this.#timer = clock.setTimeout(tick, ms);
    };
    arm(wait);
  }

  /** Whether everything that was sent has been handed to the system. */
  get isIdle(): boolean {
    return !this.queuedBytes && !this.#isWaiting;
  }

  /** Writes what is queued, most urgent first, until the transport has had enough. */
  flush(): void {
    this.#isScheduled = false;
    const transport = this.#transport;
    while (transport && !this.#isWaiting && !this.isClosed && (this.queuedBytes || this.#first)) {
      const chunks = this.#takeFirst();
      chunks.push(...this.#nextBatch());
      this.stats.writes++;
      if (!transport.write(chunks)) this.#isWaiting = true;
    }
    if (this.#isEnding && transport && !this.queuedBytes) transport.end();
  }

  /** Lets what is queued go out, then ends the link. */
  end(): void {
    this.#isEnding = true;
    this.flush();
  }

  /** Takes the stream out of use at once and tells its owner why. Idempotent. */
  close(reason: MitosError): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#options.clock.clearTimeout(this.#timer);
    this.queuedBytes = 0;
    for (const queue of this.#queues) queue.length = 0;
    this.#transport?.destroy();
    this.#options.onClose(this, reason);
  }

  /** Feeds bytes that arrived; also used by a blocking read while the loop stands still. */
  feed(chunk: Buffer): void {
    this.#onData(chunk);
  }

  #onData: (chunk: Buffer) => void = (chunk) => {
    if (this.isClosed) return;
    this.#heardAt = this.#options.clock.now();
    this.stats.bytesIn += chunk.length;
    try {
      this.#parser.push(chunk, this.#onFrame);
    } catch (error) {
      this.close(MitosError.is(error) ? error : mitosError('ERR_MITOS_PROTOCOL', `Cannot read "${this.name}": ${String(error)}`));
    }
  };

  #onFrame: (frame: Buffer) => void = (frame) => {
    if (this.isClosed) return;
    this.stats.framesIn++;
    const handle = handleOf(frame);
    if (handle === PING) {
      // What waits to be written is a sign of life too; and who asks without reading gets no queue of answers.
      if (frame.length === HEADER + 8 && this.queuedBytes < BATCH)
        this.send(makeFrame(CONTROL, this.peerId, this.#options.selfId, PONG, 0, frame.subarray(HEADER)));
    } else if (handle === PONG) {
      if (frame.length === HEADER + 8) {
        this.stats.roundTripMs = this.#options.clock.now() - frame.readDoubleBE(HEADER);
      }
    } else {
      this.#options.onFrame(this, frame);
    }
  };

  #ping: () => void = () => {
    const data = Buffer.alloc(8);
    data.writeDoubleBE(this.#options.clock.now());
    this.send(makeFrame(CONTROL, this.peerId, this.#options.selfId, PING, 0, data));
  };

  #takeFirst: () => Uint8Array[] = () => {
    if (!this.#first) return [];
    const first = this.#first(this.queuedBytes < BATCH ? this.queuedBytes : 0);
    this.#first = undefined;
    this.stats.bytesOut += first.length;
    return [first];
  };

  #nextBatch: () => Buffer[] = () => {
    const out: Buffer[] = [];
    let small: Buffer[] = [];
    let bytes = 0;
    for (const queue of this.#queues) {
      let taken = 0;
      while (taken < queue.length && bytes < BATCH) {
        const frame = queue[taken++] as Buffer;
        bytes += frame.length;
        if (frame.length <= SMALL) {
          small.push(frame);
        } else {
          joinInto(out, small);
          small = [];
          out.push(frame);
        }
      }
      this.stats.framesOut += taken;
      if (taken === queue.length) queue.length = 0;
      else if (taken) queue.splice(0, taken);
    }
    joinInto(out, small);
    this.queuedBytes -= bytes;
    this.stats.bytesOut += bytes;
    return out;
  };

  #lost: (cause: Error | undefined) => MitosError = (cause) => {
    this.hasEnded = !this.isClosed;
    if (this.#parser.isInside) {
      return mitosError('ERR_MITOS_PROTOCOL', `Lost "${this.name}": the link ended inside a frame`, { cause });
    }
    return mitosError('ERR_MITOS_DISCONNECTED', `Lost "${this.name}": the link ended${cause ? ` (${cause.message})` : ''}`, {
      cause,
    });
  };
}

/** Appends small frames to a write as one piece. */
function joinInto(out: Buffer[], small: Buffer[]): void {
  if (small.length === 1) out.push(small[0] as Buffer);
  else if (small.length) out.push(Buffer.concat(small));
}
