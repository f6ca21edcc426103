/** What functions of fs give for files of packages, whichever way they are called. */
import type { ResourceAnswer } from '../core/resource.ts';
import { dirOf, entriesOf, statsOf, systemError } from './file-results.ts';
import type { Look, PackageFiles } from './package-files.ts';
import { readable } from './ram-file.ts';

/** Options of a function of fs. */
export type Options = Record<string, unknown>;

/** One function of fs. */
export interface Reader {
  want: Look[1];
  /** What it gives for a file or directory that is there. `rest` are its arguments after the path. */
  run(found: ResourceAnswer, path: string, rest: readonly unknown[]): unknown;
  /** Whether it may be answered with these arguments. */
  takes?(rest: readonly unknown[]): boolean;
}

const fs = require('fs') as typeof import('fs');
const { constants } = fs;

/** The options of a function that takes an encoding in their place. */
export const optionsOf = (value: unknown): Options =>
  (typeof value === 'string' ? { encoding: value } : (value as Options | null | undefined)) || {};
/** A name, as bytes where that was asked for. */
export const encoded = (text: string, options: unknown): unknown =>
  optionsOf(options)['encoding'] === 'buffer' ? Buffer.from(text) : text;
/** Whether flags open a file to be read only. */
export const isReading = (flags: unknown): boolean =>
  flags == null || /^[rs]+$/.test(flags as string) || (typeof flags === 'number' && !(flags & (3 | constants.O_CREAT | constants.O_TRUNC)));

function mustBe(kind: 'file' | 'directory', found: ResourceAnswer, call: string, path: string): void {
  if (found.kind !== kind) throw systemError(kind === 'file' ? 'EISDIR' : 'ENOTDIR', call, path);
}

function realPathOf(found: ResourceAnswer, path: string, files: PackageFiles): string {
  const query = files.query([path, 'stat']);
  return found.real === undefined || !query ? path : path.slice(0, path.length - query.path.length) + found.real;
}

/** The functions, by name. */
export function readers(files: PackageFiles): Record<string, Reader> {
  const stat: Reader = { want: 'stat', run: (found, path, [options]) => statsOf(found, path, optionsOf(options)['bigint'] === true) };
  return {
    readFile: {
      want: 'read',
      takes: ([options]) => isReading(optionsOf(options)['flag']),
      run: (found, path, [options]) => {
        mustBe('file', found, 'read', path);
        const { encoding } = optionsOf(options) as { encoding?: BufferEncoding };
        return encoding && (encoding as string) !== 'buffer'
          ? (found.content as Buffer).toString(encoding)
          : Buffer.from(found.content as Buffer);
      },
    },
    exists: { want: 'stat', run: () => true },
    stat,
    lstat: stat,
    access: {
      want: 'stat',
      run: ({ kind, mode }, path, [wanted]) => {
        if ((wanted as number) & constants.W_OK) throw systemError('EROFS', 'access', path);
        if ((wanted as number) & constants.X_OK && kind === 'file' && !((mode as number) & 0o111))
          throw systemError('EACCES', 'access', path);
      },
    },
    readdir: {
      want: 'list',
      takes: ([options]) => !optionsOf(options)['recursive'],
      run: (found, path, [options]) => {
        mustBe('directory', found, 'scandir', path);
        return entriesOf(found, path, optionsOf(options));
      },
    },
    opendir: {
      want: 'list',
      run: (found, path) => {
        mustBe('directory', found, 'opendir', path);
        return dirOf(found, path);
      },
    },
    realpath: { want: 'stat', run: (found, path, [options]) => encoded(realPathOf(found, path, files), options) },
    readlink: {
      want: 'stat',
      run: (_found, path) => {
        throw systemError('EINVAL', 'readlink', path);
      },
    },
    open: {
      want: 'read',
      takes: ([flags]) => isReading(flags),
      run: (found, path) => {
        mustBe('file', found, 'open', path);
        return readable(found.content as Buffer);
      },
    },
    copyFile: {
      want: 'read',
      run: (found, path, [target, mode]) => {
        mustBe('file', found, 'copyfile', path);
        const flag = (mode as number) & constants.COPYFILE_EXCL ? 'wx' : 'w';
        fs.writeFileSync(target as string, found.content as Buffer, { flag, mode: found.mode as number });
      },
    },
  };
}
