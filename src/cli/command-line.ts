/** Reads command lines. What makes no sense is a {@link UsageError}, with a suggestion where there is a likely one. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** The command line makes no sense. */
export class UsageError extends Error {
  /** Whose help tells more. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.command = command;
  }
}

/** Options by their long names, as `parseArgs` takes them. */
export type OptionTable = NonNullable<ParseArgsConfig['options']>;

/** What was given. */
export interface Given {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
  /** What stands behind `--`. */
  rest: string[];
}

/** Takes the arguments of a command apart. */
export function readArguments(args: readonly string[], options: OptionTable, command?: string): Given {
  try {
    // Elsewhere nothing but targets can stand there.
    const end = command === 'run' && args.includes('--') ? args.indexOf('--') : args.length;
    const { values, positionals } = parseArgs({ args: args.slice(0, end), allowPositionals: true, options });
    return { values: values as Given['values'], positionals, rest: args.slice(end + 1) };
  } catch (error) {
    const message = String((error as Error).message)
      .replace(/\. .*$/s, '')
      .replace(/\n/g, ' ')
      .replace(/^([A-Z])(?=[a-z])/, (letter) => letter.toLowerCase());
    const unknown = /^unknown option '--([^']*)'/.exec(message)?.[1];
    throw new UsageError(message + (unknown === undefined ? '' : suggest(unknown, Object.keys(options), '--')), command);
  }
}

/** `, did you mean "…"?` where a word is close to one that exists. */
export function suggest(word: string, known: readonly string[], prefix = ''): string {
  const ranked = known
    .map((name) => ({ name, steps: name.startsWith(word) && word.length > 1 ? 0 : distance(word, name) }))
    .sort((a, b) => a.steps - b.steps);
  const best = ranked[0];
  return best && best.steps <= Math.min(2, Math.floor(word.length / 2)) ? `, did you mean ${prefix}${best.name}?` : '';
}

/** How many letters have to be changed, put in or taken out. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** A number above 0 that was given for an option. */
export function numberOf(given: Given, option: string, fallback: number, command: string, isWhole = false): number {
  const text = given.values[option];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0 && value <= 86_400) || (isWhole && !Number.isInteger(value)))
    throw new UsageError(`--${option} must be a ${isWhole ? 'whole ' : ''}number above 0, not ${JSON.stringify(text)}`, command);
  return value;
}
