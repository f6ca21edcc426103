/**
 * What reading and transforming modules gave, kept on disk for the next run. An entry goes by the hash of a text and of everything else that it
 * was made from: the versions of mitos, its tools and Node among them; so an entry is never out of date, only in the way. What is not ours, not
 * whole or not readable counts for nothing, and no failure of the disk is ever seen by a call.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Bytes that the cache may take; what was not used for longest goes first. */
export const MAX_CACHE_BYTES: number = 256 * 1024 * 1024;

const DAY_MS = 24 * 60 * 60_000;
/** Writing waits for this long after the last thing learned, and gives way to the program after each slice. */
const IDLE_MS = 500;
const SLICE_MS = 10;

/** What has been found out about one text, by name: anything that JSON can hold. Long strings cost what they are long. */
export interface Notes {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
}

/** Notes that are kept nowhere. */
export function plainNotes(): Notes {
  return new Map<string, unknown>();
}

class Entry implements Notes {
  readonly file: string;
  isChanged = false;
  readonly #values: Map<string, unknown>;
  readonly #onChange: (entry: Entry) => void;

  constructor(file: string, values: Map<string, unknown>, onChange: (entry: Entry) => void) {
    this.file = file;
    this.#values = values;
    this.#onChange = onChange;
  }

  get(name: string): unknown {
    return this.#values.get(name);
  }

  set(name: string, value: unknown): void {
    this.#values.set(name, value);
    if (!this.isChanged) this.#onChange(this);
    this.isChanged = true;
  }

  pack(): Buffer {
    return pack(this.#values);
  }
}

/** The cache of one program. */
export class ModuleCache {
  readonly #directory: string | undefined;
  readonly #changed = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  /** @param directory Where entries are kept; undefined keeps none. */
  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /** The notes on a text; `inputs` says what else they depend on. */
  open(text: string | Buffer, inputs: string): Notes {
    if (this.#directory === undefined) return plainNotes();
    const name = createHash('sha256').update(`${makers()}\0${inputs}\0`).update(text).digest('hex');
    const file = join(this.#directory, name);
    return new Entry(file, readEntry(file) ?? new Map<string, unknown>(), (entry) => this.#onChange(entry));
  }

  /** Bytes made of bytes; `how` says in which way. They are made once. */
  bytes(data: Buffer, how: string, make: () => Buffer): Buffer {
    const notes = this.open(data, how);
    const known = notes.get('bytes');
    if (typeof known === 'string') return Buffer.from(known, 'base64');
    const made = make();
    notes.set('bytes', made.toString('base64'));
    return made;
  }

  /** Writes what is not written yet, and stops writing by itself until more is learned. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#directory === undefined || !this.#changed.size) return;
    let until = performance.now() + SLICE_MS;
    for (const entry of this.#changed) {
      this.#changed.delete(entry);
      entry.isChanged = false;
      if (!writeEntry(entry.file, entry.pack())) return;
      if (performance.now() < until) continue;
      await new Promise((resolve) => setImmediate(resolve));
      until = performance.now() + SLICE_MS;
    }
    prune(this.#directory);
  }

  #onChange(entry: Entry): void {
    this.#changed.add(entry);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), IDLE_MS).unref();
  }
}

let made: string | undefined;

/** Who makes the entries: this library with its tools, as it lies on disk, and Node. */
function makers(): string {
  if (made === undefined) {
    const here = dirname(fileURLToPath(import.meta.url));
    const files = readdirSync(here).filter((name) => /\.[jt]s$/.test(name));
    const { version, dependencies } = JSON.parse(readFileSync(join(here, '../../package.json'), 'utf8')) as Record<string, unknown>;
    made = JSON.stringify([1, process.version, version, dependencies, files.map((name) => [name, statSync(join(here, name)).mtimeMs])]);
  }
  return made;
}

/** `[names and lengths]`, a line break, the values as JSON; before it all, their hash. Strings are kept as they are, which is faster. */
function pack(values: ReadonlyMap<string, unknown>): Buffer {
  const parts: Buffer[] = [];
  const table = [...values].map(([name, value]) => {
    const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    parts.push(bytes);
    return [name, typeof value === 'string', bytes.length];
  });
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(table)}\n`), ...parts]);
  return Buffer.concat([createHash('sha256').update(body).digest(), body]);
}

function unpack(data: Buffer): Map<string, unknown> | undefined {
  const body = data.subarray(32);
  if (!createHash('sha256').update(body).digest().equals(data.subarray(0, 32))) return undefined;
  let at = body.indexOf(10) + 1;
  const table = JSON.parse(body.toString('utf8', 0, at)) as [name: string, isText: boolean, length: number][];
  return new Map(
    table.map(([name, isText, length]) => {
      const value = body.toString('utf8', at, (at += length));
      return [name, isText ? value : (JSON.parse(value) as unknown)];
    }),
  );
}

/** An entry that the user's own process wrote, and wrote to its end. */
function readEntry(file: string): Map<string, unknown> | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0 || stat.size > MAX_CACHE_BYTES) return undefined;
    const values = unpack(readFileSync(fd));
    if (values && Date.now() - stat.mtimeMs > DAY_MS) futimesSync(fd, new Date(), new Date());
    return values;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

let writes = 0;

/** All of it or nothing, whoever else writes the same. */
function writeEntry(file: string, data: Buffer): boolean {
  const temporary = `${file}.${process.pid}.${++writes}.tmp`;
  try {
    writeFileSync(temporary, data, { flag: 'wx', mode: 0o600 });
    renameSync(temporary, file);
    return true;
  } catch {
    remove(temporary);
    return false;
  }
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Gone already, or not to be had: it is a cache.
  }
}

/** Once a day: what a process left half written goes, and the oldest entries if all take more than `maxBytes`. */
export function prune(directory: string, maxBytes: number = MAX_CACHE_BYTES): void {
  const mark = join(directory, 'pruned');
  try {
    if (Date.now() - (statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0) < DAY_MS) return;
    writeFileSync(mark, '', { mode: 0o600 });
    let total = 0;
    const entries = readdirSync(directory)
      .filter((name) => name !== 'pruned')
      .map((name) => {
        const file = join(directory, name);
        const { size, mtimeMs } = statSync(file);
        total += size;
        return { file, size, mtimeMs, isHalf: name.endsWith('.tmp') && Date.now() - mtimeMs > DAY_MS };
      })
      .sort((a, b) => a.mtimeMs - b.mtimeMs);
    const isFull = total > maxBytes;
    for (const { file, size, isHalf } of entries) {
      if (!isHalf && !(isFull && total > maxBytes * 0.75)) continue;
      remove(file);
      total -= size;
    }
  } catch {
    // Another process is at it.
  }
}
