/** OpenSSH's server on a loopback port. */

import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { findCommand } from '#src/testing/index.js';
import type { LabRoom } from './lab.ts';
import { Daemon, tryRun } from './process.ts';
import { type LabKeys, labKeys, PRINCIPAL, publicKey, writeKnownHosts } from './ssh-keys.ts';
import type { LabUser, Sshd, SshdOptions } from './types.ts';

const START_TRIES = 4;

/** @see Lab.sshd */
export async function startSshd(room: LabRoom, options: SshdOptions = {}): Promise<Sshd> {
  const keys = labKeys(room.directory);
  const folder = mkdtempSync(join(room.directory, 'sshd-'));
  tryRun(['chmod', '755', folder]);
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (let left = START_TRIES; ; left -= 1) {
    const port = options.port ?? (await freePort());
    const config = writeConfig(room, folder, port, keys, options);
    const log = join(folder, 'log');
    const sshd = [findCommand('sshd') ?? 'sshd', '-D', '-f', config, '-E', log];
    const daemon = new Daemon(
      options.hidesNode === true ? withoutNode(room, sshd, options.isReadOnly === true) : sshd,
      join(folder, 'output'),
    );
    const readLog = (): string => tryRun(['cat', log]).stdout;
    try {
      await daemon.until(() => (/^Server listening on/m.test(readLog()) ? true : undefined));
      return describe({ room, folder, port, keys, daemon, readLog });
    } catch (error) {
      await daemon.close();
      // Somebody else took the port meanwhile.
      if (left > 1 && options.port === undefined && readLog().includes('Address already in use')) continue;
      throw new Error(`Cannot start sshd for the lab: ${readLog()}`, { cause: error });
    }
  }
}

interface SshdParts {
  room: LabRoom;
  folder: string;
  port: number;
  keys: LabKeys;
  daemon: Daemon;
  readLog: () => string;
}

function describe({ folder, port, keys, daemon, readLog }: SshdParts): Sshd {
  const knownHosts = writeKnownHosts(folder, port, keys);
  const clientConfig = join(folder, 'ssh_config');
  writeFileSync(clientConfig, clientText(port, keys.client.plain, knownHosts.right), { mode: 0o644 });
  const close = (): Promise<void> => daemon.close();
  return {
    ...{ host: '127.0.0.1', port, keys: keys.client, knownHosts, clientConfig },
    get pid() {
      return daemon.pid;
    },
    log: readLog,
    installClient(user: LabUser) {
      user.write('.ssh/id_ed25519', readFileSync(keys.client.plain, 'utf8'));
      user.write('.ssh/known_hosts', readFileSync(knownHosts.right, 'utf8'));
      user.write('.ssh/config', clientText(port, '~/.ssh/id_ed25519', '~/.ssh/known_hosts'));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function clientText(port: number, key: string, knownHosts: string): string {
  return `Host lab
  HostName 127.0.0.1
  Port ${port}
  HostKeyAlias lab
Host lab 127.0.0.1
  IdentityFile ${key}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${knownHosts}
  GlobalKnownHostsFile /dev/null
`;
}

function writeConfig({ node }: LabRoom, folder: string, port: number, keys: LabKeys, options: SshdOptions): string {
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
  };
  const flag = (value: boolean | undefined): string => (value === true ? 'yes' : 'no');
  const asks = options.passwordAuthentication === true || options.keyboardInteractive === true;
  const authorized = options.authorizedKeys ?? `${publicKey(keys.client.plain)}\n${publicKey(keys.client.encrypted)}\n`;
  const env = Object.entries(options.env ?? (options.hidesNode === true ? {} : defaultEnv(node))).map(
    ([name, value]) => `"${name}=${value}"`,
  );
  const lines = [
    ...(options.lines ?? []),
    ...[`ListenAddress 127.0.0.1:${port}`, `HostKey ${keys.hostKey}`, 'PidFile none', 'LogLevel DEBUG1', 'UseDNS no', 'StrictModes no'],
    `AuthorizedKeysFile ${write('authorized_keys', authorized)}`,
    `UsePAM ${flag(options.usePam ?? asks)}`,
    `PasswordAuthentication ${flag(options.passwordAuthentication)}`,
    `KbdInteractiveAuthentication ${flag(options.keyboardInteractive)}`,
    ...['PermitRootLogin yes', 'PrintMotd no', 'AcceptEnv LANG LC_*', 'Subsystem sftp internal-sftp'],
    `MaxStartups ${options.maxStartups ?? '200:30:400'}`,
  ];
  if (options.trustsUserAuthority === true) {
    lines.push(`TrustedUserCAKeys ${keys.userAuthority}.pub`, `AuthorizedPrincipalsFile ${write('principals', `${PRINCIPAL}\n`)}`);
  }
  if (options.hasHostCertificate === true) lines.push(`HostCertificate ${keys.hostKey}-cert.pub`);
  if (options.banner !== undefined) lines.push(`Banner ${write('banner', options.banner)}`);
  if (options.maxSessions !== undefined) lines.push(`MaxSessions ${options.maxSessions}`);
  if (options.forceCommand !== undefined) lines.push(`ForceCommand ${options.forceCommand}`);
  if (env.length > 0) lines.push(`SetEnv ${env.join(' ')}`);
  // Newer servers punish failed logins with a pause, which is a test of its own.
  if (tryRun(['sshd', '-T', '-f', '/dev/null', '-o', 'PerSourcePenalties=no', '-h', keys.hostKey]).status === 0) {
    lines.push('PerSourcePenalties no');
  }
  return write('sshd_config', `${lines.join('\n')}\n`);
}

/** Sessions find Node in their PATH, wherever it is. */
function defaultEnv(node: string): Record<string, string> {
  const standard = ['/usr/local/bin', '/usr/bin', '/bin'];
  return standard.includes(dirname(node)) ? {} : { PATH: [dirname(node), ...standard].join(':') };
}

/** Text for a shell in a mount namespace of its own. */
const READ_ONLY =
  'for d in /tmp /var/tmp /dev/shm /run; do mount --bind $d $d && mount -o remount,bind,noexec $d || exit; done; ' +
  'mount -o remount,bind,ro / || exit; ';

/** The same command where all files that are Node by name cannot be executed. */
function withoutNode({ directory }: LabRoom, argv: readonly string[], isReadOnly: boolean): string[] {
  const empty = join(directory, 'no-node');
  appendFileSync(empty, '', { mode: 0o600 });
  const script =
    'for n in node nodejs; do for d in $(echo $PATH | tr : " ") /usr/bin /usr/local/bin /opt/node*/bin /snap/bin; do ' +
    '[ -f $d/$n ] && [ -x $d/$n ] && mount --bind "$0" $d/$n; done; done; ' +
    (isReadOnly ? READ_ONLY : '') +
    'exec "$@"';
  return ['unshare', '--mount', 'sh', '-c', script, empty, ...argv];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port');
  return address.port;
}
