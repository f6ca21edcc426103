/**
 * Proving who one is: the agent's keys, key files, the password. Keys are offered before a password, and a password is sent once only, whatever
 * the server says to it: a second try with the same one could lock the account.
 */
import { readFile } from 'node:fs/promises';
import type { HostSettings } from './ssh-config.ts';
import { SshError } from './ssh-error.ts';
import type { Agent, AuthStep, ParsedKey, Prompter, Ssh2 } from './ssh2.ts';

/** Secrets that may be used. */
export interface Credentials {
  password: Buffer | undefined;
  /** For keys that are encrypted. */
  passphrase: Buffer | undefined;
}

/** Gives a client one step after the other, and explains the failure when none is left. */
export class Authentication {
  /** Why no further step makes sense. */
  failure: SshError | undefined;
  readonly #ssh2: Ssh2;
  readonly #settings: HostSettings;
  readonly #credentials: Credentials;
  readonly #steps: AsyncIterator<AuthStep, undefined>;
  /** What the server said it would take, once it has. */
  #left: string[] | undefined;
  readonly #offered: Set<string> = new Set();
  readonly #locked: string[] = [];
  readonly #mistaken: string[] = [];
  #isPasswordSent = false;
  /** The question that was answered with the password. */
  #question: string | undefined;
  /** Whether the last step was right, and not enough. */
  #isPartial = false;

  constructor(ssh2: Ssh2, settings: HostSettings, credentials: Credentials) {
    this.#ssh2 = ssh2;
    this.#settings = settings;
    this.#credentials = credentials;
    this.#steps = this.#all();
  }

