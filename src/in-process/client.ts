/** Connections to ssh servers, through others if the configuration says so. */
import { spawn } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { LineSplitter } from '../core/line-splitter.ts';
import { Authentication, type Credentials } from './authentication.ts';
import type { Holdings } from './holdings.ts';
import { HostKeyCheck, type HostKeyMode } from './host-key.ts';
import { type HostQuery, type HostSettings, readSettings } from './ssh-config.ts';
import { explainClientError, SshError } from './ssh-error.ts';
import type { Client, ClientError, Ssh2 } from './ssh2.ts';

/** Most hosts to jump over. */
const MAX_JUMPS = 8;
const CONNECT_FAILED = 2;
/** Time for the last words of a proxy command. */
const DRAIN_MS = 100;

/** What is the same for all hosts on a way. */
export interface ClientContext {
  ssh2: Ssh2;
  holdings: Holdings;
  hostKeys: HostKeyMode;
  knownHosts: readonly string[] | undefined;
  passphrase: Buffer | undefined;
  /** Takes what programs print, and what is to be told. */
  say(line: string): void;
  /** Takes what the ssh client tells about itself. */
  debug: ((line: string) => void) | undefined;
}

/** A host to connect to. */
export interface ClientTarget {
  query: HostQuery;
  password: Buffer | undefined;
  /** Opens the TCP connection elsewhere, instead of what the configuration says. */
  dial: ((host: string, port: number) => Duplex) | undefined;
}

/** A client that has been let in. */
export interface Connected {
  client: Client;
  socket: Duplex;
  settings: HostSettings;
}

/** Connects to a host. Whatever this opens is among the holdings. Rejects with an {@link SshError}. */
export async function connectClient(target: ClientTarget, context: ClientContext, depth = 0): Promise<Connected> {
  const settings = await readSettings(target.query, context.holdings.signal, (line) => context.say(line));
  if (context.knownHosts) {
    settings.userKnownHosts = [...context.knownHosts];
    settings.globalKnownHosts = [];
  }
  const check = await HostKeyCheck.of(settings, context.hostKeys);
  const socket = await openSocket(target, settings, context, depth);
  socket.on('error', () => {});
  // ssh2 leaves the other half open, and would wait for good.
  socket.on('end', () => socket.destroy());
  const client = await logIn(target, settings, context, socket, check);
  return { client, socket, settings };
}

async function openSocket(target: ClientTarget, settings: HostSettings, context: ClientContext, depth: number): Promise<Duplex> {
  const { host, port, proxyJump, proxyCommand, family, bindAddress } = settings;
  if (context.holdings.signal.aborted) throw new SshError('ERR_MITOS_TRANSPORT_EXIT', 'it was given up');
  if (target.dial) return target.dial(host, port);
  if (proxyJump !== undefined) return jump(proxyJump, target, settings, context, depth);
  if (proxyCommand !== undefined) return pipeThrough(proxyCommand, context);
  return connectTcp({
    host,
    port,
    noDelay: true,
    ...(family === undefined ? {} : { family }),
    ...(bindAddress === undefined ? {} : { localAddress: bindAddress }),
  });
}

/** A TCP connection made by another host, the last of a list; that is reached through those before it. */
async function jump(list: string, target: ClientTarget, settings: HostSettings, context: ClientContext, depth: number): Promise<Duplex> {
  if (depth >= MAX_JUMPS) throw new SshError('ERR_MITOS_TRANSPORT_EXIT', `more than ${MAX_JUMPS} hosts to jump over (ProxyJump)`);
  const hosts = list.split(',');
  const { username, name, port } = jumpHost(hosts.pop() as string);
  const { sshPath, configFile } = target.query;
  // What was asked for is meant for the last host: its user, its key and above all its password are nothing to those on the way.
  const query: HostQuery = { name, username, port, sshPath, configFile, jump: hosts.length ? hosts.join(',') : undefined };
  const on: ClientTarget = { query, password: undefined, dial: undefined };
  try {
    const { client } = await connectClient(on, context, depth + 1);
    return await new Promise<Duplex>((resolve, reject) => {
      client.forwardOut('127.0.0.1', 0, settings.host, settings.port, (error, channel) => {
        if (!error) resolve(channel);
        else {
          const code = error.reason === CONNECT_FAILED ? 'ERR_MITOS_REFUSED' : 'ERR_MITOS_TRANSPORT_EXIT';
          reject(new SshError(code, `it does not connect to ${settings.host}:${settings.port} (${error.message})`));
        }
      });
    });
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    const { code, message, hint, data } = error;
    throw new SshError(code, `jump host "${name}": ${message}`, { ...(hint ? { hint } : {}), data: { ...data, jumpHost: name } });
  }
}

