/**
 * Large contents, such as runtimes, on their way down: each hop asks the one above for pieces, by the hash of the whole, and keeps for a while what has
 * come, so that the nearest hop that has a piece sends it, also while the rest is still on its way. Nothing comes that was not asked
 * for; who asks has a window of pieces under way, so that other traffic goes on.
 */

import { BLOB, GET_RUNTIME } from '../core/handles.ts';
import type { Hop } from '../core/hop.ts';
import type { Ingress } from '../core/router.ts';
import type { Stream } from '../core/stream.ts';
import { BULK, DEAD, dataOf, jsonFrame, jsonOf, MASTER, makeFrame, NORMAL } from '../core/wire.ts';

/** Bytes of a piece; the last one of a blob may have fewer. */
export const PIECE = 61_440;
/** Bytes in front of a piece: the hash, and the number of the piece. */
const HEAD = 36;
/** Most bytes kept by a hop. */
const MAX_KEPT = 96 * 1024 * 1024;
/** A blob that nobody asks for is kept for so long. */
const IDLE_MS = 60_000;
/** Most pieces that a child may wait for at a time. */
const MAX_WAITING = 128;

/** What a piece comes to. */
export type OnPiece = (piece: Buffer | undefined, reason?: { code: string; message: string }) => void;

type Asker = Stream | OnPiece;

interface Blob {
  pieces: Map<number, Buffer>;
  waiting: Map<number, Set<Asker>>;
  timer: unknown;
}

/** The blobs that pass through one hop. */
export class Blobs {
  readonly #hop: Hop;
  readonly #blobs: Map<string, Blob> = new Map();
  #keptBytes = 0;

  constructor(hop: Hop) {
    this.#hop = hop;
    hop.extensions.set(BLOB, (frame, from, isTrusted) => this.#onFrame(frame, from, isTrusted));
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Gets a piece of blob `hash`: from here, or from above. */
  get(hash: string, index: number, onPiece: OnPiece): void {
    this.#ask(hash, index, onPiece);
  }

  #ask(hash: string, index: number, asker: Asker): void {
    const blob = this.#touch(hash);
    const piece = blob.pieces.get(index);
    if (piece) return this.#give(asker, hash, index, piece);
    const waiting = blob.waiting.get(index);
    if (waiting) {
      waiting.add(asker);
      return;
    }
    blob.waiting.set(index, new Set([asker]));
    const { id, ancestors } = this.#hop.config;
    const question =
      id === MASTER
        ? jsonFrame(NORMAL, MASTER, id, GET_RUNTIME, 0, { blob: hash, index, at: index * PIECE, size: PIECE })
        : jsonFrame(NORMAL, ancestors[0] as number, id, BLOB, 0, { blob: hash, index });
    this.#hop.router.route(question, undefined);
  }

  #onFrame(frame: Buffer, from: Ingress, isTrusted: boolean): void {
    if (isTrusted) {
      if ((frame[2] as number) & DEAD) this.#onRefusal(jsonOf(frame) as Refusal);
      else this.#onPiece(dataOf(frame));
    } else if (from) this.#onQuestion(jsonOf(frame) as Partial<Question> | undefined, from);
  }

  #onQuestion(question: Partial<Question> | undefined, from: Stream): void {
    const { blob, index } = question || {};
    if (typeof blob !== 'string' || !/^[0-9a-f]{64}$/.test(blob) || !Number.isInteger(index) || !((index as number) >= 0)) return;
    let waits = 0;
    for (const { waiting } of this.#blobs.values()) for (const askers of waiting.values()) if (askers.has(from)) waits++;
    if (waits < MAX_WAITING) this.#ask(blob, index as number, from);
  }

  #onPiece(data: Buffer): void {
    const hash = data.toString('hex', 0, 32);
    const index = data.readUInt32BE(32);
    const blob = this.#blobs.get(hash);
    const askers = blob && blob.waiting.get(index);
    if (!blob || !askers) return;
    const piece = data.subarray(HEAD);
    blob.waiting.delete(index);
    this.#keep(hash, blob, index, piece);
    for (const asker of askers) this.#give(asker, hash, index, piece);
  }

  #onRefusal({ blob: hash, index, reason }: Refusal): void {
    const blob = this.#blobs.get(hash);
    const askers = blob && blob.waiting.get(index);
    if (!blob || !askers) return;
    blob.waiting.delete(index);
    for (const asker of askers) {
      if (typeof asker === 'function') asker(undefined, reason);
      else asker.send(jsonFrame(NORMAL | DEAD, asker.peerId, this.#hop.config.id, BLOB, 0, { blob: hash, index, reason }));
    }
  }

  #give(asker: Asker, hash: string, index: number, piece: Buffer): void {
    if (typeof asker === 'function') asker(piece);
    else asker.send(makeFrame(BULK, asker.peerId, this.#hop.config.id, BLOB, 0, pieceData(hash, index, piece)));
  }

  /** The master has a file of it; all others keep what fits, and let go of what was not asked for the longest. */
  #keep(hash: string, blob: Blob, index: number, piece: Buffer): void {
    if (this.#hop.config.id === MASTER) return;
    for (const [other, { waiting }] of this.#blobs) {
      if (this.#keptBytes + piece.length <= MAX_KEPT) break;
      if (other !== hash && !waiting.size) this.#forget(other);
    }
    if (this.#keptBytes + piece.length > MAX_KEPT) return;
    // A copy of its own: what came in one read with it need not be kept.
    blob.pieces.set(index, Buffer.from(piece));
    this.#keptBytes += piece.length;
  }

  #touch(hash: string): Blob {
    const { clock } = this.#hop;
    const blob = this.#blobs.get(hash) || { pieces: new Map(), waiting: new Map(), timer: undefined };
    clock.clearTimeout(blob.timer);
    blob.timer = clock.setTimeout(() => this.#forget(hash), IDLE_MS);
    this.#blobs.delete(hash);
    this.#blobs.set(hash, blob);
    return blob;
  }

  #forget(hash: string): void {
    const blob = this.#blobs.get(hash);
    if (!blob) return;
    this.#hop.clock.clearTimeout(blob.timer);
    this.#blobs.delete(hash);
    for (const piece of blob.pieces.values()) this.#keptBytes -= piece.length;
  }
}

interface Question {
  blob: string;
  index: number;
}

interface Refusal extends Question {
  reason: { code: string; message: string };
}

/** A piece as it travels. */
export function pieceData(hash: string, index: number, piece: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD);
  head.write(hash, 'hex');
  head.writeUInt32BE(index, 32);
  return Buffer.concat([head, piece]);
}
