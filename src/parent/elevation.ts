/** What methods have in common that make another user of this process. */
import type { ConnectOrder } from '../core/connect-order.ts';
import { isName } from '../core/name-rule.ts';
import { inheritedEnvironment } from './environment.ts';
import { oneLine } from './one-line.ts';
import { shellWord } from './quote.ts';
import type { Attempt } from './retrying-link.ts';

/** The user to become. Checked here too: whoever sent the order need not have done so. */
export function userOf({ options: { username = 'root' } }: ConnectOrder): string {
  if (!isName(username)) throw new TypeError('username is no name');
  return username;
}

/** The password, which has to fit on a line. */
export function passwordOf({ options: { password } }: ConnectOrder): Buffer | undefined {
  return oneLine('password', password as Buffer | undefined);
}

/** Has a program speak English, and puts back what that takes before the first stage runs. */
export function inEnglish(): { env: NodeJS.ProcessEnv; inner: string[] } {
  const env = inheritedEnvironment(process.env);
  const { LANGUAGE } = env;
  const restore = LANGUAGE === undefined ? 'unset LANGUAGE' : `LANGUAGE=${shellWord(LANGUAGE)}`;
  return { env: { ...env, LANGUAGE: 'C' }, inner: ['sh', '-c', `[ "$LANGUAGE" = C ]&&${restore};exec "$@"`, 'sh'] };
}

/** What a program says that insists on a terminal. */
export const NO_TERMINAL: RegExp = /must (have a tty|be run from a terminal)/;

/** For `retrying`: a program that insists on a terminal gets one. */
export function wantsTerminal({ number, lines }: Attempt): number | undefined {
  return number === 1 && lines.some((line) => NO_TERMINAL.test(line)) ? 0 : undefined;
}
