/** `sudo()`: another user of the same machine. The password goes to a prompt that nobody could guess, on a pipe or on a terminal. */
import { randomBytes } from 'crypto';
import type { ConnectOrder } from '../core/connect-order.ts';
import type { Method } from '../parent/connector.ts';
import { Dialogue } from '../parent/dialogue.ts';
import { inEnglish, passwordOf, userOf, wantsTerminal } from '../parent/elevation.ts';
import { retrying } from '../parent/retrying-link.ts';
import { startProcess } from '../parent/start.ts';

/** The options, as they arrive. */
interface Options {
  sudoPath?: string;
  preserveEnv?: boolean | readonly string[];
  setHome?: boolean;
  login?: boolean;
  selinuxRole?: string;
  selinuxType?: string;
  sudoArgs?: readonly string[];
}

/** A login shell runs the word that follows; csh knows no `-l` beside a command. `sudo -i` would not quote every word. */
const LOGIN = ['sh', '-c', 'cd;l=-l;case $SHELL in *csh)l=;esac;exec "$SHELL" $l -c "$0"'];

/** Runs sudo, on a terminal only if it insists on one. */
export const sudo: Method = {
  start: (order, config, hop) => {
    const password = passwordOf(order);
    const { env, inner } = inEnglish();
    const { login } = order.options as Options;
    return retrying(
      (attempt) => {
        const token = randomBytes(12).toString('hex');
        const terminal = attempt > 1;
        return startProcess(order, config, hop, {
          prefix: [...command(order, password ? [...(terminal ? [] : ['-S']), '-p', token] : ['-n']), ...inner, ...(login ? LOGIN : [])],
          asWord: login,
          env,
          terminal,
          isTyped: true,
          converse: password && ((talk) => new Dialogue([{ expect: token, send: password }, { expect: 'password is expired' }], talk)),
        });
      },
      wantsTerminal,
      hop.clock,
    );
  },
};

function command(order: ConnectOrder, asking: readonly string[]): string[] {
  const { sudoPath = 'sudo', preserveEnv, setHome, login, selinuxRole, selinuxType, sudoArgs = [] } = order.options as Options;
  const argv = [sudoPath, ...asking, '-u', userOf(order)];
  if (preserveEnv) argv.push(preserveEnv === true ? '-E' : `--preserve-env=${preserveEnv.join()}`);
  if (setHome || login) argv.push('-H');
  if (selinuxRole) argv.push('-r', selinuxRole);
  if (selinuxType) argv.push('-t', selinuxType);
  return [...argv, ...sudoArgs, '--'];
}
