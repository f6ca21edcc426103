/** The functions that the benchmark calls in other contexts. */

/** Does nothing. */
export function nothing(): void {}

const buffers = new Map<number, Uint8Array>();

/** Gives bytes; the same ones each time, so that only their way is measured. */
export function bytes(size: number): Uint8Array {
  let buffer = buffers.get(size);
  if (!buffer) buffers.set(size, (buffer = new Uint8Array(size).fill(7)));
  return buffer;
}
