/** What links have in common that are started more than once: what was written is written again, and the owner sees one child. */
import type { Transport } from '../core/transport.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';

/** Sends what was written before to each new inner transport, until one of them has answered. */
export class ReplayTransport implements Transport {
  onData: (chunk: Buffer) => void = () => {};
  onDrain: () => void = () => {};
  onClose: (reason: Error | undefined) => void = () => {};
  /** What was written; undefined once it need not be written again. */
  written: Uint8Array[] | undefined = [];
  #inner: Transport | undefined;

  use(inner: Transport): void {
    this.#inner = inner;
    inner.onData = (chunk) => this.onData(chunk);
    inner.onDrain = () => this.#inner === inner && this.onDrain();
    inner.onClose = (reason) => !this.written && this.onClose(reason);
    if (this.written?.length && inner.write(this.written.slice())) this.onDrain();
  }

  /** Holds what is written, until there is another one to use. */
  leave(): void {
    this.#inner = undefined;
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.written) this.written.push(...chunks);
    return this.#inner ? this.#inner.write(chunks) : false;
  }
  pause(): void {
    this.#inner?.pause();
  }
  resume(): void {
    this.#inner?.resume();
  }
  end(): void {
    this.#inner?.end();
  }
  destroy(reason?: Error): void {
    this.#inner?.destroy(reason);
  }
}

/** A link that stands for others, one after another; `current` gives the one of now. Its maker passes on output and words. */
export function standIn(transport: Transport, current: () => ChildLink, exited: Promise<ExitStatus>, kill: () => void): ChildLink {
  const { preamble, isBlind, tail } = current();
  return {
    ...{ transport, preamble, isBlind, tail, exited, kill },
    get marker() {
      return current().marker;
    },
    get argv() {
      return current().argv;
    },
    onOutput: () => {},
    onWord: () => {},
    noise: () => current().noise(),
  };
}
