/**
 * Functions of fs that read, for paths inside packages of the program: each is written once, as a generator that yields what it has to know, and run
 * blocking, with a callback, or as a promise. All other paths go to the function that was there.
 */
import { promisify } from 'util';
import type { ResourceAnswer } from '../core/resource.ts';
import { encoded, isReading, type Options, optionsOf, type Reader, readers } from './file-readers.ts';
import { systemError } from './file-results.ts';
import { isThere, type Look, type PackageFiles } from './package-files.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- functions of fs are replaced whatever their types
type AnyFunction = (this: unknown, ...args: any[]) => any;
type Functions = Record<string, AnyFunction & Record<string, unknown>>;
type Fs = typeof import('fs');
type Steps = Generator<Look, unknown, ResourceAnswer>;

const fs = require('fs') as Fs;
const { closeSync } = fs;

/** The result, or undefined where the function that was there has to be asked; then with what the master said of it. */
interface Outcome {
  value?: unknown;
  isHere: boolean;
  reason?: string | undefined;
}

function* steps(reader: Reader, path: string, rest: readonly unknown[]): Steps {
  const found = yield [path, reader.want];
  return isThere(found)
    ? { isHere: true, value: reader.run(found, path, rest) }
    : { isHere: false, reason: found.kind === 'refused' ? found.message : undefined };
}

/**
 * The error of the function that was there, for a path of the program: what may not even be looked up here is not there. With what the master said of it.
 */
function explained(error: unknown, reason: string | undefined, path: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const shown = code === 'EACCES' ? systemError('ENOENT', syscall as string, path) : (error as Error);
  if (reason !== undefined && /^(ENOENT|EACCES)$/.test(code as string))
    shown.message += ` (the program does not give its own file away: ${reason})`;
  return shown;
}

/** Puts a function in the place of another, with all that hangs on that. */
function replace(holder: object, name: string, make: (was: AnyFunction) => AnyFunction): void {
  const functions = holder as Functions;
  const was = functions[name];
  if (typeof was !== 'function') return;
  const made = make(was);
  const { [promisify.custom]: _custom, ...descriptors } = Object.getOwnPropertyDescriptors(was) as PropertyDescriptorMap;
  Object.defineProperties(made, descriptors);
  functions[name] = made as Functions[string];
}

class Patch {
  readonly #files: PackageFiles;

  constructor(files: PackageFiles) {
    this.#files = files;
  }

  sync(holder: object, name: string, reader: Reader): void {
    const files = this.#files;
    replace(holder, name, (was) => {
      return function (this: unknown, ...args) {
        const [path, ...rest] = args as unknown[];
        const full = !reader.takes || reader.takes(rest) ? files.inside(path) : undefined;
        if (full === undefined) return was.apply(this, args) as unknown;
        const todo = steps(reader, full, rest);
        let step = todo.next();
        while (!step.done) step = todo.next(files.lookSync(step.value));
        const { isHere, value, reason } = step.value as Outcome;
        if (isHere) return value;
        try {
          return was.apply(this, args) as unknown;
        } catch (error) {
          if (optionsOf(rest[0])['throwIfNoEntry'] === false) return undefined;
          throw explained(error, reason, full);
        }
      };
    });
  }

  async #run(reader: Reader, path: string, rest: readonly unknown[]): Promise<Outcome> {
    const todo = steps(reader, path, rest);
    let step = todo.next();
    while (!step.done) step = todo.next(await this.#files.look(step.value));
    return step.value as Outcome;
  }

  callback(holder: object, name: string, reader: Reader): void {
    const files = this.#files;
    const run = (path: string, rest: readonly unknown[]): Promise<Outcome> => this.#run(reader, path, rest);
    replace(holder, name, (was) => {
      return function (this: unknown, ...args) {
        const [path, ...rest] = args as unknown[];
        const done = rest.pop() as AnyFunction;
        const full = typeof done === 'function' && (!reader.takes || reader.takes(rest)) ? files.inside(path) : undefined;
        if (full === undefined) return was.apply(this, args) as unknown;
        const isBare = name === 'exists';
        const answer = ({ isHere, value, reason }: Outcome): void => {
          if (isHere) process.nextTick(done, ...(isBare ? [true] : [null, value]));
          else
            was.call(this, path, ...rest, (...results: unknown[]) => {
              if (!isBare && results[0]) results[0] = explained(results[0], reason, full);
              done(...results);
            });
        };
        run(full, rest).then(answer, (error) => process.nextTick(done, ...(isBare ? [false] : [error])));
        return undefined;
      };
    });
  }

