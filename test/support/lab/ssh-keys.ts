/** Keys and certificates for the servers of a lab; made once. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './process.ts';
import type { ClientKeys, KnownHosts } from './types.ts';

/** The principal that certificates are for and all users of a lab accept. */
export const PRINCIPAL = 'lab';

/** Paths of private keys. */
export interface LabKeys {
  client: ClientKeys;
  hostKey: string;
  otherHostKey: string;
  userAuthority: string;
  hostAuthority: string;
}

/** The keys of the lab in `directory`. */
export function labKeys(directory: string): LabKeys {
  const folder = join(directory, 'keys');
  const path = (name: string): string => join(folder, name);
  const keys: LabKeys = {
    client: {
      plain: path('plain'),
      encrypted: path('encrypted'),
      passphrase: 'open sesame',
      certified: path('certified'),
      stranger: path('stranger'),
    },
    hostKey: path('host'),
    otherHostKey: path('other-host'),
    userAuthority: path('user-authority'),
    hostAuthority: path('host-authority'),
  };
  if (existsSync(folder)) return keys;
  mkdirSync(folder, { mode: 0o755 });
  const { plain, encrypted, passphrase, certified, stranger } = keys.client;
  for (const file of [plain, certified, stranger, keys.hostKey, keys.otherHostKey, keys.userAuthority, keys.hostAuthority])
    makeKey(file, '');
  makeKey(encrypted, passphrase);
  run(['ssh-keygen', '-q', '-s', keys.userAuthority, '-I', 'lab user', '-n', PRINCIPAL, `${certified}.pub`]);
  run(['ssh-keygen', '-q', '-s', keys.hostAuthority, '-I', 'lab host', '-h', '-n', '127.0.0.1,localhost,lab', `${keys.hostKey}.pub`]);
  return keys;
}

function makeKey(file: string, passphrase: string): void {
  run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', passphrase, '-C', 'lab', '-f', file]);
}

/** The text of a public key. */
export function publicKey(file: string): string {
  return readFileSync(`${file}.pub`, 'utf8').trim();
}

/** Writes the known_hosts files for a server into its `folder`. */
export function writeKnownHosts(folder: string, port: number, keys: LabKeys): KnownHosts {
  const exact = `[127.0.0.1]:${port}`;
  // The second name is for proxies before the server.
  const names = `${exact},[127.0.0.1]:*,lab`;
  const write = (name: string, text: string): string => {
    const file = join(folder, `known-hosts-${name}`);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
  };
  const hashed = write('hashed', `${exact} ${publicKey(keys.hostKey)}\n`);
  run(['ssh-keygen', '-q', '-H', '-f', hashed]);
  let fresh = 0;
  return {
    right: write('right', `${names} ${publicKey(keys.hostKey)}\n`),
    hashed,
    changed: write('changed', `${names} ${publicKey(keys.otherHostKey)}\n`),
    revoked: write('revoked', `${names} ${publicKey(keys.hostKey)}\n@revoked * ${publicKey(keys.hostKey)}\n`),
    authority: write('authority', `@cert-authority ${names} ${publicKey(keys.hostAuthority)}\n`),
    get empty() {
      fresh += 1;
      return write(`empty-${fresh}`, '');
    },
  };
}
