import type { Writable } from 'stream';

/** Writes what comes, as fast as it is taken, and ends the stream. Stops early when the stream is gone. */
export async function copy(iterator: AsyncIterator<Uint8Array>, writable: Writable): Promise<void> {
  for (;;) {
    const { done, value } = await iterator.next();
    if (done || writable.destroyed) break;
    if (writable.write(value)) continue;
    await new Promise((resolve) => {
      writable.once('drain', resolve);
      writable.once('close', resolve);
    });
  }
  writable.end();
}
