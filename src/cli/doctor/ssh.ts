/**
 * What can be told of an ssh step before it is taken: the client and its configuration, keys, the way to the server, its host key as ssh itself
 * judges it, and the methods of authentication it offers. Nothing is offered to the server but the method "none".
 */
import { escapeText, type SshOptions } from '../../index.ts';
import { collect, type Fact, fact, firstLine, lastLine, listed, type Place, type Ran, run } from './facts.ts';
import { examinePaths, examineServer, type ServerFacts } from './functions.ts';

/** Time for the name, for the connection, and for the first line of a server, in milliseconds. */
const SERVER_TIMEOUT_MS = 4000;

/** The configuration in force, as `ssh -G` prints it. */
type SshConfig = ReadonlyMap<string, readonly string[]>;

/** Examines an ssh step from the place that takes it. */
export async function examineSsh(place: Place, options: SshOptions): Promise<Fact[]> {
  const ssh = commandOf(options);
  const [version, settings] = await Promise.all([
    run(place, [options.sshPath ?? 'ssh', '-V']),
    run(place, [...ssh, '-v', '-G', '--', options.hostname]),
  ]);
  if (version.exitCode !== 0) return [missingClient(version, options)];
  const client = fact('ok', 'ssh', firstLine(version.stderr));
  if (settings.exitCode !== 0) {
    const said = lastLine(settings.stderr) || settings.problem || `ssh -G exited with code ${settings.exitCode}`;
    return [
      client,
      fact('failed', 'configuration', said, { hint: 'correct the ssh configuration, or name another file with ?configFile=PATH' }),
    ];
  }
  const config = readConfig(settings.stdout);
  const found = await collect([
    ['configuration', Promise.resolve([configuration(options, config, settings.stderr)])],
    ['keys', keys(place, options, config)],
    ['server', way(place, config)],
    ['host key', handshake(place, ssh, options)],
  ]);
  // Where no server is to be found there is no key to be seen.
  const isAway = found.some(({ what, state }) => what === 'server' && state === 'failed');
  return [client, ...found.filter(({ what, state }) => !(isAway && what === 'host key' && state === 'note'))];
}

function missingClient({ exitCode, stderr, problem }: Ran, { transport }: SshOptions): Fact {
  const why = exitCode === 127 ? 'there is no ssh client here' : lastLine(stderr) || problem || `ssh -V exited with code ${exitCode}`;
  return fact(transport === 'in-process' ? 'note' : 'failed', 'ssh', why, {
    hint: "install OpenSSH's client, or name it with ?sshPath=PATH",
  });
}

