/** What an examination finds: facts, one line each. */
import type { Context, Router } from '../../index.ts';
import { passShutdown } from '../failure.ts';

/** A place from which something is examined. */
export type Place = Context | Router;

/** How good a fact is; a `note` is neither good nor bad. */
export type FactState = 'ok' | 'note' | 'warning' | 'failed';

/** One fact. */
export interface Fact {
  state: FactState;
  /** What it is about, a word or two. */
  what: string;
  /** A sentence without its full stop. May hold what others chose: escape it. */
  text: string;
  /** What to do about it. */
  hint?: string;
  /** The same for a program. */
  data?: Readonly<Record<string, unknown>>;
}

/** Makes a fact. */
export function fact(
  state: FactState,
  what: string,
  text: string,
  more: { hint?: string; data?: Readonly<Record<string, unknown>> } = {},
): Fact {
  return { state, what, text, ...more };
}

/** What a program printed. */
export interface Ran {
  /** Null when it was not run to its end; `problem` says why. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
  problem?: string;
}

/** Time for one program, in milliseconds. */
const PROGRAM_TIMEOUT_MS = 6000;

/** Nothing translated, and no dialogue on somebody's screen. */
const ENV: Readonly<Record<string, string>> = { LC_ALL: 'C', SSH_ASKPASS_REQUIRE: 'never', GIT_TERMINAL_PROMPT: '0' };

/** Runs a program in a place, for a limited time. Rejects only when the whole program is being ended. */
export async function run(
  place: Place,
  argv: readonly string[],
  options: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<Ran> {
  const { timeoutMs = PROGRAM_TIMEOUT_MS, env } = options;
  try {
    const { exitCode, signal, stdout, stderr } = await place.exec(argv, { nothrow: true, timeoutMs, env: { ...ENV, ...env } });
    return { exitCode, stdout, stderr, ...(signal ? { problem: `ended by ${signal}` } : {}) };
  } catch (error) {
    passShutdown(error);
    return { exitCode: null, stdout: '', stderr: '', problem: (error as Error).message };
  }
}

/** The facts of several examinations, in their order. One that fails is a fact too; none takes longer than its time. */
export async function collect(examinations: readonly (readonly [what: string, facts: Promise<readonly Fact[]>])[]): Promise<Fact[]> {
  const lists = await Promise.all(
    examinations.map(([what, facts]) =>
      facts.catch((error: unknown) => {
        passShutdown(error);
        return [fact('note', what, `could not be examined: ${(error as Error).message}`)];
      }),
    ),
  );
  return lists.flat();
}

/** The last line of a text that says something. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

/** The first line of a text. */
export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]?.trim() ?? '';
}

/** `a, b and 3 more`. */
export function listed(items: readonly string[], limit = 5): string {
  const more = items.length - limit;
  return more > 0 ? `${items.slice(0, limit).join(', ')} and ${more} more` : items.join(', ');
}
