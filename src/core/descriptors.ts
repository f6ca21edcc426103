/** The descriptors of the protocol, read before there is a loop, or while it stands still. */
import { closeSync, readdirSync, readFileSync, readSync } from 'fs';

/** Where the parent's bytes come in, as the first stage leaves it. */
export const IN = 3;
/** Where bytes for the parent go. */
export const OUT = 4;

/** Blocks this thread for a millisecond. */
export function rest(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Reads what is there: the number of bytes, 0 at the end, -1 when nothing came within a millisecond. */
export function tryRead(into: Buffer, at: number): number {
  try {
    return readSync(IN, into, at, into.length - at, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    rest();
    return -1;
  }
}

/** Reads exactly `size` bytes; ends the process when the parent is gone before. */
export function readExactly(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const read = tryRead(bytes, at);
    if (read === 0) process.exit(1);
    if (read > 0) at += read;
  }
  return bytes;
}

/** Closes descriptors that were inherited by mistake: those above the protocol's that would survive an exec. */
export function closeStrayDescriptors(): void {
  try {
    for (const name of readdirSync('/proc/self/fd')) if (Number(name) > OUT) closeUnlessOwn(Number(name));
  } catch {
    // no /proc here
  }
}

function closeUnlessOwn(fd: number): void {
  try {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    if (flags && !(parseInt(flags[1] as string, 8) & 0o2000000)) closeSync(fd);
  } catch {
    // closed meanwhile: the listing's own descriptor
  }
}
