/**
 * Packs executables. Measured with Node 20.20.2 for x64 (cut: 86.4 MB) on two cores, as seconds of one core:
 *
 *   gzip -1  36.4 MB   0.7 s      xz -0  27.4 MB   4 s
 *   gzip -6  33.7 MB   1.7 s      xz -1  25.8 MB   7 s
 *   gzip -9  33.6 MB   7.4 s      xz -3  24.8 MB  20 s
 *                                 xz -6  22.1 MB  37 s      to unpack: gzip 0.4 s, xz 1.0 to 1.2 s
 *
 * So gzip takes level 6 (in pieces on all cores: 0.9 s), and nobody waits for xz but `mitos runtime fetch`, which takes -6. A program that could
 * use it gets gzip now and makes xz -1 for the next time, with the lowest priority; if it ends before, the next one begins anew. xz's filter for
 * x86 code saves another 4 %, but small implementations of xz on targets may lack it; for the same reason the checksum in it is CRC32.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism, setPriority } from 'node:os';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip, gzip } from 'node:zlib';
import { findProgram } from './find-program.ts';
import { startProgram } from './program.ts';

/** A file that was written, and what it is. */
export interface Packed {
  /** SHA-256, in hex. */
  blob: string;
  size: number;
}

/** How packing is watched and ended. */
export interface PackWatch {
  signal: AbortSignal;
  /** Told how many bytes of the executable are done. */
  onBytes?(bytes: number): void;
}

const PIECE = 4 * 1024 * 1024;
const compress = promisify(gzip);

/**
 * Packs a file with gzip, in pieces of 4 MiB at the same time: a file of several members is a gzip file like any other. Only a few pieces are in
 * memory. @returns what was written, and what was read
 */
export async function packGzip(source: string, target: string, watch: PackWatch): Promise<{ packed: Packed; raw: Packed }> {
  const [input, output] = [await open(source), await open(target, 'wx', 0o600)];
  const [raw, packed] = [new Sum(), new Sum()];
  const waiting: Promise<Buffer>[] = [];
  const writeOne = async (): Promise<void> => {
    const piece = await (waiting.shift() as Promise<Buffer>);
    packed.add(piece);
    await writeAll(output, piece);
    watch.onBytes?.(Math.min(raw.size, raw.size - waiting.length * PIECE));
  };
  try {
    for (;;) {
      watch.signal.throwIfAborted();
      const { buffer, bytesRead } = await input.read(Buffer.allocUnsafe(PIECE), 0, PIECE);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      raw.add(piece);
      const job = compress(piece, { level: 6 });
      job.catch(() => undefined);
      waiting.push(job);
      if (waiting.length > Math.min(4, availableParallelism())) await writeOne();
    }
    while (waiting.length > 0) await writeOne();
    return { packed: packed.end(), raw: raw.end() };
  } finally {
    await Promise.allSettled(waiting);
    await Promise.all([input.close(), output.close()]);
  }
}

/** Unpacks a gzip file. */
export async function unpackGzip(source: string, target: string, watch: PackWatch): Promise<Packed> {
  const sum = new Sum();
  await pipeline(
    createReadStream(source),
    createGunzip({ chunkSize: 256 * 1024 }),
    counted(sum, watch),
    createWriteStream(target, { flags: 'wx', mode: 0o600 }),
    { signal: watch.signal },
  );
  return sum.end();
}

/** Whether this machine can pack with xz. */
export function hasXz(): boolean {
  return findProgram('xz') !== undefined;
}

/**
 * Makes an xz file of a gzip file with the program xz. That gets its bytes from this process and gives them back, so it ends with it.
 * Throws when xz cannot do it.
 */
export async function packXz(source: string, target: string, watch: PackWatch & { isPatient: boolean }): Promise<Packed> {
  const argv = ['xz', '-c', '--check=crc32', ...(watch.isPatient ? ['-6', '-T0'] : ['-1', '-T1'])] as const;
  const { child, ended } = startProgram([...argv] as [string, ...string[]], { stdio: ['pipe', 'pipe', 'ignore'] }, watch.signal);
  if (!watch.isPatient && child.pid !== undefined) lowest(child.pid);
  const { stdin, stdout } = child;
  const [sum, fed] = [new Sum(), new Sum()];
  try {
    if (!stdin || !stdout) throw new Error('xz has no pipes');
    const feeding = pipeline(createReadStream(source), createGunzip({ chunkSize: 256 * 1024 }), counted(fed, watch), stdin, {
      signal: watch.signal,
    });
    const taking = pipeline(stdout, counted(sum), createWriteStream(target, { flags: 'wx', mode: 0o600 }), { signal: watch.signal });
    const [{ status, signal }] = await Promise.all([ended, feeding, taking]);
    if (status !== 0) throw new Error(`xz ended with ${signal ?? status}`);
    return sum.end();
  } finally {
    child.kill('SIGKILL');
    await ended.catch(() => undefined);
  }
}

/** The checksum of a file. */
export async function sumOf(file: string, signal?: AbortSignal): Promise<Packed> {
  const sum = new Sum();
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024, signal })) sum.add(chunk as Buffer);
  return sum.end();
}

class Sum {
  size = 0;
  readonly #hash: Hash = createHash('sha256');

  add(bytes: Buffer): void {
    this.size += bytes.length;
    this.#hash.update(bytes);
  }

  end(): Packed {
    return { blob: this.#hash.digest('hex'), size: this.size };
  }
}

function counted(sum: Sum, watch?: PackWatch): PassThrough {
  const through = new PassThrough();
  through.on('data', (chunk: Buffer) => {
    sum.add(chunk);
    watch?.onBytes?.(sum.size);
  });
  return through;
}

async function writeAll(output: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await output.write(bytes, at)).bytesWritten;
}

function lowest(pid: number): void {
  try {
    setPriority(pid, 19);
  } catch {
    // It ended already, or the system has no such thing.
  }
}
