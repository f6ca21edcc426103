/** Files that have no name: written to memory, or where there is no such file system to an open file that was removed before it was written. */
import { randomBytes } from 'crypto';
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'fs';
import { mitosError } from '../core/errors.ts';

/** Directories to try, those in RAM first. */
export function ramDirectories(): string[] {
  return ['/dev/shm', process.env['XDG_RUNTIME_DIR'] || '/run', '/run', '/tmp'].filter((path, index, all) => all.indexOf(path) === index);
}

/** Makes such a file in `directory`, and gives its descriptor. */
export function nameless(directory: string, content: Uint8Array): number {
  const path = `${directory}/.mitos-${randomBytes(16).toString('hex')}`;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o700);
  try {
    unlinkSync(path);
    for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** Tries `use` with a file in one directory after the other. Throws `ERR_MITOS_RESOURCE` with all that was tried. */
export function withNameless<T>(content: Uint8Array, what: string, use: (fd: number) => T): T {
  const tried: string[] = [];
  for (const directory of ramDirectories()) {
    let fd: number | undefined;
    try {
      fd = nameless(directory, content);
      return use(fd);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (fd !== undefined && !/failed to map|not permitted|EACCES|EPERM/.test(`${code as string} ${message}`)) throw error;
      tried.push(`${directory} (${fd === undefined ? (code as string) : message})`);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
  throw mitosError('ERR_MITOS_RESOURCE', `Cannot ${what}: no directory takes a file for it; tried ${tried.join(', ')}`, {
    hint: 'give it a writable /dev/shm that allows programs to run',
  });
}

/** A descriptor to read `content` from; whoever gets it closes it. */
export function readable(content: Uint8Array): number {
  return withNameless(content, 'open a file of the program', (fd) => openSync(`/proc/self/fd/${fd}`, 'r'));
}
