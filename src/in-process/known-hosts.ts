/**
 * The files in which OpenSSH notes the keys of hosts, read as OpenSSH reads them: see "SSH_KNOWN_HOSTS FILE FORMAT" in sshd(8).
 *
 * A line is `[@marker] names type key [comment]`. Names are patterns (`*`, `?`, `!` in front excludes), separated by commas, or one hash
 * `|1|salt|HMAC-SHA1`. A port other than 22 is part of a name: `[host]:port`.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const DEFAULT_PORT = 22;

/** A line about a host. */
export interface KnownKey {
  marker: 'cert-authority' | 'revoked' | undefined;
  /** The type of the key, such as `ssh-ed25519`. */
  type: string;
  key: Buffer;
  /** `file:line`. */
  place: string;
}

/** What the files say about a key that a host has shown. */
export type Verdict =
  | { status: 'match'; place: string }
  /** `authority` is the place of a line that names an authority for the host, which can vouch for certificates only. */
  | { status: 'unknown'; authority: string | undefined }
  | { status: 'changed'; place: string }
  | { status: 'revoked'; place: string };

/** How a host is called in the files. */
export interface HostName {
  host: string;
  port: number;
  /** Whether `host` is a name that the user gave it (HostKeyAlias), which has no port. */
  isAlias: boolean;
}

/** What all files say about one host. */
export class KnownHost {
  readonly #keys: KnownKey[];
  /** Lines about the host's name without its port. A key there counts, though another one there is no contradiction. */
  readonly #portless: KnownKey[];

  constructor(keys: KnownKey[], portless: KnownKey[]) {
    this.#keys = keys;
    this.#portless = portless;
  }

  /** Types of keys that are known, so that the host can be asked for one of these. */
  get types(): string[] {
    const named = [...this.#keys, ...this.#portless].filter(({ marker }) => marker === undefined);
    return [...new Set(named.map(({ type }) => type))];
  }

  /** Compares a key with what is known. */
  check(key: Buffer): Verdict {
    const all = [...this.#keys, ...this.#portless];
    const revoked = all.find((known) => known.marker === 'revoked' && known.key.equals(key));
    if (revoked) return { status: 'revoked', place: revoked.place };
    const same = all.find((known) => known.marker === undefined && known.key.equals(key));
    if (same) return { status: 'match', place: same.place };
    const other = this.#keys.find(({ marker }) => marker === undefined);
    if (other) return { status: 'changed', place: other.place };
    return { status: 'unknown', authority: all.find(({ marker }) => marker === 'cert-authority')?.place };
  }
}

/** Reads what `files` say about a host. A file that is not there says nothing; one that cannot be read throws. */
export async function readKnownHost(files: readonly string[], name: HostName): Promise<KnownHost> {
  const keys: KnownKey[] = [];
  const portless: KnownKey[] = [];
  const full = nameIn(name);
  for (const file of files) {
    const text = await textOf(file);
    text.split('\n').forEach((line, index) => {
      const entry = parse(line, `${file}:${index + 1}`);
      if (!entry) return;
      if (isNamed(entry.names, full)) keys.push(entry);
      else if (full !== name.host.toLowerCase() && isNamed(entry.names, name.host.toLowerCase())) portless.push(entry);
    });
  }
  return new KnownHost(keys, portless);
}

/** Notes the key of a host at the end of a file. The file and its folder are made if need be. */
export async function addKnownHost(file: string, name: HostName, key: Buffer, isHashed: boolean): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const text = await textOf(file);
  const start = text === '' || text.endsWith('\n') ? '' : '\n';
  const called = isHashed ? hashed(nameIn(name), randomBytes(20)) : nameIn(name);
  await appendFile(file, `${start}${called} ${keyType(key)} ${key.toString('base64')}\n`, { mode: 0o600 });
}

/** The type that a public key names itself: its first string. */
export function keyType(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function nameIn({ host, port, isAlias }: HostName): string {
  const name = host.toLowerCase();
  return isAlias || port === DEFAULT_PORT ? name : `[${name}]:${port}`;
}

function parse(line: string, place: string): (KnownKey & { names: string }) | undefined {
  const words = line.trim().split(/[ \t]+/);
  const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : undefined;
  const [names, type, encoded] = words;
  if (!names || names.startsWith('#') || !type || !encoded) return undefined;
  if (marker !== undefined && marker !== 'cert-authority' && marker !== 'revoked') return undefined;
  const key = Buffer.from(encoded, 'base64');
  const isKey = key.length > 4 && key.length >= 4 + key.readUInt32BE(0) && keyType(key) === type;
  return isKey ? { marker, names, type, key, place } : undefined;
}

function isNamed(names: string, name: string): boolean {
  if (names.startsWith('|')) {
    const [, method, salt] = names.split('|') as [string, string?, string?];
    return method === '1' && salt !== undefined && names === hashed(name, Buffer.from(salt, 'base64'));
  }
  let isFound = false;
  for (const pattern of names.toLowerCase().split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matches(isNegated ? pattern.slice(1) : pattern, name)) continue;
    if (isNegated) return false;
    isFound = true;
  }
  return isFound;
}

function hashed(name: string, salt: Buffer): string {
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

/** Matches without regular expressions, whose time a pattern could drive up. */
function matches(pattern: string, name: string): boolean {
  let [at, star, resume] = [0, -1, 0];
  for (let i = 0; i < name.length; ) {
    const char = pattern[at];
    if (char === '*') {
      star = at++;
      resume = i;
    } else if (char === '?' || char === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