  promise(holder: object, name: string, reader: Reader, convert: (value: unknown) => unknown = (value) => value): void {
    const files = this.#files;
    const run = (path: string, rest: readonly unknown[]): Promise<Outcome> => this.#run(reader, path, rest);
    replace(holder, name, (was) => {
      return async function (this: unknown, ...args) {
        const [path, ...rest] = args as unknown[];
        const full = !reader.takes || reader.takes(rest) ? files.inside(path) : undefined;
        if (full === undefined) return was.apply(this, args) as unknown;
        const { isHere, value, reason } = await run(full, rest);
        if (isHere) return convert(value);
        return (was.apply(this, args) as Promise<unknown>).catch((error) => {
          throw explained(error, reason, full);
        });
      };
    });
  }

  /** A function that writes: what it has written is looked up here from now on. */
  writer(holder: object, name: string): void {
    const files = this.#files;
    replace(holder, name, (was) => {
      return function (this: unknown, ...args) {
        for (const path of args.slice(0, 2)) files.write(path);
        return was.apply(this, args) as unknown;
      };
    });
  }
}

const WRITERS = ['writeFile', 'appendFile', 'truncate', 'rename', 'unlink', 'rm', 'rmdir', 'mkdir', 'symlink', 'link', 'createWriteStream'];

/** All entries below a directory, for `readdir` with `recursive`. */
async function below(path: string, options: Options, list: (path: string, options: Options) => Promise<unknown[]>): Promise<unknown[]> {
  const out: unknown[] = [];
  for (const entry of (await list(path, { withFileTypes: true })) as import('fs').Dirent[]) {
    out.push(options['withFileTypes'] ? entry : encoded(entry.name, options));
    if (!entry.isDirectory()) continue;
    for (const inner of await below(`${path}/${entry.name}`, options, list))
      out.push(options['withFileTypes'] ? inner : encoded(`${entry.name}/${String(inner)}`, options));
  }
  return out;
}

function belowSync(path: string, options: Options): unknown[] {
  const out: unknown[] = [];
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    out.push(options['withFileTypes'] ? entry : encoded(entry.name, options));
    if (!entry.isDirectory()) continue;
    for (const inner of belowSync(`${path}/${entry.name}`, options))
      out.push(options['withFileTypes'] ? inner : encoded(`${entry.name}/${String(inner)}`, options));
  }
  return out;
}

/** Replaces the functions of fs in this thread. */
export function installFiles(files: PackageFiles): void {
  const patch = new Patch(files);
  const { promises } = fs;
  const table = readers(files);
  for (const name of WRITERS) {
    for (const holder of [fs, promises]) patch.writer(holder, name);
    patch.writer(fs, `${name}Sync`);
  }
  for (const name of Object.keys(table)) {
    const reader = table[name] as Reader;
    patch.sync(fs, `${name}Sync`, reader);
    patch.callback(fs, name, reader);
    patch.promise(promises, name, reader, name === 'open' ? handleOf : undefined);
  }
  const { realpath } = table as { realpath: Reader };
  patch.sync(fs.realpathSync, 'native', realpath);
  patch.callback(fs.realpath, 'native', realpath);
  for (const holder of [fs, promises]) replace(holder, 'open', (was) => written(files, was));
  replace(fs, 'openSync', (was) => written(files, was));
  replaceRecursive(files);
  Object.defineProperty(fs.exists, promisify.custom, { value: (path: string) => new Promise((resolve) => fs.exists(path, resolve)) });
}

/** A file that is opened to be written. */
function written(files: PackageFiles, was: AnyFunction): AnyFunction {
  return function (this: unknown, path, flags, ...rest) {
    if (typeof flags !== 'function' && !isReading(flags)) files.write(path);
    return was.call(this, path, flags, ...rest) as unknown;
  };
}

/** A descriptor as a FileHandle. */
async function handleOf(fd: unknown): Promise<unknown> {
  try {
    return await fs.promises.open(`/proc/self/fd/${fd as number}`, 'r');
  } finally {
    closeSync(fd as number);
  }
}

function replaceRecursive(files: PackageFiles): void {
  const isOurs = (path: unknown, options: unknown): string | undefined =>
    typeof options === 'object' && options && (options as Options)['recursive'] ? files.inside(path) : undefined;
  replace(fs, 'readdirSync', (was) => {
    return function (this: unknown, path, options, ...rest) {
      const full = isOurs(path, options);
      return full !== undefined && isThere(files.lookSync([full, 'list']))
        ? belowSync(full, options as Options)
        : (was.call(this, path, options, ...rest) as unknown);
    };
  });
  replace(fs.promises, 'readdir', (was) => {
    return async function (this: unknown, path, options) {
      const full = isOurs(path, options);
      const list = fs.promises.readdir as unknown as (path: string, options: Options) => Promise<unknown[]>;
      return full !== undefined && isThere(await files.look([full, 'list']))
        ? below(full, options as Options, list)
        : (was.call(this, path, options) as unknown);
    };
  });
}
