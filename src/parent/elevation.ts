/** What methods have in common that make another user of this process. */
import type { ConnectOrder } from '../core/connect-order.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { ExitStatus } from './child-link.ts';
import { inheritedEnvironment } from './environment.ts';
import type { Failure, Progress } from './failure.ts';
import { shellWord } from './quote.ts';
import type { Attempt } from './retrying-link.ts';

/** The user to become. Checked here too: whoever sent the order need not have done so. */
export function userOf({ options: { username = 'root' } }: ConnectOrder): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!/^(?!-)[^\s\0-\x1f\x7f]+$/.test(username as string)) throw new TypeError('username is no name');
  return username as string;
}

/** The password, which has to fit on a line: what is typed behind it would reach something else. */
export function passwordOf({ options: { password } }: ConnectOrder): Buffer | undefined {
  if (password && /[\0\r\n]/.test((password as Buffer).toString('latin1'))) throw new TypeError('password has to be one line');
  return password as Buffer | undefined;
}

/** Has a program speak English, and puts back what that takes before the first stage runs. */
export function inEnglish(): { env: NodeJS.ProcessEnv; inner: string[] } {
  const env = inheritedEnvironment(process.env);
  const { LANGUAGE } = env;
  const restore = LANGUAGE === undefined ? 'unset LANGUAGE' : `LANGUAGE=${shellWord(LANGUAGE)}`;
  return { env: { ...env, LANGUAGE: 'C' }, inner: ['sh', '-c', `[ "$LANGUAGE" = C ]&&${restore};exec "$@"`, 'sh'] };
}

const NO_TERMINAL = /must (have a tty|be run from a terminal)/;

/** For `retrying`: a program that insists on a terminal gets one. */
export function wantsTerminal({ number, lines }: Attempt): number | undefined {
  return number === 1 && lines.some((line) => NO_TERMINAL.test(line)) ? 0 : undefined;
}

/** What such programs say, and what it comes to; the first that fits. */
const RULES: readonly [RegExp, ErrorCode, string][] = [
  [/expired|required to change/, 'ERR_MITOS_AUTH', 'the password or the account has expired'],
  [/incorrect password|uth\w+ fail(ure|ed)|^su: Sorry/m, 'ERR_MITOS_PASSWORD_WRONG', ''],
  [/not in the|not allowed|may not|not perm|account valid|sudo: unknown/, 'ERR_MITOS_AUTH', 'not allowed'],
  [/(password|terminal|tty) is required|uth\w+ (is )?required|no password was/, 'ERR_MITOS_PASSWORD_REQUIRED', 'a password is needed'],
  [/pseudo-terminal|openpty/, 'ERR_MITOS_RESOURCE', 'no terminal can be had'],
  [NO_TERMINAL, 'ERR_MITOS_TTY_REQUIRED', 'it wants a terminal, which takes script(1)'],
  [/^(sudo|su|doas|runuser): (?!unable to resolve)|not available|denied/m, 'ERR_MITOS_AUTH', 'refused'],
];

const HINTS: { [key: string]: string } = {
  ERR_MITOS_PASSWORD_REQUIRED: 'give the option password',
  sudo: 'a line for sudoers: NAME ALL=(ALL) /bin/sh',
  doas: 'a line for doas.conf: permit NAME',
};

/** Reads what such a program said before the first stage. */
export function explainRefusal(progress: Progress, { error }: ExitStatus): Failure | undefined {
  const { stage, node, lines, method } = progress;
  if (stage !== 'start' && stage !== 'asked') return undefined;
  const said = error ? (/ script /.test(error.message) ? 'must have a tty' : '') : [...lines, node].join('\n');
  const rule = RULES.find(([pattern]) => pattern.test(said));
  if (!rule || (stage === 'asked' && rule !== RULES[0])) return undefined;
  const [, code, message] = rule;
  if (message) return { code, message, hint: HINTS[message === 'not allowed' ? method : code] };
  progress.stage = 'asked-again';
  return undefined;
}
