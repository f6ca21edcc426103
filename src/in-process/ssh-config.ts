/** What the user's own ssh configuration says about a host. OpenSSH reads it for us: `ssh -G`. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { homedir, hostname, userInfo } from 'node:os';
import { checkName } from '../parent/ssh-arguments.ts';
import { SshError } from './ssh-error.ts';

/** What is asked for. */
export interface HostQuery {
  /** A host, as the user calls it. */
  name: string;
  port?: number | undefined;
  username?: string | undefined;
  /** Private keys to try first; then those of the configuration. */
  identityFiles?: readonly string[] | undefined;
  isIdentitiesOnly?: boolean | undefined;
  /** Hosts to go through instead of those of the configuration: `-J`. */
  jump?: string | undefined;
  sshPath?: string | undefined;
  configFile?: string | undefined;
  sshArgs?: readonly string[] | undefined;
  /** Settings that count unless `sshArgs` says otherwise: `Name=value`. */
  settings?: readonly string[] | undefined;
}

/** What is known of a host. */
export interface HostSettings {
  /** As the user calls it. */
  name: string;
  host: string;
  port: number;
  user: string;
  identityFiles: string[];
  isIdentitiesOnly: boolean;
  /** The socket of the agent. */
  agent: string | undefined;
  userKnownHosts: string[];
  globalKnownHosts: string[];
  revokedKeys: string | undefined;
  hostKeyAlias: string | undefined;
  hostKeyAlgorithms: string[];
  isHashing: boolean;
  isCompressed: boolean;
  proxyJump: string | undefined;
  proxyCommand: string | undefined;
  family: 4 | 6 | undefined;
  bindAddress: string | undefined;
  connectTimeoutMs: number | undefined;
  aliveIntervalMs: number;
  aliveCountMax: number;
}

/** Where no ssh is installed. */
const DEFAULTS = `
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
identityfile ~/.ssh/id_ed25519
userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
`;

/** Reads the configuration for a host. `say` is told what ssh prints beside. */
export async function readSettings(query: HostQuery, signal: AbortSignal, say: (line: string) => void): Promise<HostSettings> {
  checkName('hostname', query.name);
  if (query.username !== undefined) checkName('username', query.username);
  const { sshPath = 'ssh', configFile, port, username, identityFiles = [], jump, sshArgs = [], settings = [] } = query;
  const argv = ['-G'];
  if (configFile !== undefined) argv.push('-F', configFile);
  if (port !== undefined) argv.push('-p', String(port));
  if (username !== undefined) argv.push('-l', username);
  if (jump !== undefined) argv.push('-J', jump);
  if (query.isIdentitiesOnly !== undefined) argv.push('-o', `IdentitiesOnly=${query.isIdentitiesOnly ? 'yes' : 'no'}`);
  for (const file of identityFiles) argv.push('-i', file);
  argv.push(...sshArgs, ...settings.flatMap((setting) => ['-o', setting]), '--', query.name);
  const printed = await run(sshPath, argv, signal, say);
  return settingsOf(query, printed ?? withoutSsh(query));
}

/** What a program prints; undefined when there is no such program. */
function run(program: string, argv: string[], signal: AbortSignal, say: (line: string) => void): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile(program, argv, { signal, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      const lines = stderr.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('Pseudo-terminal'));
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') resolve(undefined);
      else if (error && !signal.aborted) {
        reject(
          new SshError('ERR_MITOS_TRANSPORT_EXIT', `the ssh configuration cannot be read (${lines.join('; ') || error.message})`, {
            hint: `see "ssh -G" on the same host`,
          }),
        );
      } else {
        lines.forEach(say);
        resolve(stdout);
      }
    });
  });
}

function withoutSsh({ identityFiles = [], isIdentitiesOnly, jump, settings = [] }: HostQuery): string {
  const given = identityFiles.map((file) => `identityfile ${file}`);
  const rest = given.length ? DEFAULTS.replace(/^identityfile .*\n/gm, '') : DEFAULTS;
  const others = settings.map((setting) => setting.replace(/^(\w+)=/, (_all, name: string) => `${name.toLowerCase()} `));
  if (jump !== undefined) others.push(`proxyjump ${jump}`);
  return [...given, rest, `identitiesonly ${isIdentitiesOnly ? 'yes' : 'no'}`, ...others].join('\n');
}

