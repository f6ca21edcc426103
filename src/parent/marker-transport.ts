/** Holds the protocol back until the first stage's marker: everything before is noise of shells, banners and rc files. */
import type { Transport } from '../core/transport.ts';

/** Most noise kept for error texts, in bytes; more is read and dropped. */
const KEEP = 4096;

/** What the first stage says. */
export type StageWord = { word: 'ok' | 'none' | 'old'; text: string };

/** A transport whose bytes begin behind the marker line. */
export class MarkerTransport implements Transport {
  onData: (chunk: Buffer) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  /** The last of what came before the marker. */
  noise: Buffer = Buffer.alloc(0);
  readonly #inner: Transport;
  readonly #marker: string;
  readonly #onWord: (said: StageWord) => void;
  readonly #onNoise: (chunk: Buffer) => void;
  #state: 'noise' | 'first' | 'open' = 'noise';

  constructor(inner: Transport, marker: string, onWord: (said: StageWord) => void, onNoise: (chunk: Buffer) => void) {
    this.#inner = inner;
    this.#marker = marker;
    this.#onWord = onWord;
    this.#onNoise = onNoise;
    inner.onData = (chunk) => this.#take(chunk);
    inner.onDrain = () => this.onDrain();
    inner.onClose = (reason) => this.onClose(reason);
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#inner.write(chunks);
  }
  pause(): void {
    this.#inner.pause();
  }
  resume(): void {
    this.#inner.resume();
  }
  end(): void {
    this.#inner.end();
  }
  destroy(reason?: Error): void {
    this.#inner.destroy(reason);
  }

  #take(chunk: Buffer): void {
    if (this.#state === 'open') {
      this.onData(chunk);
      return;
    }
    const bytes = Buffer.concat([this.noise, chunk]);
    if (this.#state === 'noise') this.#seekMarker(bytes, chunk);
    else this.#seekFrame(bytes);
  }

  #seekMarker(bytes: Buffer, chunk: Buffer): void {
    const at = bytes.indexOf(`${this.#marker} `);
    const end = at < 0 ? -1 : bytes.indexOf(10, at);
    if (end < 0) {
      this.noise = at < 0 ? bytes.subarray(-KEEP) : bytes.subarray(at);
      this.#onNoise(chunk);
      return;
    }
    const [word, ...rest] = bytes
      .toString('utf8', at + this.#marker.length + 1, end)
      .trim()
      .split(' ');
    this.noise = Buffer.alloc(0);
    this.#state = 'first';
    this.#onWord({ word: word === 'ok' ? 'ok' : 'none', text: rest.join(' ') });
    if (end + 1 < bytes.length) this.#seekFrame(bytes.subarray(end + 1));
  }

  /** What follows is frames, unless Node says that it is too old. */
  #seekFrame(bytes: Buffer): void {
    if (!'old '.startsWith(bytes.toString('latin1', 0, 4))) {
      this.#state = 'open';
      this.noise = Buffer.alloc(0);
      this.onData(bytes);
      return;
    }
    const end = bytes.indexOf(10);
    if (end < 0) this.noise = bytes;
    else this.#onWord({ word: 'old', text: bytes.toString('utf8', 4, end) });
  }
}