/** The client, with those options of the step that decide where it goes and whom it trusts. */
function commandOf({ sshPath = 'ssh', configFile, username, port, identityFile = [], knownHosts, sshArgs = [] }: SshOptions): string[] {
  const argv = [sshPath];
  if (configFile !== undefined) argv.push('-F', configFile);
  if (username !== undefined) argv.push('-l', username);
  if (port !== undefined) argv.push('-p', String(port));
  for (const path of [identityFile].flat()) argv.push('-i', path);
  if (knownHosts !== undefined) {
    const files = [knownHosts].flat().map((file) => (/[\s"]/.test(file) ? `"${file}"` : file));
    argv.push('-o', `UserKnownHostsFile=${files.join(' ')}`, '-o', 'GlobalKnownHostsFile=/dev/null');
  }
  return [...argv, ...sshArgs];
}

function readConfig(text: string): SshConfig {
  const config = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line.trim()) ?? [];
    if (key === undefined || value === undefined) continue;
    const values = config.get(key);
    if (values) values.push(value);
    else config.set(key, [value]);
  }
  return config;
}

const first = (config: SshConfig, key: string): string | undefined => config.get(key)?.[0];

/** How the client goes to the server when not by itself. */
function detourOf(config: SshConfig): string | undefined {
  const jump = first(config, 'proxyjump');
  const command = first(config, 'proxycommand');
  if (jump !== undefined && jump !== 'none') return `through ${jump}`;
  return command !== undefined && command !== 'none' ? `by the command ${command}` : undefined;
}

function configuration({ hostname }: SshOptions, config: SshConfig, printed: string): Fact {
  const files = [...printed.matchAll(/Reading configuration data (.*?)\r?$/gm)].map(([, file]) => file as string);
  const [host, port, user] = ['hostname', 'port', 'user'].map((key) => first(config, key)) as [string, string, string];
  const detour = detourOf(config);
  const control = first(config, 'controlpath');
  const parts = [`${hostname} is ${user}@${host} port ${port}`];
  if (detour !== undefined) parts.push(detour);
  if (control !== undefined && control !== 'none') parts.push(`shared connections (${control})`);
  parts.push(files.length > 0 ? `read from ${listed(files)}` : 'no configuration files');
  const data = { hostname: host, port: Number(port), user, detour: detour ?? null, controlPath: control ?? null, files };
  return fact('ok', 'configuration', parts.join(', '), { data });
}

async function keys(place: Place, { password }: SshOptions, config: SshConfig): Promise<Fact[]> {
  const agent = first(config, 'identityagent') ?? 'SSH_AUTH_SOCK';
  const env: Record<string, string> = agent === 'SSH_AUTH_SOCK' ? {} : { SSH_AUTH_SOCK: agent };
  const [paths, listing] = await Promise.all([
    place.with({ timeoutMs: SERVER_TIMEOUT_MS }).call(examinePaths, [...(config.get('identityfile') ?? [])]),
    agent === 'none' ? undefined : run(place, ['ssh-add', '-l'], { env }),
  ]);
  const files = paths.filter(({ kind }) => kind === 'file');
  const unreadable = files.filter(({ isReadable }) => !isReadable);
  const count = listing?.exitCode === 0 ? listing.stdout.trim().split('\n').length : 0;
  const held =
    agent === 'none'
      ? 'no agent is used'
      : listing?.exitCode === 0 || listing?.exitCode === 1
        ? `the agent holds ${count}`
        : 'no agent answers';
  const text = `${files.length > 0 ? listed(files.map(({ path }) => path)) : 'no key file'}; ${held}`;
  const data = { files: files.map(({ path }) => path), agentKeys: count };
  const facts = unreadable.map(({ path }) => fact('warning', 'keys', `${path} cannot be read by this user`));
  if (files.length > 0 || count > 0 || password !== undefined) return [fact('ok', 'keys', text, { data }), ...facts];
  return [
    fact('warning', 'keys', `${text}; no password is given either`, {
      data,
      hint: 'make a key with ssh-keygen, or give the password with --ask-password',
    }),
  ];
}

/** The way to the server, where the client takes it by itself. */
async function way(place: Place, config: SshConfig): Promise<Fact[]> {
  if (detourOf(config) !== undefined) return [fact('note', 'server', `not looked for directly: ssh goes ${detourOf(config)}`)];
  const host = first(config, 'hostname') as string;
  const port = Number(first(config, 'port'));
  const found: ServerFacts = await place.with({ timeoutMs: 5 * SERVER_TIMEOUT_MS }).call(examineServer, host, port, SERVER_TIMEOUT_MS);
  const data = { ...found };
  if (found.addresses.length === 0) {
    const hint = 'check the spelling of the name, /etc/hosts and the DNS of the machine that connects';
    return [fact('failed', 'server', `the name ${host} leads nowhere: ${found.problem}`, { hint, data })];
  }
  const where = `${found.address ?? found.addresses[0]} port ${port}`;
  if (found.connectMs === null) {
    const hint = 'check that sshd runs there, on this port, and that no firewall is in between';
    return [fact('failed', 'server', `${where} cannot be reached: ${found.problem}`, { hint, data })];
  }
  if (found.banner === null)
    return [fact('failed', 'server', `${where}: ${found.problem}`, { hint: 'check the port: no ssh server answers there', data })];
  const name = host === found.address ? '' : `, name in ${found.lookupMs} ms`;
  return [fact('ok', 'server', `${where} in ${found.connectMs.toFixed(1)} ms${name}, ${found.banner}`, { data })];
}

/** Options for an attempt that goes as far as the list of methods, on a connection of its own. */
const ATTEMPT: readonly string[] = [
  '-v',
  '-T',
  '-o',
  'BatchMode=yes',
  '-o',
  'PreferredAuthentications=none',
  '-o',
  'ConnectTimeout=5',
].concat([
  '-o',
  'ControlMaster=no',
  '-o',
  'ControlPath=none',
  '-o',
  'ClearAllForwardings=yes',
  '-o',
  'PermitLocalCommand=no',
  '-o',
  'RemoteCommand=none',
]);
/** Accepts any key, and remembers none: for a look at what is behind it. */
const UNCHECKED: readonly string[] = [
  '-o',
  'StrictHostKeyChecking=no',
  '-o',
  'UserKnownHostsFile=/dev/null',
  '-o',
  'GlobalKnownHostsFile=/dev/null',
];

async function handshake(place: Place, [program, ...rest]: readonly string[], options: SshOptions): Promise<Fact[]> {
  // The first value of an option wins.
  const attempt = (extra: readonly string[]): Promise<Ran> =>
    run(place, [program as string, ...ATTEMPT, ...extra, ...rest, '--', options.hostname, 'true'], { timeoutMs: 10_000 });
  const strict = await attempt(['-o', 'StrictHostKeyChecking=yes']);
  const [, type, fingerprint] = /Server host (?:key|certificate): (\S+) (SHA256:\S+)/.exec(strict.stderr) ?? [];
  if (type === undefined || fingerprint === undefined) {
    const said = strict.problem ?? lastLine(strict.stderr.replace(/^debug1:.*$/gm, ''));
    return [fact('note', 'host key', `not seen: ${escapeText(said)}`)];
  }
  const judged = judge(strict.stderr, `${type} ${fingerprint}`, options);
  const isStopped = /Host key verification failed|No .* host key is known/.test(strict.stderr);
  const { stderr, exitCode } = isStopped ? await attempt(UNCHECKED) : strict;
  return [judged, offered(stderr, exitCode)];
}

function judge(printed: string, key: string, { hostKeys = 'enforce' }: SshOptions): Fact {
  const place = /Found (?:key|CA key|matching \S+ key) in (.*?)\r?$/m.exec(printed)?.[1];
  const data = { key, place: place ?? null };
  if (/REVOKED|is marked as revoked/.test(printed))
    return fact('failed', 'host key', `${key} is marked as revoked`, {
      data: { ...data, judgement: 'revoked' },
      hint: 'do not connect before you know why',
    });
  if (/IDENTIFICATION HAS CHANGED/.test(printed)) {
    const offending = /Offending .* key in (.*?)\r?$/m.exec(printed)?.[1];
    const text = `${key} is not the one that is known${offending === undefined ? '' : ` (${offending})`}: another machine answers, or it has a new key`;
    const hint = 'compare the fingerprint with that of the machine itself; if the key is new, remove the old one with ssh-keygen -R';
    return fact(hostKeys === 'ignore' ? 'warning' : 'failed', 'host key', text, { hint, data: { ...data, judgement: 'changed' } });
  }
  if (/Host key verification failed|No .* host key is known/.test(printed)) {
    const hint =
      'compare the fingerprint with that of the machine itself; then add it with ssh-keyscan, or connect once with ?hostKeys=accept-new';
    const state = hostKeys === 'enforce' ? 'failed' : 'warning';
    return fact(state, 'host key', `${key} is not known`, { hint, data: { ...data, judgement: 'unknown' } });
  }
  return fact('ok', 'host key', `${key} is known${place === undefined ? '' : ` (${place})`}`, { data: { ...data, judgement: 'known' } });
}

function offered(printed: string, exitCode: number | null): Fact {
  const methods = /Authentications that can continue: (\S+)/.exec(printed)?.[1] ?? /Permission denied \(([^)]*)\)/.exec(printed)?.[1];
  if (methods !== undefined)
    return fact('ok', 'methods', `the server takes ${methods.split(',').join(', ')}`, { data: { methods: methods.split(',') } });
  if (exitCode === 0 || /Authenticated to/.test(printed))
    return fact('ok', 'methods', 'the server asks for no authentication', { data: { methods: ['none'] } });
  return fact('note', 'methods', `not told: ${lastLine(printed.replace(/^debug1:.*$/gm, ''))}`);
}
