/** `su()`, `doas()`, `run0()` and `runuser()`: another user of the same machine, by programs that cannot be told what to ask. */
import { hostname, userInfo } from 'os';
import type { ConnectOrder } from '../core/connect-order.ts';
import type { Method } from '../parent/connector.ts';
import { Dialogue, type Prompt } from '../parent/dialogue.ts';
import { inEnglish, passwordOf, userOf, wantsTerminal } from '../parent/elevation.ts';
import { retrying } from '../parent/retrying-link.ts';
import { startProcess } from '../parent/start.ts';

const PROMPT = 'Password: ';

function programOf({ options, method }: ConnectOrder): string {
  return (options['path'] as string | undefined) ?? method;
}

/** The password is typed at this prompt, if it stands alone and last; a password that has to be changed is nothing for a program. */
function prompts(order: ConnectOrder, expect: string): Prompt[] {
  return [{ expect, send: passwordOf(order), isLast: true }, { expect: 'required to change your password' }];
}

/** su asks on its stderr or stdout and reads its stdin; one that insists on a terminal gets it. It runs the login shell of the user. */
export const su: Method = {
  start: (order, config, hop) =>
    retrying(
      (attempt) =>
        startProcess(order, config, hop, {
          prefix: [programOf(order), userOf(order), '-c'],
          asWord: true,
          ...inEnglish(),
          isTyped: true,
          terminal: attempt > 1 && 'stdin',
          converse: (talk) => new Dialogue(prompts(order, PROMPT), talk),
        }),
      wantsTerminal,
      hop.clock,
    ),
};

/** Methods whose program takes an argument list, and asks on its terminal. */
function byArguments(quiet: string, toUser: string, promptOf: () => string): Method {
  return {
    start: (order, config, hop) => {
      const hasPassword = passwordOf(order) !== undefined;
      const user = toUser.endsWith('=') ? [toUser + userOf(order)] : [toUser, userOf(order)];
      return startProcess(order, config, hop, {
        prefix: [programOf(order), ...(hasPassword || !quiet ? [] : [quiet]), ...user, '--'],
        ...inEnglish(),
        isTyped: true,
        terminal: hasPassword,
        converse: hasPassword ? (talk) => new Dialogue(prompts(order, promptOf()), talk) : undefined,
      });
    },
  };
}

/** OpenDoas asks for the password of the user that runs it. */
export const doas: Method = byArguments(
  '-n',
  '-u',
  () => `\rdoas (${userInfo().username.slice(0, 32)}@${hostname().slice(0, 32)}) password: `,
);

/** polkit asks, for the password of an administrator. */
export const run0: Method = byArguments('--no-ask-password', '--user=', () => PROMPT);

/** Only root may run it, and it never asks. */
export const runuser: Method = byArguments('', '-u', () => PROMPT);
