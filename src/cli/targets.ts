/** The targets of a command line: specs with the passwords that were asked for. */
import { readFileSync } from 'node:fs';
import { escapeText, parseSpec, Secret, type Step } from '../index.ts';
import { type Given, numberOf, type OptionTable, UsageError } from './command-line.ts';
import { SecretPrompt } from './terminal-secret.ts';

/** Options of commands that connect. */
export const TARGET_OPTIONS: OptionTable = {
  'ask-password': { type: 'boolean', short: 'k' },
  'ask-sudo': { type: 'boolean', short: 'K' },
  'password-file': { type: 'string' },
  timeout: { type: 'string', short: 't' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

/** A step of a target. */
export interface TargetStep {
  /** As it was written. */
  text: string;
  method: string;
  options: Record<string, unknown>;
}

/** A target. */
export interface Target {
  /** As it was written. */
  text: string;
  steps: TargetStep[];
}

/** The step as {@link Step}. */
export function specOf({ method, options }: TargetStep): Step {
  return { ...options, method } as unknown as Step;
}

/** Reads the targets, and the passwords that are wanted: from a file, or from whoever sits at the terminal. */
export async function readTargets(given: Given, command: string): Promise<Target[]> {
  const timeoutMs = numberOf(given, 'timeout', 30, command) * 1000;
  const targets = given.positionals.map((text) => readTarget(text, timeoutMs, command));
  const file = given.values['password-file'];
  const wanted = [
    ...passwordsFor(targets, given.values['ask-password'] === true, '--ask-password', /^ssh$/),
    ...passwordsFor(targets, given.values['ask-sudo'] === true, '--ask-sudo', /^(sudo|su|doas|run0)$/),
  ];
  if (typeof file === 'string' && wanted.length === 0)
    throw new UsageError('--password-file needs --ask-password or --ask-sudo, to tell what the passwords are for', command);
  // In the order of the steps.
  wanted.sort((a, b) => a.position - b.position);
  if (wanted.length > 0) await (typeof file === 'string' ? takeFromFile(wanted, file) : askFor(wanted));
  return targets;
}

function readTarget(text: string, timeoutMs: number, command: string): Target {
  try {
    const parts = text.split(',').map((part) => part.trim());
    const steps = parseSpec(text).map(({ method, ...options }, at) => ({
      text: parts[at] as string,
      method,
      options: { connectTimeoutMs: timeoutMs, ...options },
    }));
    return { text, steps };
  } catch (error) {
    throw new UsageError(`the target ${JSON.stringify(text)} is wrong: ${escapeText((error as Error).message)}`, command);
  }
}

/** A password that is wanted, once for all steps that it is for. */
interface Wanted {
  position: number;
  question: string;
  steps: TargetStep[];
}

function passwordsFor(targets: readonly Target[], isWanted: boolean, option: string, methods: RegExp): Wanted[] {
  if (!isWanted) return [];
  const wanted: Wanted[] = [];
  const length = Math.max(...targets.map(({ steps }) => steps.length));
  for (let position = 0; position < length; position++) {
    const steps = targets.flatMap((target) => target.steps[position] ?? []).filter(({ method }) => methods.test(method));
    if (steps.length === 0) continue;
    const texts = new Set(steps.map(({ text }) => text.replace(/\?.*$/, '')));
    const what = texts.size === 1 ? escapeText([...texts].join('')) : `step ${position + 1} of all targets`;
    wanted.push({ position, question: `Password for ${what}: `, steps });
  }
  if (wanted.length === 0) throw new UsageError(`${option} is for steps that the targets do not have`);
  return wanted;
}

function takeFromFile(wanted: readonly Wanted[], file: string): void {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`the passwords cannot be read: ${(error as Error).message}`);
  }
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  if (lines.length !== 1 && lines.length !== wanted.length)
    throw new UsageError(
      `the password file has ${lines.length} lines, for ${wanted.length} ${wanted.length === 1 ? 'password' : 'passwords'}`,
    );
  for (const [at, one] of wanted.entries()) give(one, lines[lines.length === 1 ? 0 : at] as string);
}

async function askFor(wanted: readonly Wanted[]): Promise<void> {
  const prompt = new SecretPrompt();
  try {
    for (const one of wanted) give(one, await prompt.ask(one.question));
  } finally {
    prompt.close();
  }
}

/** An empty answer is none: the step then does without. */
function give({ steps }: Wanted, password: string): void {
  if (password === '') return;
  const secret = new Secret(password);
  for (const step of steps) step.options['password'] = secret;
}
