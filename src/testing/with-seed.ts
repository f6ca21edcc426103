import { relative } from 'node:path';
import { createRandom, type Random, seedFromEnv } from './random.ts';

/** How {@link withSeed} runs. */
export interface SeedOptions {
  /** The seed. @default seedFromEnv() */
  seed?: number;
  /** The command that runs the same test again; the seed is put in front of it. @default this program, limited to the test `name` */
  command?: string;
}

/**
 * Runs `fn` with a random source; when it fails, says how to run it again with the same values.
 *
 * The error that `fn` threw is thrown again, its message and stack ending in the seed and the command to replay; both are also printed on
 * stderr. A thrown value that is no error becomes the `cause` of one.
 *
 * @param name The name of the test, used as the pattern in the command.
 */
export async function withSeed<T>(
  name: string,
  fn: (random: Random, seed: number) => T | Promise<T>,
  options: SeedOptions = {},
): Promise<T> {
  const seed = options.seed ?? seedFromEnv();
  try {
    return await fn(createRandom(seed), seed);
  } catch (error) {
    const replay = `MITOS_SEED=${seed} ${options.command ?? commandFor(name)}`;
    console.error(`"${name}" failed with seed ${seed}; replay: ${replay}`);
    throw withNote(error, `(seed ${seed}; replay: ${replay})`);
  }
}

function commandFor(name: string): string {
  const file = process.argv[1] === undefined ? '' : ` ${quote(relative('', process.argv[1]))}`;
  const pattern = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return `node --test-name-pattern=${quote(pattern)}${file}`;
}

function quote(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Adds to the message, and to the stack where test reporters show it from. */
function withNote(error: unknown, note: string): Error {
  if (!(error instanceof Error)) return new Error(`The test threw a value that is no error ${note}`, { cause: error });
  const { message, stack } = error;
  const changed = `${message}\n${note}`;
  const newStack = stack?.includes(message) ? stack.replace(message, () => changed) : `${changed}\n${stack ?? ''}`;
  Object.defineProperty(error, 'message', { value: changed, configurable: true, writable: true });
  Object.defineProperty(error, 'stack', { value: newStack, configurable: true, writable: true });
  return error;
}
