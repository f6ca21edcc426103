/** `ssh()`: another machine, by the system's OpenSSH client with the configuration of its user. */
import { Askpass, askpassEnvironment, passwordMethods, type Secrets } from '../parent/askpass.ts';
import type { Method } from '../parent/connector.ts';
import { oneLine } from '../parent/one-line.ts';
import { retrying } from '../parent/retrying-link.ts';
import { type SshOrderOptions, sshArguments, unknownSetting } from '../parent/ssh-arguments.ts';
import { isBusy } from '../parent/ssh-failure.ts';
import { pauseAfter, RETRIES } from '../parent/ssh-retry.ts';
import { newMarker } from '../parent/stage-link.ts';
import { startProcess } from '../parent/start.ts';

/** Starts ssh; again, when the server hangs up before the login, or for a client that does not know a setting. */
export const ssh: Method = {
  isFar: true,
  start(order, config, hop) {
    const options = order.options as SshOrderOptions & typeof order.options;
    // The master has its own `ssh`, which takes such orders.
    if (order.options['transport'] === 'in-process') {
      throw new TypeError("transport 'in-process' is for the program itself, with a router that is not threaded");
    }
    const { sshPath = 'ssh', retries = RETRIES } = options;
    const secrets: Secrets = { password: secretOf(options, 'password'), passphrase: secretOf(options, 'passphrase'), answered: new Set() };
    const isAsking = secrets.password || secrets.passphrase;
    const token = newMarker();
    const env = { ...environment(), ...(isAsking ? askpassEnvironment(token) : {}) };
    const methods = secrets.password ? passwordMethods(sshPath, env) : [];
    const unknown = new Set<string>();
    return retrying(
      () =>
        startProcess(order, config, hop, {
          prefix: sshArguments(options, config.keepAlive, { unknown, methods }),
          asWord: true,
          env,
          ...(isAsking ? { converse: (talk) => new Askpass(token, secrets, talk) } : {}),
        }),
      ({ number, status, lines }) => {
        const setting = unknownSetting(lines);
        if (setting && !unknown.has(setting)) {
          unknown.add(setting);
          return 0;
        }
        const tries = number - unknown.size;
        if (tries > retries || secrets.answered.size || !isBusy(status, lines)) return undefined;
        return pauseAfter(tries);
      },
      hop.clock,
    );
  },
};

/**
 * All of the environment: it is the user's own ssh, whose helpers (proxies, `Match exec`, agents) may need any of it, and which sends on
 * only what the user says. But nothing of it is to ask a person, or to change a Node.
 */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, SSH_ASKPASS: _askpass, ...env } = process.env;
  return { ...env, SSH_ASKPASS_REQUIRE: 'never' };
}

/** A secret that was given; an empty one is none. */
function secretOf(options: SshOrderOptions, name: 'password' | 'passphrase'): Buffer | undefined {
  const secret = oneLine(name, options[name]);
  return secret && secret.length ? secret : undefined;
}
