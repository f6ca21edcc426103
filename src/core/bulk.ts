/**
 * Messages larger than a frame. Their fragments carry the lowest priority, so calls and control frames overtake them; a
 * window of credit between the two ends bounds what every hop between may have to hold. Several large messages to one
 * context take turns, fragment by fragment, but what goes to one mailbox stays in order: until a large message to it is known
 * to have arrived, small ones follow it as fragments too. Calls and their cancellation count as one mailbox. Modules travel in parts
 * that fit into frames, so they are in front of the call that needs them, whatever is under way.
 */
import { mitosError } from './errors.ts';
import { BULK_CREDIT, CALL, CANCEL } from './handles.ts';
import type { Limits } from './limits.ts';
import { toReason } from './reason.ts';
import { holds, type IdSet } from './route-table.ts';
import {
  BULK,
  CONTROL,
  type ContextId,
  DEAD,
  FRAGMENT,
  HEADER,
  jsonFrame,
  MAX_FRAME_DATA,
  type Message,
  makeFrame,
  PRIORITY,
  replyToOf,
  sizeOf,
  srcOf,
} from './wire.ts';

/** Bytes in front of the data of a fragment: message id, total length. */
const PREFIX = 8;
/** Bytes of a message in a fragment: half of what a read gives, so that few frames lie across two reads. */
const CHUNK: number = MAX_FRAME_DATA / 2 - HEADER - PREFIX;
/** What a message under assembly counts beside its bytes, so that many small ones are bounded too. */
const OVERHEAD = 1024;
/** Most messages of one context that are refused and not yet over. */
const MAX_MESSAGES = 10000;

interface Outgoing {
  message: Message;
  id: number;
  /** Bytes of data that have not left. */
  left: number;
  total: number;
  /** What has not left: the rest of the current piece, and the pieces behind it. */
  rest: Uint8Array;
  pieces: Uint8Array[];
}

/** What goes to one mailbox. */
interface Lane {
  queue: Outgoing[];
  /** What `sent` of the target was when the last fragment left; the lane is over once so much has been acknowledged. */
  until: number;
}

interface Target {
  /** The lane that had its turn last is the last. */
  lanes: Map<number, Lane>;
  /** Bytes sent so far, and those of them that the receiver has taken. */
  sent: number;
  taken: number;
  isPumping: boolean;
}

/** Sends large messages of one endpoint. */
export class BulkSender {
  readonly #window: number;
  readonly #sendFrame: (frame: Buffer) => void;
  readonly #targets: Map<ContextId, Target> = new Map();
  #nextId = 1;

  constructor(window: number, sendFrame: (frame: Buffer) => void) {
    this.#window = window;
    this.#sendFrame = sendFrame;
  }

  /** Number of contexts for which something is under way. */
  get size(): number {
    return this.#targets.size;
  }

