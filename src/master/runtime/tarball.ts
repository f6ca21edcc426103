/**
 * Takes the executable out of a tarball: `bin/node` below one directory, whatever that is called. Nothing else is read, nothing is unpacked.
 *
 * The format (POSIX ustar) is blocks of 512 bytes: a header with name, size in octal digits and a sum of its bytes, then the content, padded.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { pushError } from './failure.ts';
import { startProgram } from './program.ts';

const BLOCK = 512;

/** Where an executable is taken from. */
export interface Archive {
  file: string;
  packing: 'gzip' | 'xz';
}

/** Writes the executable in `archive` to `target`. Throws when there is none, or when the archive is damaged. */
export async function extractExecutable(archive: Archive, target: string, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const end = AbortSignal.any([signal, stop.signal]);
  const unpacked = archive.packing === 'gzip' ? gunzipped(archive.file, end) : unxzipped(archive.file, end);
  try {
    const found = await findEntry(new Blocks(unpacked[Symbol.asyncIterator]() as AsyncIterator<Buffer>));
    await pipeline(found, createWriteStream(target, { flags: 'wx', mode: 0o700 }), { signal });
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('ERR_MITOS_') || code === 'ENOSPC' || code === 'EDQUOT') throw error;
    throw pushError(`${JSON.stringify(archive.file)} is damaged: ${message}`, { cause: error, hint: 'replace the file' });
  } finally {
    stop.abort(); // what comes behind the executable is not needed
  }
}

/** Gives bytes in the amounts that are asked for. */
class Blocks {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterator<Buffer>) {
    this.#source = source;
  }

  /** At least one byte, at most `length`; throws at the end. */
  async some(length: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) throw new Error('it ends too early');
      this.#rest = next.value;
    }
    const given = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(given.length);
    return given;
  }

  async block(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = BLOCK; left > 0; ) {
      const part = await this.some(left);
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  async *content(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      const part = await this.some(left);
      left -= part.length;
      yield part;
    }
  }
}

async function findEntry(blocks: Blocks): Promise<AsyncGenerator<Buffer>> {
  for (;;) {
    const header = await blocks.block();
    if (header.every((byte) => byte === 0)) throw new Error('there is no bin/node in it');
    const { name, size, isFile } = readHeader(header);
    if (isFile && /^[^/]+\/bin\/node$/.test(name.replace(/^\.\//, ''))) return blocks.content(size);
    for await (const _ of blocks.content(Math.ceil(size / BLOCK) * BLOCK));
  }
}

function readHeader(header: Buffer): { name: string; size: number; isFile: boolean } {
  const text = (from: number, to: number): string => header.toString('latin1', from, to).replace(/\0.*$/s, '');
  let sum = 8 * 0x20; // its own field counts as blanks
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at] as number;
  if (Number.parseInt(text(148, 156), 8) !== sum) throw new Error('it is no tar archive');
  const size = Number.parseInt(text(124, 136), 8);
  if (!(size >= 0)) throw new Error('an entry has no size');
  const prefix = text(257, 262) === 'ustar' ? text(345, 500) : '';
  const type = header[156];
  return { name: (prefix ? `${prefix}/` : '') + text(0, 100), size, isFile: type === 0x30 || type === 0 };
}

function gunzipped(file: string, signal: AbortSignal): Readable {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), gunzip, { signal }).catch((error: Error) => gunzip.destroy(error));
  return gunzip;
}

function unxzipped(file: string, signal: AbortSignal): Readable {
  const output = new PassThrough();
  const { child, ended } = startProgram(['xz', '-dc', '--', file], { stdio: ['ignore', 'pipe', 'pipe'] }, signal);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-500);
  });
  child.stdout?.pipe(output, { end: false });
  ended.then(
    ({ status }) => (status === 0 ? output.end() : output.destroy(new Error(said.trim() || `xz ended with ${status}`))),
    (error: NodeJS.ErrnoException) =>
      output.destroy(error.code === 'ENOENT' ? new Error('the program xz, which unpacks it, is not on this machine') : error),
  );
  return output;
}