/** Reads `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
function jumpHost(text: string): { username: string | undefined; name: string; port: number | undefined } {
  const [, username, bracketed, plain, port] =
    /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[(.+?)\]|([^:]+|.*:.*:.*?))(?::(\d+))?$/.exec(text.trim()) ?? [];
  return { username, name: bracketed ?? plain ?? text, port: port === undefined ? undefined : Number(port) };
}

/** The input and output of a program as a socket, run as OpenSSH runs a ProxyCommand. */
function pipeThrough(command: string, { holdings, say }: ClientContext): Duplex {
  const child = spawn(process.env['SHELL'] || '/bin/sh', ['-c', `exec ${command}`], { stdio: 'pipe', detached: true });
  const lines = new LineSplitter(8192, say);
  child.stderr.on('data', (chunk: Buffer) => lines.push(chunk));
  // Its end is the end of the connection, once it has been heard out.
  const output = child.stdout.pipe(new PassThrough(), { end: false });
  // That it takes no more says less than how it ends.
  const input = new PassThrough();
  child.stdin.on('error', () => {});
  input.pipe(child.stdin);
  const socket = Duplex.from({ readable: output, writable: input });
  const end = (): void => {
    lines.end();
    output.end();
  };
  let isRunning = true;
  const kill = (): void => {
    if (!isRunning) return;
    isRunning = false;
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // nothing of it is left
    }
  };
  child.on('error', (error) => socket.destroy(error));
  child.on('close', end);
  child.on('exit', () => {
    // What it started goes with it; what has left its group may hold the outputs.
    kill();
    const timer = setTimeout(end, DRAIN_MS);
    child.on('close', () => clearTimeout(timer));
    holdings.add(() => clearTimeout(timer));
  });
  holdings.add(kill);
  return socket;
}

function logIn(target: ClientTarget, settings: HostSettings, context: ClientContext, socket: Duplex, check: HostKeyCheck): Promise<Client> {
  const { ssh2, holdings, debug } = context;
  const credentials: Credentials = { password: target.password, passphrase: context.passphrase };
  const authentication = new Authentication(ssh2, settings, credentials);
  const client = new ssh2.Client();
  holdings.add(() => hangUp(client, socket));
  return new Promise((resolve, reject) => {
    const where = `${settings.host}:${settings.port}`;
    let refusal: SshError | undefined;
    let shown: Buffer | undefined;
    if (socket.destroyed) reject(explainClientError(socket.errored ?? new Error('closed'), where));
    authentication.onGivenUp = () => reject(authentication.failure as SshError);
    client.on('ready', () => {
      const noted = shown ? check.note(shown) : Promise.resolve();
      noted.catch((error: Error) => context.say(`Cannot note the key of ${where}: ${error.message}`)).finally(() => resolve(client));
    });
    client.on('banner', (text: string) => text.split(/\r?\n/).forEach((line) => line && context.say(line)));
    client.on('change password', () => reject(new SshError('ERR_MITOS_AUTH', `the password of ${settings.user}@${where} has expired`)));
    client.on('error', (error: ClientError) => {
      // Another key, or another way, is tried.
      if (error.level === 'agent') return;
      reject(refusal ?? (error.level === 'client-authentication' ? authentication.explain() : explainClientError(error, where)));
    });
    client.on('close', () => reject(explainClientError(new Error('Connection lost before handshake'), where)));
    client.connect({
      sock: socket,
      username: settings.user,
      readyTimeout: settings.connectTimeoutMs ?? 0,
      keepaliveInterval: settings.aliveIntervalMs,
      keepaliveCountMax: settings.aliveCountMax,
      algorithms: {
        serverHostKey: check.algorithms,
        compress: settings.isCompressed ? ['zlib@openssh.com', 'zlib', 'none'] : ['none', 'zlib@openssh.com'],
      },
      hostVerifier: (key) => {
        shown = key;
        refusal = check.judge(key);
        return refusal === undefined;
      },
      authHandler: (left, isPartial, next) => authentication.next(left, isPartial, next),
      debug,
    });
  });
}

/** Says goodbye, as far as that can be had at once, and closes the socket. */
function hangUp(client: Client, socket: Duplex): void {
  client.end();
  socket.destroy();
}