  /** Takes the message if it is large or has to stay behind a large one; else the caller sends it as it is. */
  take(message: Message, dst: ContextId, handle: number): boolean {
    const total = sizeOf(message) - HEADER;
    const isLarge = total > MAX_FRAME_DATA;
    let target = this.#targets.get(dst);
    if (!isLarge && !target) return false;
    const key = handle === CANCEL ? CALL : handle;
    let lane = target?.lanes.get(key);
    if (!isLarge && !lane) return false;
    if (!target) this.#targets.set(dst, (target = { lanes: new Map(), sent: 0, taken: 0, isPumping: false }));
    if (!lane) target.lanes.set(key, (lane = { queue: [], until: 0 }));
    const pieces = message.pieces ? [...message.pieces] : [];
    lane.queue.push({ message, id: this.#nextId++ >>> 0, left: total, total, rest: message.subarray(HEADER), pieces });
    this.#pump(target);
    return true;
  }

  /** The receiver has taken bytes. */
  credit(src: ContextId, data: Buffer): void {
    const target = this.#targets.get(src);
    if (!target || data.length !== 4) return;
    target.taken = Math.min(target.sent, target.taken + data.readUInt32BE(0));
    this.#pump(target);
    for (const [key, lane] of target.lanes) if (!lane.queue.length && lane.until <= target.taken) target.lanes.delete(key);
    if (!target.lanes.size) this.#targets.delete(src);
  }

  /** Drops what was meant for contexts that are gone. */
  forget(gone: IdSet): void {
    for (const [id, target] of this.#targets) {
      if (!holds(gone, id)) continue;
      target.lanes.clear();
      this.#targets.delete(id);
    }
  }

  /** Sends fragments, lane after lane, as far as the window goes. Credit may come in meanwhile. */
  #pump(target: Target): void {
    if (target.isPumping) return;
    target.isPumping = true;
    for (const [key, lane] of target.lanes) {
      if (target.sent - target.taken >= this.#window) break;
      const outgoing = lane.queue[0];
      if (!outgoing) continue;
      target.lanes.delete(key);
      target.lanes.set(key, lane);
      const frame = nextFragment(outgoing);
      if (!outgoing.left) lane.queue.shift();
      lane.until = target.sent += frame.length - HEADER;
      this.#sendFrame(frame);
    }
    target.isPumping = false;
  }
}

function nextFragment(outgoing: Outgoing): Buffer {
  const { message } = outgoing;
  const size = Math.min(CHUNK, outgoing.left);
  const frame = Buffer.allocUnsafe(HEADER + PREFIX + size);
  message.copy(frame, 0, 0, HEADER);
  frame.writeUInt32BE(outgoing.id, HEADER);
  frame.writeUInt32BE(outgoing.total, HEADER + 4);
  frame[2] = ((message[2] as number) & ~PRIORITY) | BULK | FRAGMENT;
  frame.writeUInt32BE(frame.length - HEADER, 24);
  for (let at = HEADER + PREFIX; at < frame.length; ) {
    const part = outgoing.rest.subarray(0, frame.length - at);
    frame.set(part, at);
    at += part.length;
    outgoing.rest =
      outgoing.rest.length > part.length
        ? outgoing.rest.subarray(part.length)
        : outgoing.pieces.shift() || outgoing.rest.subarray(part.length);
  }
  outgoing.left -= size;
  return frame;
}

/** Both ends of the large messages of one endpoint. */
export interface Bulk {
  sender: BulkSender;
  assembler: Assembler;
}

/** Makes both ends. */
export function createBulk(id: ContextId, limits: Limits, sendFrame: (frame: Buffer) => void): Bulk {
  return { sender: new BulkSender(limits.bulkWindowBytes, sendFrame), assembler: new Assembler(id, limits, sendFrame) };
}

interface Incoming {
  /** Unset when the message was refused and its fragments are only counted out. */
  message: Buffer | undefined;
  at: number;
  end: number;
  /** What it counts against the limit. */
  cost: number;
}

interface Source {
  messages: Map<number, Incoming>;
  /** Bytes reserved for messages that are not whole yet. */
  reserved: number;
  /** Bytes taken and not yet credited. */
  taken: number;
}

/** Puts large messages together. */
export class Assembler {
  readonly #id: ContextId;
  readonly #limits: Limits;
  readonly #sendFrame: (frame: Buffer) => void;
  readonly #sources: Map<ContextId, Source> = new Map();
  /** Bytes reserved for all sources: a child has many ids. */
  #reserved = 0;

  constructor(id: ContextId, limits: Limits, sendFrame: (frame: Buffer) => void) {
    this.#id = id;
    this.#limits = limits;
    this.#sendFrame = sendFrame;
  }

  /** Number of contexts of which something is under way. */
  get size(): number {
    return this.#sources.size;
  }

  /** Takes a fragment; returns the message when it is whole. */
  add(frame: Buffer): Buffer | undefined {
    const src = srcOf(frame);
    const size = frame.length - HEADER - PREFIX;
    if (size < 0) return undefined;
    let source = this.#sources.get(src);
    if (!source) this.#sources.set(src, (source = { messages: new Map(), reserved: 0, taken: 0 }));
    source.taken += size + PREFIX;
    const id = frame.readUInt32BE(HEADER);
    const incoming = source.messages.get(id) || this.#begin(source, id, frame);
    const { message, at, end } = incoming;
    incoming.at += size;
    if (incoming.at <= end && message) frame.copy(message, at, HEADER + PREFIX);
    const isOver = incoming.at >= end;
    if (isOver && source.messages.delete(id)) this.#reserve(source, -incoming.cost);
    this.#credit(source, src);
    return isOver && incoming.at === end ? message : undefined;
  }

  /** Drops what had begun to come from contexts that are gone. */
  forget(gone: IdSet): void {
    for (const [id, source] of this.#sources) {
      if (!holds(gone, id)) continue;
      this.#sources.delete(id);
      this.#reserved -= source.reserved;
    }
  }

  #begin(source: Source, id: number, frame: Buffer): Incoming {
    const total = frame.readUInt32BE(HEADER + 4);
    const { maxMessageBytes, maxAssemblyBytes } = this.#limits;
    const cost = total + OVERHEAD;
    const isTaken = total <= maxMessageBytes && source.reserved + cost <= maxAssemblyBytes && this.#reserved + cost <= 4 * maxAssemblyBytes;
    const incoming: Incoming = { message: undefined, at: HEADER, end: HEADER + total, cost: isTaken ? cost : 0 };
    if (isTaken || source.messages.size < MAX_MESSAGES) source.messages.set(id, incoming);
    if (!isTaken) {
      this.#refuse(frame, total);
      return incoming;
    }
    this.#reserve(source, cost);
    const message = Buffer.allocUnsafe(HEADER + total);
    frame.copy(message, 0, 0, HEADER);
    message[2] = (message[2] as number) & ~FRAGMENT;
    message.writeUInt32BE(total, 24);
    incoming.message = message;
    return incoming;
  }

  #reserve(source: Source, cost: number): void {
    source.reserved += cost;
    this.#reserved += cost;
  }

  #refuse(frame: Buffer, total: number): void {
    const replyTo = replyToOf(frame);
    if (!replyTo) return;
    const reason = mitosError(
      'ERR_MITOS_LIMIT',
      `Context ${this.#id} does not take a message of ${total} bytes: too much is under way (maxAssemblyBytes)`,
    );
    this.#sendFrame(jsonFrame(CONTROL | DEAD, srcOf(frame), this.#id, replyTo, 0, toReason(reason)));
  }

  /** Gives credit back when much has been taken, and when nothing is left to come. */
  #credit(source: Source, src: ContextId): void {
    if (!source.messages.size) this.#sources.delete(src);
    else if (source.taken < this.#limits.bulkWindowBytes / 4) return;
    const data = Buffer.alloc(4);
    data.writeUInt32BE(source.taken, 0);
    source.taken = 0;
    this.#sendFrame(makeFrame(CONTROL, src, this.#id, BULK_CREDIT, 0, data));
  }
}