function settingsOf(query: HostQuery, printed: string): HostSettings {
  const values: Map<string, string[]> = new Map();
  for (const line of printed.split('\n')) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, [...(values.get(key) ?? []), value]);
  }
  const one = (key: string): string | undefined => {
    const value = values.get(key)?.[0];
    return value === 'none' ? undefined : value;
  };
  const list = (key: string, separator: string): string[] => (one(key) ?? '').split(separator).filter(Boolean);
  const host = one('hostname') ?? query.name;
  const port = Number(one('port') ?? query.port ?? 22);
  const user = one('user') ?? query.username ?? userInfo().username;
  const expand = expander({ name: query.name, host, port, user, alias: one('hostkeyalias'), jump: one('proxyjump') });
  const paths = (files: string[]): string[] => files.filter((file) => file !== 'none').map((file) => tilde(expand(variables(file))));
  const seconds = (key: string): number => (Number(one(key)) || 0) * 1000;
  const command = one('proxycommand');
  return {
    name: query.name,
    host,
    port,
    user,
    identityFiles: paths(values.get('identityfile') ?? []),
    isIdentitiesOnly: one('identitiesonly') === 'yes',
    agent: agentOf(values.get('identityagent')?.[0], paths),
    userKnownHosts: paths(list('userknownhostsfile', ' ')),
    globalKnownHosts: paths(list('globalknownhostsfile', ' ')),
    revokedKeys: paths(list('revokedhostkeys', '\n'))[0],
    hostKeyAlias: one('hostkeyalias'),
    hostKeyAlgorithms: list('hostkeyalgorithms', ','),
    isHashing: one('hashknownhosts') === 'yes',
    isCompressed: one('compression') === 'yes',
    proxyJump: one('proxyjump'),
    proxyCommand: command === undefined ? undefined : proxyCommandOf(command, { host, name: query.name, user }, expand),
    family: one('addressfamily') === 'inet' ? 4 : one('addressfamily') === 'inet6' ? 6 : undefined,
    bindAddress: one('bindaddress'),
    connectTimeoutMs: seconds('connecttimeout') || undefined,
    aliveIntervalMs: seconds('serveraliveinterval'),
    aliveCountMax: Number(one('serveralivecountmax') ?? 3),
  };
}

function agentOf(configured: string | undefined, paths: (files: string[]) => string[]): string | undefined {
  if (configured === undefined || configured === 'SSH_AUTH_SOCK') return process.env['SSH_AUTH_SOCK'] || undefined;
  if (/^\$[A-Za-z_]/.test(configured)) return process.env[configured.slice(1)] || undefined;
  return paths([configured])[0];
}

/** A command for a shell: names that would mean something to it do not get there. */
function proxyCommandOf(
  command: string,
  { host, name, user }: { host: string; name: string; user: string },
  expand: (text: string) => string,
): string {
  const values = { '%h': host, '%n': name, '%r': user };
  for (const [token, value] of Object.entries(values)) {
    if (command.includes(token) && /[`"'$\\;&<>|(){}]/.test(value)) {
      throw new SshError('ERR_MITOS_TRANSPORT_EXIT', `${JSON.stringify(value)} may not be put into a ProxyCommand`);
    }
  }
  return expand(command);
}

interface Names {
  name: string;
  host: string;
  port: number;
  user: string;
  alias: string | undefined;
  jump: string | undefined;
}

/** Puts in what `%h` and its like stand for; see TOKENS in ssh_config(5). */
function expander({ name, host, port, user, alias, jump }: Names): (text: string) => string {
  const here = hostname();
  const digest = (): string =>
    createHash('sha1')
      .update(`${here}${host}${port}${user}${jump ?? ''}`)
      .digest('hex');
  const tokens: Record<string, string | (() => string)> = {
    '%': '%',
    C: digest,
    d: homedir(),
    h: host,
    i: String(userInfo().uid),
    j: jump ?? '',
    k: alias ?? name,
    L: here.split('.')[0] as string,
    l: here,
    n: name,
    p: String(port),
    r: user,
    u: userInfo().username,
  };
  return (text) =>
    text.replace(/%(.)/g, (all, token: string) => {
      const value = tokens[token];
      return value === undefined ? all : typeof value === 'string' ? value : value();
    });
}

function variables(text: string): string {
  return text.replace(/\$\{(\w+)\}/g, (_all, name: string) => process.env[name] ?? '');
}

/** Puts in the home directory. */
export function tilde(path: string): string {
  return path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
}
