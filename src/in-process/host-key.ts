/** Whether a host is the one that it should be. */
import { readFile } from 'node:fs/promises';
import { addKnownHost, type HostName, type KnownHost, keyType, readKnownHost, type Verdict } from './known-hosts.ts';
import type { HostSettings } from './ssh-config.ts';
import { SshError } from './ssh-error.ts';

/** `enforce`: only hosts that are known. `accept-new`: others are noted and known from then on. `ignore`: any. */
export type HostKeyMode = 'enforce' | 'accept-new' | 'ignore';

/** Algorithms that ssh2 has, with the keys they are for. */
const ALGORITHMS: Record<string, string> = {
  'ssh-ed25519': 'ssh-ed25519',
  'ecdsa-sha2-nistp256': 'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384': 'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521': 'ecdsa-sha2-nistp521',
  'rsa-sha2-512': 'ssh-rsa',
  'rsa-sha2-256': 'ssh-rsa',
};

/** SHA-1, only where the configuration asks for it. */
const OLD: Record<string, string> = { 'ssh-rsa': 'ssh-rsa' };

/** Judges the key of one host. */
export class HostKeyCheck {
  readonly #settings: HostSettings;
  readonly #mode: HostKeyMode;
  readonly #name: HostName;
  readonly #known: KnownHost;
  readonly #revoked: string;

  private constructor(settings: HostSettings, mode: HostKeyMode, known: KnownHost, revoked: string) {
    this.#settings = settings;
    this.#mode = mode;
    this.#name = nameOf(settings);
    this.#known = known;
    this.#revoked = revoked;
  }

  /** Reads what is known of the host. */
  static async of(settings: HostSettings, mode: HostKeyMode): Promise<HostKeyCheck> {
    const known = await readKnownHost([...settings.userKnownHosts, ...settings.globalKnownHosts], nameOf(settings));
    const revoked = settings.revokedKeys === undefined ? '' : await readFile(settings.revokedKeys, 'latin1');
    if (revoked.startsWith('SSHKRL\n')) {
      throw new SshError('ERR_MITOS_HOST_KEY', `the revocation list ${settings.revokedKeys} is a binary one, which cannot be read here`, {
        hint: "leave transport at 'openssh', or list the keys as text",
        data: { reason: 'unreadable' },
      });
    }
    return new HostKeyCheck(settings, mode, known, revoked);
  }

  /** What to ask the host for: keys of types that are known come first, or another of its keys would look like a changed one. */
  get algorithms(): string[] {
    const configured = this.#settings.hostKeyAlgorithms;
    const all: Record<string, string> = { ...ALGORITHMS, ...OLD };
    const usable = configured.filter((name) => Object.hasOwn(all, name));
    const wanted = configured.length ? usable : Object.keys(ALGORITHMS);
    const { types } = this.#known;
    const isKnown = (name: string): boolean => types.includes(all[name] as string);
    return [...wanted.filter(isKnown), ...wanted.filter((name) => !isKnown(name))];
  }

  /** Says why a key is refused; undefined when it is accepted. */
  judge(key: Buffer): SshError | undefined {
    const { host, port } = this.#name;
    const where = port === 22 ? host : `[${host}]:${port}`;
    const shown = `${keyType(key)} key of ${where}`;
    const verdict: Verdict = this.#revoked.includes(key.toString('base64'))
      ? { status: 'revoked', place: this.#settings.revokedKeys as string }
      : this.#known.check(key);
    if (verdict.status === 'revoked') {
      return refused('revoked', `the ${shown} is revoked (${verdict.place})`, 'do not connect; ask whoever runs the host');
    }
    if (this.#mode === 'ignore' || verdict.status === 'match') return undefined;
    if (verdict.status === 'changed') {
      const hint = `somebody may be listening in; if the host has a new key, remove the line with: ssh-keygen -R ${where}`;
      return refused('changed', `the ${shown} is not the one that is known (${verdict.place})`, hint);
    }
    if (verdict.authority !== undefined) {
      const message = `${verdict.authority} names only an authority for ${where}, and host certificates cannot be verified by this transport`;
      return refused('unknown', message, "leave transport at 'openssh'");
    }
    if (this.#mode === 'accept-new') return undefined;
    return refused('unknown', `the ${shown} is not known`, `connect once with ssh, or set hostKeys: 'accept-new'`);
  }

  /** Notes a key that was accepted though it was not known. */
  async note(key: Buffer): Promise<void> {
    const [file] = this.#settings.userKnownHosts;
    if (this.#mode !== 'accept-new' || file === undefined || this.#known.check(key).status !== 'unknown') return;
    await addKnownHost(file, this.#name, key, this.#settings.isHashing);
  }
}

function nameOf({ host, port, hostKeyAlias }: HostSettings): HostName {
  return { host: hostKeyAlias ?? host, port, isAlias: hostKeyAlias !== undefined };
}

function refused(reason: string, message: string, hint: string): SshError {
  return new SshError('ERR_MITOS_HOST_KEY', message, { hint, data: { reason } });
}
