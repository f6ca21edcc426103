/** What can be said about a program that is run, and what comes of it. */
import { type CallOptions, checkCallOptions } from './calls.ts';

/** What a program reads: text, bytes, or a flow of them. */
export type ExecInput = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/** How to run a program. */
export interface ExecOptions extends CallOptions {
  /** The directory to run it in. @default that of the context */
  cwd?: string | undefined;
  /** Variables to add to the environment of the context. */
  env?: Readonly<Record<string, string>> | undefined;
  /** `buffer` gives outputs as bytes, `utf8` as text. @default 'utf8' */
  encoding?: 'utf8' | 'buffer' | undefined;
  /** Give the result of a program that fails, too, instead of rejecting. @default false */
  nothrow?: boolean | undefined;
  /** What it finds on its standard input. @default nothing: /dev/null */
  stdin?: ExecInput | undefined;
  /**
   * Most bytes of each output that are collected for the result. When a program prints more it is stopped, and the promise rejects with
   * `ERR_MITOS_LIMIT`; an output that is read while the program runs may be of any length. @default 16777216 (16 MiB)
   */
  maxBufferBytes?: number | undefined;
}

/** How a program ended. Outputs are as they were printed, with the line break at the end. */
export interface ExecResult<T extends string | Uint8Array = string> {
  stdout: T;
  stderr: T;
  /** Null when it was ended by a signal. */
  exitCode: number | null;
  /** The signal that ended it, or null. */
  signal: string | null;
}

/** The type of the outputs that options ask for. */
export type ExecOutput<O extends ExecOptions> = O extends { encoding: 'buffer' } ? Uint8Array : string;

/** Limit of what is collected of an output. */
export const DEFAULT_MAX_BUFFER_BYTES: number = 16 * 1024 * 1024;

/** Program and arguments of a command. Throws a TypeError when it is none. */
export function argvOf(command: string | readonly string[]): readonly string[] {
  const argv = typeof command === 'string' ? ['sh', '-c', command] : command;
  if (command === '' || !Array.isArray(argv) || !argv.length || !argv[0] || !argv.every((word) => typeof word === 'string')) {
    throw new TypeError('The command must be a string for a shell, or a list of strings that begins with the program');
  }
  if (argv.some((word) => word.includes('\0'))) throw new TypeError('The command must not have a zero byte in it');
  return argv;
}

/** Refuses options that make no sense. */
export function checkExecOptions(options: ExecOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('The options must be an object');
  const { cwd, env, encoding, stdin, maxBufferBytes, nothrow } = options;
  checkCallOptions(options);
  if (cwd !== undefined && (typeof cwd !== 'string' || !cwd || cwd.includes('\0'))) throw new TypeError('cwd must be a path');
  if (env !== undefined && (typeof env !== 'object' || env === null || !Object.keys(env).every((name) => isVariable(name, env[name])))) {
    throw new TypeError('env must be an object of strings');
  }
  if (encoding !== undefined && encoding !== 'utf8' && encoding !== 'buffer') throw new TypeError("encoding must be 'utf8' or 'buffer'");
  if (nothrow !== undefined && typeof nothrow !== 'boolean') throw new TypeError('nothrow must be true or false');
  if (stdin !== undefined && typeof stdin !== 'string' && !(stdin instanceof Uint8Array) && !isIterable(stdin)) {
    throw new TypeError('stdin must be a string, a Uint8Array or an async iterable');
  }
  if (maxBufferBytes !== undefined && !(Number.isInteger(maxBufferBytes) && maxBufferBytes >= 0)) {
    throw new RangeError(`maxBufferBytes must be a number of bytes, not ${String(maxBufferBytes)}`);
  }
}

function isVariable(name: string, value: unknown): boolean {
  return typeof value === 'string' && name !== '' && !/[=\0]/.test(name) && !value.includes('\0');
}

function isIterable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] === 'function'
  );
}
