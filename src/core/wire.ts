/**
 * The frame: what travels on a link. A frame is one Buffer, a fixed big-endian header and then the data:
 *
 *     0 u8 magic  1 u8 version  2 u8 flags  3 u8 reserved  4 u32 dst  8 u32 src  12 u32 auth
 *     16 u32 handle  20 u32 replyTo  24 u32 length of the data
 *
 * On a link that is worth it, a frame with small numbers and little data has a short header: u8 magic, u8 flags, u8 length, u8 dst,
 * u8 src, u8 auth, u16 handle, u16 replyTo. It is made when it is queued and undone when it is parsed; nobody else sees it.
 *
 * A hop reads and stamps the header in place and passes the same Buffer on; it never looks at the data. A message with
 * more than {@link MAX_FRAME_DATA} bytes goes as frames with {@link FRAGMENT}, whose data starts with u32 message id (of
 * its source) and u32 total length. See `docs/protocol.md`.
 */
import { type MitosError, mitosError } from './errors.ts';

/** First byte of every frame. */
export const MAGIC = 0x6d;
/** First byte of a frame with a short header. */
export const SHORT_MAGIC = 0xed;
/** Version of the wire; a difference ends the link. */
export const VERSION = 1;
/** Bytes of the header. */
export const HEADER = 28;
/** Bytes of a short header. */
export const SHORT_HEADER = 10;
/** Most data in one frame, in bytes. */
export const MAX_FRAME_DATA = 65536;

/** Priority of what keeps the tree alive; it overtakes everything. */
export const CONTROL = 0;
/** Priority of calls and replies. */
export const NORMAL = 1;
/** Priority of fragments and of what must not overtake them. */
export const BULK = 2;
/** Mask of the priority in the flags. */
export const PRIORITY = 3;
/** Flag: there is no answer; the data is the reason. */
export const DEAD = 4;
/** Flag: part of a larger message. */
export const FRAGMENT = 8;
/** Flag: a reply that is an error. */
export const ERROR = 16;

/** Number of a context in its tree; the master is 0. */
export type ContextId = number;

/** The master's id. */
export const MASTER: ContextId = 0;

/** Writes a header at the start of `frame`, whose data is already in place. */
export function writeHeader(frame: Buffer, flags: number, dst: ContextId, src: ContextId, handle: number, replyTo: number): Buffer {
  frame[0] = MAGIC;
  frame[1] = VERSION;
  frame[2] = flags;
  frame[3] = 0;
  frame.writeUInt32BE(dst, 4);
  frame.writeUInt32BE(src, 8);
  frame.writeUInt32BE(src, 12);
  frame.writeUInt32BE(handle, 16);
  frame.writeUInt32BE(replyTo, 20);
  frame.writeUInt32BE(frame.length - HEADER, 24);
  return frame;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Makes a frame around a copy of `data`. */
export function makeFrame(flags: number, dst: ContextId, src: ContextId, handle: number, replyTo: number, data?: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + (data ? data.length : 0));
  if (data) frame.set(data, HEADER);
  return writeHeader(frame, flags, dst, src, handle, replyTo);
}

/** Makes a frame whose data is `value` as JSON. */
export function jsonFrame(flags: number, dst: ContextId, src: ContextId, handle: number, replyTo: number, value: unknown): Buffer {
  return makeFrame(flags, dst, src, handle, replyTo, Buffer.from(JSON.stringify(value)));
}

/**
 * A message before it is cut into frames: a Buffer, and behind it perhaps further pieces that are copied only when they leave,
 * so that nothing large is held twice and no copy takes long. Who hands such pieces over must not change them until then.
 */
export type Message = Buffer & { pieces?: readonly Uint8Array[] };

/** Bytes of a message, header included. */
export function sizeOf(message: Message): number {
  let size = message.length;
  if (message.pieces) for (const piece of message.pieces) size += piece.length;
  return size;
}

/** The data of a frame, a view on it. */
export function dataOf(frame: Buffer): Buffer {
  return frame.subarray(HEADER);
}

/** The data of a frame as JSON; `undefined` when it is none. */
export function jsonOf(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8', HEADER));
  } catch {
    return undefined;
  }
}

/** Destination of a frame. */
export function dstOf(frame: Buffer): ContextId {
  return frame.readUInt32BE(4);
}
/** Source of a frame, stamped by every hop. */
export function srcOf(frame: Buffer): ContextId {
  return frame.readUInt32BE(8);
}
/** The context on whose authority a frame was let through. */
export function authOf(frame: Buffer): ContextId {
  return frame.readUInt32BE(12);
}
/** Mailbox of a frame. */
export function handleOf(frame: Buffer): number {
  return frame.readUInt32BE(16);
}
/** Where an answer goes; 0 for nowhere. */
export function replyToOf(frame: Buffer): number {
  return frame.readUInt32BE(20);
}

/** Mailboxes below this, and as many of the first for replies, fit into the 16 bits of a short header. */
const HALF = 0x8000;

