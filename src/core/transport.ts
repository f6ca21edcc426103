/** A byte link to a neighbour: a pipe, a socket, a MessagePort, or memory in tests. It knows nothing of frames. */
export interface Transport {
  /** Hands bytes over; returns false when the writer should wait for `onDrain`. Takes ownership of the buffers. */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Set by the owner before any byte flows. */
  onData: (chunk: Buffer) => void;
  /** Called when writing may go on after `write` returned false. */
  onDrain: () => void;
  /** Called once, when no byte will come or go any more; `reason` is unset for an orderly end. */
  onClose: (reason: Error | undefined) => void;
  /** Stops reading. */
  pause(): void;
  /** Starts reading again. */
  resume(): void;
  /** Ends after what was written has gone out; then `onClose`. Idempotent. */
  end(): void;
  /** Drops everything at once. Idempotent. */
  destroy(reason?: Error): void;
}
