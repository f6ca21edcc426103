/** The bytes of a program on the other side of an ssh connection; they wait until there is one. */
import type { Duplex } from 'node:stream';
import type { Transport } from '../core/transport.ts';
import type { Channel } from './ssh2.ts';

/** A transport over a channel. */
export class ChannelTransport implements Transport {
  onData: (chunk: Buffer) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  #waiting: Uint8Array[] = [];
  #channel: Channel | undefined;
  /** What all channels of the connection are written to. */
  #socket: Duplex | undefined;
  #isPaused = false;
  #isClosed = false;

  /** Starts to use a channel: what has waited goes out in one piece. */
  open(channel: Channel, socket: Duplex): void {
    this.#channel = channel;
    this.#socket = socket;
    channel.on('data', (chunk: Buffer) => this.onData(chunk));
    channel.on('end', () => this.destroy());
    channel.on('close', () => this.destroy());
    channel.on('error', (error: Error) => this.destroy(error));
    if (this.#isPaused) channel.pause();
    if (this.#isClosed) closeChannel(channel);
    else if (this.#waiting.length) this.#send(this.#waiting.splice(0));
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
    if (this.#channel) this.#send(chunks);
    else this.#waiting.push(...chunks);
    return false;
  }

  /** The channel takes as much as the other side has room for; the socket below keeps all it is given, so it is waited for as well. */
  #send(chunks: readonly Uint8Array[]): void {
    const [channel, socket] = [this.#channel as Channel, this.#socket as Duplex];
    const onTaken = (): void => {
      if (this.#isClosed) return;
      if (socket.writableNeedDrain) socket.once('drain', onTaken);
      else this.onDrain();
    };
    socket.cork();
    chunks.forEach((chunk, index) => channel.write(chunk, index === chunks.length - 1 ? onTaken : undefined));
    socket.uncork();
  }

  pause(): void {
    this.#isPaused = true;
    this.#channel?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#channel?.resume();
  }

  end(): void {
    if (this.#channel) this.#channel.end(() => this.destroy());
    else this.destroy();
  }

  destroy(reason?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    closeChannel(this.#channel);
    this.onClose(reason);
  }
}

/** Says that nothing more will come. Where the connection is gone, ssh2 may throw instead: with compression it does. */
function closeChannel(channel: Channel | undefined): void {
  try {
    channel?.destroy();
  } catch {
    // there is nobody to tell any more
  }
}
