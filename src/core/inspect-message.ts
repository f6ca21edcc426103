/**
 * Messages of a debugger on their way through the tree, both ways: u16 number of the session, u8 flags, then text (UTF-8), in parts that fit into
 * frames. Who receives says how many bytes it has taken, so that a heap snapshot does not fill the hops between.
 */

/** Flag: opens the session. */
export const OPEN_SESSION = 1;
/** Flag: ends it. */
export const END_SESSION = 2;
/** Flag: more of this message follows. */
export const MORE = 4;
/** Flag: the text is a number: so many bytes have been taken. */
export const TAKEN = 8;

/** Most bytes of text in a part. */
const PART = 49152;
/** Most bytes on their way that have not been taken. */
const WINDOW = 1048576;

/** Reads one part. */
export function readPart(data: Buffer): { session: number; flags: number; text: Buffer } {
  return { session: data.readUInt16BE(0), flags: data[2] as number, text: data.subarray(3) };
}

/** Makes one part. */
export function makePart(session: number, flags: number, text: Uint8Array = Buffer.alloc(0)): Buffer {
  const data = Buffer.allocUnsafe(3 + text.length);
  data.writeUInt16BE(session, 0);
  data[2] = flags;
  data.set(text, 3);
  return data;
}

/** One end of a session: cuts messages into parts and joins them, in order, with a window. */
export class InspectLane {
  readonly #session: number;
  readonly #send: (part: Buffer) => void;
  readonly #onMessage: (text: string) => void;
  #queue: Buffer[] = [];
  #parts: Buffer[] = [];
  #underWay = 0;

  /**
   * @param send Sends a part to the other end.
   * @param onMessage Takes a whole message of the other end.
   */
  constructor(session: number, send: (part: Buffer) => void, onMessage: (text: string) => void) {
    this.#session = session;
    this.#send = send;
    this.#onMessage = onMessage;
  }

  /** Sends a message. */
  send(message: string): void {
    const text = Buffer.from(message);
    for (let at = 0; at === 0 || at < text.length; at += PART) {
      this.#queue.push(makePart(this.#session, at + PART < text.length ? MORE : 0, text.subarray(at, at + PART)));
    }
    this.#pump();
  }

  /** Takes a part of the other end. */
  take(flags: number, text: Buffer): void {
    if (flags & TAKEN) {
      this.#underWay -= Number(text.toString());
      return this.#pump();
    }
    this.#send(makePart(this.#session, TAKEN, Buffer.from(String(text.length))));
    this.#parts.push(text);
    if (flags & MORE) return;
    const message = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    this.#onMessage(message);
  }

  #pump(): void {
    while (this.#underWay < WINDOW) {
      const part = this.#queue.shift();
      if (!part) return;
      this.#underWay += part.length - 3;
      this.#send(part);
    }
  }
}
