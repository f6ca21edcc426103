/** What functions of fs give for files that are not here: made to be what Node itself makes. */
import { type Dir, Dirent, type Stats, statSync } from 'fs';
import { constants } from 'os';
import type { ResourceAnswer } from '../core/resource.ts';
import { namesOf } from './package-files.ts';

const TEXTS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EISDIR: 'illegal operation on a directory',
  ENOTDIR: 'not a directory',
  EROFS: 'read-only file system',
  EACCES: 'permission denied',
  EINVAL: 'invalid argument',
};

/** An error as fs throws it. */
export function systemError(code: string, call: string, path: string): Error {
  const errno = -((constants.errno as unknown as Record<string, number>)[code] || 1);
  return Object.assign(new Error(`${code}: ${TEXTS[code] as string}, ${call} '${path}'`), { errno, code, syscall: call, path });
}

const TYPE = 0o170000;

/** Facts about a file or directory. Nobody may write to it. */
export function statsOf({ kind, size = 0, mode = 0, mtimeMs = 0 }: ResourceAnswer, path: string, isBig: boolean): Stats {
  const base = statSync('/', { bigint: isBig } as { bigint: false });
  const stats = Object.assign(Object.create(Object.getPrototypeOf(base) as object), base) as Stats & Record<string, unknown>;
  let ino = 1;
  for (let at = 0; at < path.length; at++) ino = (ino * 31 + path.charCodeAt(at)) % 0x7fffffff;
  const numbers: Record<string, number> = {
    dev: 0,
    ino,
    nlink: 1,
    rdev: 0,
    size,
    blocks: Math.ceil(size / 512),
    mode: (mode & ~TYPE & ~0o222) | (kind === 'file' ? 0o100000 : 0o040000),
  };
  const time = Math.floor(mtimeMs);
  for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) {
    numbers[`${name}Ms`] = isBig ? time : mtimeMs;
    stats[name] = new Date(time);
    if (isBig) stats[`${name}Ns`] = BigInt(time) * BigInt(1e6);
  }
  for (const name of Object.keys(numbers)) stats[name] = isBig ? BigInt(numbers[name] as number) : numbers[name];
  return stats;
}

/** Entries of a directory, as `readdir` gives them. */
export function entriesOf(answer: ResourceAnswer, path: string, options: { encoding?: string; withFileTypes?: boolean }): unknown[] {
  const entries = namesOf(answer);
  if (options.withFileTypes) return entries.map(([name, isDirectory]) => direntOf(name, isDirectory, path));
  return entries.map(([name]) => (options.encoding === 'buffer' ? Buffer.from(name) : name));
}

function direntOf(name: string, isDirectory: boolean, path: string): Dirent {
  const make = Dirent as unknown as new (name: string, type: number, path: string) => Dirent;
  return new make(name, isDirectory ? 2 : 1, path);
}

/** An open directory. */
export function dirOf(answer: ResourceAnswer, path: string): Dir {
  const entries = entriesOf(answer, path, { withFileTypes: true }) as Dirent[];
  const next = (): Dirent | null => entries.shift() || null;
  const done = (callback?: (error: null, value?: unknown) => void, value?: unknown): Promise<unknown> | undefined => {
    if (!callback) return Promise.resolve(value);
    process.nextTick(callback, null, value);
    return undefined;
  };
  const dir = {
    path,
    readSync: next,
    read: (callback?: () => void) => done(callback, next()),
    closeSync: () => {},
    close: (callback?: () => void) => done(callback),
    entries: () => dir[Symbol.asyncIterator](),
    async *[Symbol.asyncIterator]() {
      for (let entry = next(); entry; entry = next()) yield entry;
    },
  };
  return dir as unknown as Dir;
}