  /** Gives the next step, or false. */
  next(left: string[] | null, isPartial: boolean | null, give: (step: AuthStep | false) => void): void {
    if (left) this.#left = left;
    this.#isPartial = isPartial === true;
    this.#steps.next().then(
      ({ value }) => give(value ?? false),
      (error: Error) => {
        this.failure = new SshError('ERR_MITOS_AUTH', error.message);
        give(false);
      },
    );
  }

  /** Why the server did not let us in. */
  explain(): SshError {
    const { user, host } = this.#settings;
    const asks = (this.#left ?? []).filter((method) => method !== 'none').join(', ') || 'nothing that is known here';
    const data = { methods: this.#left ?? [] };
    const [mistaken] = this.#mistaken;
    const [locked] = this.#locked;
    if (this.failure) return this.failure;
    if (this.#isPartial) return new SshError('ERR_MITOS_AUTH', `${host} wants more of ${user}: ${asks}`, { data });
    if (this.#isPasswordSent) {
      return new SshError('ERR_MITOS_PASSWORD_WRONG', `the password of ${user}@${host} was not accepted`, {
        hint: 'it was sent once only, so as not to lock the account',
        data,
      });
    }
    if (mistaken !== undefined) return new SshError('ERR_MITOS_PASSWORD_WRONG', `the passphrase does not open ${mistaken}`, { data });
    if (locked !== undefined && this.#takes('publickey')) {
      return new SshError('ERR_MITOS_PASSWORD_REQUIRED', `the key ${locked} needs a passphrase`, {
        hint: 'set passphrase, or load the key into an agent',
        data,
      });
    }
    const count = this.#offered.size;
    const tried = count ? `none of ${count} keys was accepted` : 'there was no key to try';
    if (this.#takes('password') || this.#takes('keyboard-interactive')) {
      const message = `${host} asks for the password of ${user}: ${tried}`;
      return new SshError('ERR_MITOS_PASSWORD_REQUIRED', message, { hint: 'set password, or identityFile', data });
    }
    return new SshError('ERR_MITOS_AUTH', `${host} does not let ${user} in: ${tried} (it takes ${asks})`, {
      hint: `see what "ssh -v ${this.#settings.name}" says`,
      data,
    });
  }

  /** Whether the server takes a method, as far as it has said. */
  #takes(method: string): boolean {
    return !this.#left || this.#left.includes(method);
  }

  async *#all(): AsyncGenerator<AuthStep, undefined> {
    const username = this.#settings.user;
    const { password } = this.#credentials;
    yield* this.#keys(username);
    // What it takes has to be known before a password is sent: by which of two ways, and not by both.
    if (!this.#left) yield { type: 'none', username };
    if (!password) return undefined;
    if (this.#takes('password')) {
      this.#isPasswordSent = true;
      yield { type: 'password', username, password };
    } else if (this.#takes('keyboard-interactive')) {
      yield { type: 'keyboard-interactive', username, prompt: this.#prompter(password) };
    }
    return undefined;
  }

  async *#keys(username: string): AsyncGenerator<AuthStep, void> {
    const agent = await this.#agent();
    if (agent) yield { type: 'agent', username, agent };
    for (const file of this.#settings.identityFiles) {
      if (!this.#takes('publickey')) return;
      const key = await this.#keyOf(file);
      const id = key?.getPublicSSH().toString('base64');
      if (!key || id === undefined || this.#offered.has(id)) continue;
      this.#offered.add(id);
      yield { type: 'publickey', username, key };
    }
  }

  /** The agent, with the keys that may be used: first those that are named in the configuration. */
  async #agent(): Promise<Agent | undefined> {
    const { agent: path, isIdentitiesOnly } = this.#settings;
    if (path === undefined) return undefined;
    const agent = new this.#ssh2.OpenSSHAgent(path);
    const held = await new Promise<ParsedKey[]>((resolve) => agent.getIdentities((_error, keys) => resolve(keys ?? [])));
    const named = held.length ? await this.#publicKeys() : new Set();
    const idOf = (key: ParsedKey): string => key.getPublicSSH().toString('base64');
    const isNamed = (key: ParsedKey): boolean => named.has(idOf(key));
    const keys = [...held.filter(isNamed), ...held.filter((key) => !isIdentitiesOnly && !isNamed(key))];
    if (!keys.length) return undefined;
    for (const key of keys) this.#offered.add(idOf(key));
    agent.getIdentities = (done) => done(null, keys);
    return agent;
  }

  /** The public halves of the key files, as far as they can be had without a passphrase. */
  async #publicKeys(): Promise<Set<string>> {
    const ids: Set<string> = new Set();
    for (const file of this.#settings.identityFiles) {
      const text = await readFile(file.endsWith('.pub') ? file : `${file}.pub`, 'latin1').catch(() => '');
      const key = text ? undefined : this.#parse(await readFile(file).catch(() => Buffer.alloc(0)));
      const id = text.split(/\s+/)[1] ?? (key && 'type' in key ? key.getPublicSSH().toString('base64') : undefined);
      if (id !== undefined) ids.add(id);
    }
    return ids;
  }

  async #keyOf(file: string): Promise<ParsedKey | undefined> {
    const data = await readFile(file).catch(() => undefined);
    if (!data) return undefined;
    let key = this.#parse(data);
    const isLocked = key instanceof Error && /no passphrase given/.test(key.message);
    if (isLocked) {
      if (await this.#isOffered(file)) return undefined;
      const { passphrase } = this.#credentials;
      key = passphrase ? this.#parse(data, passphrase) : key;
      if (!passphrase) this.#locked.push(file);
      else if (key instanceof Error) this.#mistaken.push(file);
    }
    data.fill(0);
    return key instanceof Error || !key.isPrivateKey() ? undefined : key;
  }

  async #isOffered(file: string): Promise<boolean> {
    const id = (await readFile(`${file}.pub`, 'latin1').catch(() => '')).split(/\s+/)[1];
    return id !== undefined && this.#offered.has(id);
  }

  #parse(data: Buffer, passphrase?: Buffer): ParsedKey | Error {
    const parsed = this.#ssh2.utils.parseKey(data, passphrase);
    return Array.isArray(parsed) ? (parsed[0] ?? new Error('no key')) : parsed;
  }

  /** Answers one question without echo, once. Everything else is beyond a password. */
  #prompter(password: Buffer): Prompter {
    return (_name, _instructions, _language, prompts, finish) => {
      const asked = prompts.map(({ prompt }) => prompt).join(' ');
      const isPassword = prompts.length === 1 && prompts[0]?.echo !== true;
      if (!isPassword || (this.#isPasswordSent && asked !== this.#question)) {
        this.failure = new SshError('ERR_MITOS_AUTH', `${this.#settings.host} asks for more than a password: ${JSON.stringify(asked)}`, {
          hint: 'use a key, or a connection that ssh shares (ControlMaster) with transport openssh',
        });
      } else if (this.#isPasswordSent) this.failure = this.explain();
      if (this.failure) {
        this.onGivenUp();
        return;
      }
      this.#isPasswordSent = true;
      this.#question = asked;
      finish([password.toString()]);
    };
  }

  /** Set by the owner: ends a dialogue in which there is nothing more to say. */
  onGivenUp: () => void = () => {};
}