/** The mailbox as 16 bits, something larger if it does not fit. */
function toShort(handle: number): number {
  return handle < HALF ? handle : handle < 2 * HALF ? 2 * HALF : handle - HALF;
}

function fromShort(bits: number): number {
  return bits < HALF ? bits : bits + HALF;
}

/** The same frame with a short header, if it can have one. */
export function shorten(frame: Buffer): Buffer {
  const size = frame.length - HEADER;
  const handle = toShort(handleOf(frame));
  const replyTo = toShort(replyToOf(frame));
  if (size > 255 || (dstOf(frame) | srcOf(frame) | authOf(frame)) & ~255 || (handle | replyTo) & ~65535) return frame;
  const short = Buffer.allocUnsafe(SHORT_HEADER + size);
  short[0] = SHORT_MAGIC;
  short[1] = frame[2] as number;
  short[2] = size;
  short[3] = dstOf(frame);
  short[4] = srcOf(frame);
  short[5] = authOf(frame);
  short.writeUInt16BE(handle, 6);
  short.writeUInt16BE(replyTo, 8);
  frame.copy(short, SHORT_HEADER, HEADER);
  return short;
}

/** The frame that {@link shorten} was given. */
function lengthen(short: Buffer): Buffer {
  const frame = makeFrame(
    short[1] as number,
    short[3] as number,
    short[4] as number,
    fromShort(short.readUInt16BE(6)),
    fromShort(short.readUInt16BE(8)),
    short.subarray(SHORT_HEADER),
  );
  frame[15] = short[5] as number;
  return frame;
}

/**
 * Finds the frames in a flow of bytes, however it is cut into chunks. May be pushed to again while it hands over a frame (a
 * handler that blocks for an answer does so): the inner call goes on where the outer one was.
 */
export class FrameParser {
  /** What is being cut, from `#at` on; then the chunks that came after it. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  #more: Buffer[] = [];
  /** Bytes that have come and were not handed over. */
  #bytes = 0;
  /** Bytes without which nothing can be done. */
  #need: number = SHORT_HEADER;

  /**
   * Takes a chunk and calls `onFrame` for every frame that is now whole.
   *
   * Frames are views on the chunk where they can be: it must not be written to again.
   * @throws ChannelError `ERR_MITOS_PROTOCOL` when the bytes are not frames; the parser is of no use after that.
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    this.#more.push(chunk);
    this.#bytes += chunk.length;
    for (let frame = this.#next(); frame; frame = this.#next()) onFrame(frame);
    if (this.#bytes && this.#need <= HEADER) this.#checkStart();
  }

  /** Junk shows by its first byte: the rest of it may never come. */
  #checkStart(): void {
    this.#join();
    if (this.#chunk[0] !== MAGIC && this.#chunk[0] !== SHORT_MAGIC) throw notAFrame(this.#chunk);
  }

  #next(): Buffer | undefined {
    while (this.#bytes >= this.#need) {
      if (this.#chunk.length - this.#at < this.#need) this.#join();
      const chunk = this.#chunk;
      const at = this.#at;
      const isShort = chunk[at] === SHORT_MAGIC;
      if (isShort) this.#need = SHORT_HEADER + (chunk[at + 2] as number);
      else if (this.#need < HEADER) {
        this.#need = HEADER;
        continue;
      } else {
        const length = chunk.readUInt32BE(at + 24);
        if (chunk[at] !== MAGIC || chunk[at + 1] !== VERSION || chunk[at + 3] !== 0 || length > MAX_FRAME_DATA) {
          throw notAFrame(chunk.subarray(at, at + HEADER));
        }
        this.#need = HEADER + length;
      }
      const end = at + this.#need;
      if (end > chunk.length) continue;
      this.#bytes -= this.#need;
      this.#need = SHORT_HEADER;
      this.#at = end;
      if (!this.#bytes) this.#join();
      const bytes = at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end);
      return isShort ? lengthen(bytes) : bytes;
    }
    return undefined;
  }

  /** Makes one chunk of what is left. */
  #join(): void {
    const rest = this.#at < this.#chunk.length ? [this.#chunk.subarray(this.#at), ...this.#more] : this.#more;
    this.#chunk = rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest);
    this.#at = 0;
    this.#more = [];
  }

  /** Whether a frame has begun and not ended. */
  get isInside(): boolean {
    return this.#bytes > 0;
  }
}

/** The error for bytes that are no frame. */
function notAFrame(bytes: Buffer): MitosError {
  const version = bytes[1];
  if (bytes[0] === MAGIC && version !== VERSION && bytes[3] === 0) {
    return mitosError('ERR_MITOS_VERSION', `Cannot read the link: the peer speaks version ${version} of the wire, this is ${VERSION}`);
  }
  return mitosError('ERR_MITOS_PROTOCOL', `Cannot read the link: the bytes ${bytes.toString('hex')} are not a frame`, {
    hint: 'something other than mitos wrote to the protocol pipe',
  });
}
