/** Reads failures of programs that make another user: from their own words, which are English here. */
import type { ErrorCode } from '../core/errors.ts';
import type { ExitStatus } from './child-link.ts';
import { NO_TERMINAL } from './elevation.ts';
import type { Failure, Progress } from './failure.ts';

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
