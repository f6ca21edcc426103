/**
 * Messages larger than a frame. Their fragments carry the lowest priority, so calls and control frames overtake them; a
 * window of credit between the two ends bounds what every hop between may have to hold. Several large messages to one
 * context take turns, fragment by fragment, but what goes to one mailbox stays in order: a small message waits behind
 * a large one to the same mailbox. Modules and calls count as one mailbox, so that a call never overtakes its modules.
 */
import { mitosError } from './errors.ts';
import { BULK_CREDIT, CALL, LOAD } from './handles.ts';
import type { Limits } from './limits.ts';
import { toReason } from './reason.ts';
import { type IdSet, holds } from './route-table.ts';
import {
  BULK,
  CONTROL,
  type ContextId,
  DEAD,
  FRAGMENT,
  HEADER,
  jsonFrame,
  makeFrame,
  MAX_FRAME_DATA,
  PRIORITY,
  replyToOf,
  srcOf,
} from './wire.ts';

/** Bytes in front of the data of a fragment: message id, total length. */
const PREFIX = 8;
const CHUNK: number = MAX_FRAME_DATA - PREFIX;

interface Outgoing {
  message: Buffer;
  id: number;
  /** Offset in the message; starts behind its header. */
  at: number;
}

interface Target {
  lanes: Map<number, Outgoing[]>;
  credit: number;
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

  /** Takes the message if it is large or has to wait behind a large one; else the caller sends it as it is. */
  take(message: Buffer, dst: ContextId, handle: number): boolean {
    const isLarge = message.length > HEADER + MAX_FRAME_DATA;
    let target = this.#targets.get(dst);
    if (!isLarge && !target) return false;
    const key = handle === LOAD ? CALL : handle;
    const lane = target?.lanes.get(key);
    if (!isLarge && !lane) return false;
    if (!target) this.#targets.set(dst, (target = { lanes: new Map(), credit: this.#window }));
    const outgoing = { message, id: this.#nextId++ >>> 0, at: HEADER };
    if (lane) lane.push(outgoing);
    else target.lanes.set(key, [outgoing]);
    this.#pump(target);
    return true;
  }

  /** The receiver has taken bytes. */
  credit(src: ContextId, data: Buffer): void {
    const target = this.#targets.get(src);
    if (!target || data.length !== 4) return;
    target.credit = Math.min(this.#window, target.credit + data.readUInt32BE(0));
    this.#pump(target);
    if (!target.lanes.size && target.credit === this.#window) this.#targets.delete(src);
  }

  /** Drops what was meant for contexts that are gone. */
  forget(gone: IdSet): void {
    for (const id of this.#targets.keys()) if (holds(gone, id)) this.#targets.delete(id);
  }

  #pump(target: Target): void {
    while (target.credit > 0 && target.lanes.size) {
      for (const [key, lane] of target.lanes) {
        if (target.credit <= 0) break;
        const outgoing = lane[0] as Outgoing;
        target.credit -= this.#sendNext(outgoing);
        if (outgoing.at >= outgoing.message.length) lane.shift();
        if (!lane.length) target.lanes.delete(key);
      }
    }
  }

  #sendNext(outgoing: Outgoing): number {
    const { message, at } = outgoing;
    if (at === HEADER && message.length <= HEADER + MAX_FRAME_DATA) {
      message[2] = ((message[2] as number) & ~PRIORITY) | BULK;
      outgoing.at = message.length;
      this.#sendFrame(message);
      return 0;
    }
    const end = Math.min(at + CHUNK, message.length);
    const frame = Buffer.allocUnsafe(HEADER + PREFIX + end - at);
    message.copy(frame, 0, 0, HEADER);
    frame.writeUInt32BE(outgoing.id, HEADER);
    frame.writeUInt32BE(message.length - HEADER, HEADER + 4);
    message.copy(frame, HEADER + PREFIX, at, end);
    frame[2] = ((message[2] as number) & ~PRIORITY) | BULK | FRAGMENT;
    frame.writeUInt32BE(frame.length - HEADER, 24);
    outgoing.at = end;
    this.#sendFrame(frame);
    return end - at;
  }
}

interface Incoming {
  /** Unset when the message was refused and its fragments are only counted out. */
  message: Buffer | undefined;
  at: number;
  end: number;
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

  constructor(id: ContextId, limits: Limits, sendFrame: (frame: Buffer) => void) {
    this.#id = id;
    this.#limits = limits;
    this.#sendFrame = sendFrame;
  }

  /** Takes a fragment; returns the message when it is whole. */
  add(frame: Buffer): Buffer | undefined {
    const src = srcOf(frame);
    const size = frame.length - HEADER - PREFIX;
    if (size <= 0) return undefined;
    let source = this.#sources.get(src);
    if (!source) this.#sources.set(src, (source = { messages: new Map(), reserved: 0, taken: 0 }));
    this.#credit(source, src, size);
    const id = frame.readUInt32BE(HEADER);
    const incoming = source.messages.get(id) || this.#begin(source, id, frame);
    const { message, at, end } = incoming;
    incoming.at += size;
    if (incoming.at <= end && message) frame.copy(message, at, HEADER + PREFIX);
    if (incoming.at < end) return undefined;
    source.messages.delete(id);
    if (message) source.reserved -= end - HEADER;
    return incoming.at === end ? message : undefined;
  }

  /** Drops what had begun to come from contexts that are gone. */
  forget(gone: IdSet): void {
    for (const id of this.#sources.keys()) if (holds(gone, id)) this.#sources.delete(id);
  }

  #begin(source: Source, id: number, frame: Buffer): Incoming {
    const total = frame.readUInt32BE(HEADER + 4);
    const { maxMessageBytes, maxAssemblyBytes } = this.#limits;
    const incoming: Incoming = { message: undefined, at: HEADER, end: HEADER + total };
    source.messages.set(id, incoming);
    if (total > maxMessageBytes || source.reserved + total > maxAssemblyBytes) {
      this.#refuse(frame, total);
      return incoming;
    }
    source.reserved += total;
    const message = Buffer.allocUnsafe(HEADER + total);
    frame.copy(message, 0, 0, HEADER);
    message[2] = (message[2] as number) & ~FRAGMENT;
    message.writeUInt32BE(total, 24);
    incoming.message = message;
    return incoming;
  }

  #refuse(frame: Buffer, total: number): void {
    const replyTo = replyToOf(frame);
    if (!replyTo) return;
    const reason = mitosError('ERR_MITOS_LIMIT', `Context ${this.#id} does not take a message of ${total} bytes: too much is under way (maxAssemblyBytes)`);
    this.#sendFrame(jsonFrame(CONTROL | DEAD, srcOf(frame), this.#id, replyTo, 0, toReason(reason)));
  }

  #credit(source: Source, src: ContextId, size: number): void {
    source.taken += size;
    if (source.taken < this.#limits.bulkWindowBytes / 4) return;
    const data = Buffer.alloc(4);
    data.writeUInt32BE(source.taken, 0);
    source.taken = 0;
    this.#sendFrame(makeFrame(CONTROL, src, this.#id, BULK_CREDIT, 0, data));
  }
}

