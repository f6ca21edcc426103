/** The arguments of OpenSSH's client. */
import type { StartOptions } from '../core/config.ts';
import { isName } from '../core/name-rule.ts';
import type { KeepAlive } from '../core/stream.ts';

/** The options of `ssh()` as they arrive in a hop. */
export interface SshOrderOptions extends StartOptions {
  hostname: string;
  port?: number;
  username?: string;
  identityFile?: string | readonly string[];
  identitiesOnly?: boolean;
  password?: Buffer;
  passphrase?: Buffer;
  hostKeys?: 'enforce' | 'accept-new' | 'ignore';
  knownHosts?: string | readonly string[];
  sshPath?: string;
  sshArgs?: readonly string[];
  configFile?: string;
  compression?: boolean;
  debugLevel?: number;
  retries?: number;
}

/** Settings that came after 7.4. Each is left out when the client there says that it does not know it. */
const NEWER: Readonly<Record<string, string>> = {
  remotecommand: 'RemoteCommand=none',
  sessiontype: 'SessionType=default',
  stdinnull: 'StdinNull=no',
  forkafterauthentication: 'ForkAfterAuthentication=no',
};

/** The setting of ours that a client is too old to know, if that is what it says. */
export function unknownSetting(lines: readonly string[]): string | undefined {
  const [, name = ''] = lines.map((line) => /^command-line:? line 0: Bad configuration option: (\w+)/i.exec(line)).find(Boolean) || [];
  return NEWER[name.toLowerCase()] && name.toLowerCase();
}

/** What a session needs that carries nothing but a protocol, whatever the user's configuration says. */
const FIXED = ['EscapeChar=none', 'ControlMaster=no', 'ClearAllForwardings=yes', 'ForwardX11=no', 'Tunnel=no'];

const STRICTNESS = { enforce: 'yes', 'accept-new': 'accept-new', ignore: 'no' };

/**
 * The command line up to the host. What must hold comes before the user's own arguments, what is a mere default after them: the first
 * value counts. `unknown` are settings to leave out; `methods` are those that may ask for the password.
 */
export function sshArguments(
  options: SshOrderOptions,
  keepAlive: KeepAlive,
  { unknown, methods }: { unknown: ReadonlySet<string>; methods: readonly string[] },
): string[] {
  const { hostname, username, configFile, sshPath, sshArgs } = options;
  checkName('hostname', hostname);
  if (username !== undefined) checkName('username', username);
  const settings = [...FIXED, ...Object.keys(NEWER).flatMap((name) => (unknown.has(name) ? [] : (NEWER[name] as string)))];
  return [
    ...[sshPath ?? 'ssh', '-T'],
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...asSettings([...settings, ...trust(options), ...authentication(options, methods)]),
    ...(options.port === undefined ? [] : ['-p', String(options.port)]),
    ...(username === undefined ? [] : ['-l', username]),
    ...(sshArgs ?? []),
    ...asSettings(defaults(options, keepAlive)),
    ...['--', hostname],
  ];
}

/** Neither may be taken for an option, by ssh or by what a user's configuration hands them to. */
export function checkName(what: string, value: unknown): void {
  if (!isName(value)) {
    throw new TypeError(`${what} must not be empty, begin with "-" or have blanks or control characters: ${JSON.stringify(value)}`);
  }
}

/** Which keys of hosts are taken. */
function trust({ hostKeys = 'enforce', knownHosts }: SshOrderOptions): string[] {
  const files = hostKeys === 'ignore' ? '/dev/null' : knownHosts && asList(knownHosts).map(quoted).join(' ');
  return [
    `StrictHostKeyChecking=${STRICTNESS[hostKeys]}`,
    ...(files ? [`UserKnownHostsFile=${files}`, 'GlobalKnownHostsFile=/dev/null'] : []),
  ];
}

/** How one proves who one is. Without secrets nothing is asked; that something is asked twice tells that the first answer was wrong. */
function authentication(options: SshOrderOptions, methods: readonly string[]): string[] {
  const { identityFile, identitiesOnly = identityFile !== undefined, password, passphrase } = options;
  return [
    ...(identityFile === undefined ? [] : asList(identityFile).map((file) => `IdentityFile=${quoted(file)}`)),
    ...(identitiesOnly ? ['IdentitiesOnly=yes'] : []),
    ...(password || passphrase ? ['BatchMode=no', 'NumberOfPasswordPrompts=2'] : ['BatchMode=yes']),
    ...(password || passphrase ? [`PreferredAuthentications=${['publickey', ...(password ? methods : [])].join()}`] : []),
  ];
}

function defaults(options: SshOrderOptions, keepAlive: KeepAlive): string[] {
  const { debugLevel } = options;
  // Its banner would look like its own words at a lower level.
  return [`LogLevel=${debugLevel ? `DEBUG${debugLevel}` : 'ERROR'}`, ...connectionSettings(options, keepAlive)];
}

/** What a connection is like, in the words of the configuration; the user's own arguments may say otherwise. */
export function connectionSettings(
  { compression, connectTimeoutMs = 30000 }: SshOrderOptions,
  { intervalMs, timeoutMs }: KeepAlive,
): string[] {
  return [
    `Compression=${compression ? 'yes' : 'no'}`,
    // A little before our own deadline, as ssh knows what it waits for.
    `ConnectTimeout=${Math.max(1, Math.ceil(connectTimeoutMs / 1000) - 1)}`,
    `ServerAliveInterval=${Math.ceil(intervalMs / 1000)}`,
    `ServerAliveCountMax=${Math.max(1, Math.round(timeoutMs / intervalMs))}`,
  ];
}

function asSettings(settings: readonly string[]): string[] {
  return settings.flatMap((setting) => ['-o', setting]);
}

function asList(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

/** A path as configuration files have it. */
function quoted(path: string): string {
  return /[\s"]/.test(path) ? `"${path}"` : path;
}
