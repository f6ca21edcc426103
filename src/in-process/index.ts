/**
 * `ssh()` with `transport: 'in-process'`: an ssh client in the master itself, made of the npm package ssh2. Keys and agent are used here only, so a
 * further host can be reached through any context of the tree without that context seeing more than encrypted bytes.
 */
import type { Duplex } from 'node:stream';
import type { ChildConfig } from '../core/config.ts';
import type { ConnectOrder } from '../core/connect-order.ts';
import type { Hop } from '../core/hop.ts';
import type { ContextId } from '../core/wire.ts';
import type { ChildLink, ExitStatus } from '../parent/child-link.ts';
import type { Method } from '../parent/connector.ts';
import { firstStage, lastStep } from '../parent/first-stage.ts';
import { shellWords } from '../parent/quote.ts';
import { retrying } from '../parent/retrying-link.ts';
import { checkName, connectionSettings, type SshOrderOptions } from '../parent/ssh-arguments.ts';
import { pauseAfter, RETRIES } from '../parent/ssh-retry.ts';
import { createStageLink, newMarker } from '../parent/stage-link.ts';
import { nodeCommand } from '../parent/start.ts';
import { ChannelTransport } from './channel-transport.ts';
import { type ClientTarget, type Connected, connectClient } from './client.ts';
import { Holdings } from './holdings.ts';
import { tilde } from './ssh-config.ts';
import { SshError } from './ssh-error.ts';
import { type Channel, type ClientError, loadSsh2 } from './ssh2.ts';

/** What is needed of the master. */
export interface InProcessHost {
  /** Opens a TCP connection from a context of the tree. */
  dial(from: ContextId, host: string, port: number): Duplex;
}

/** Options of an order, as they arrive. */
type Options = SshOrderOptions & { through?: ContextId };

/** Time for what is still to be read when the connection has gone. */
const DRAIN_MS = 100;

/** The method, for a master whose hop is on its own thread. */
export function createInProcessSsh(host: InProcessHost): Method {
  return {
    start: (order, config, hop) => {
      const options = order.options as unknown as Options;
      checkName('hostname', options.hostname);
      const retries = options.retries ?? RETRIES;
      return retrying(
        () => startSession(order, config, hop, host),
        ({ number, status }) => {
          const isTransient = status.error instanceof SshError && status.error.data?.['transient'] === true;
          return isTransient && number <= retries ? pauseAfter(number) : undefined;
        },
        hop.clock,
      );
    },
  };
}

/** The method `ssh` of such a master: the one or the other, as the option `transport` says. */
export function eitherSsh(openssh: Method | undefined, host: InProcessHost): Method {
  const inProcess = createInProcessSsh(host);
  return {
    isFar: true,
    start: (order, config, hop) => {
      const method = order.options['transport'] === 'in-process' ? inProcess : openssh;
      if (!method) throw new TypeError('There is no other transport here');
      return method.start(order, config, hop);
    },
  };
}

function startSession(order: ConnectOrder, config: ChildConfig, hop: Hop, host: InProcessHost): ChildLink {
  const options = order.options as unknown as Options;
  const { packedCore } = hop.sources;
  const marker = newMarker();
  const { search } = order;
  const node = search?.mode === 'push' ? undefined : nodeCommand(order.options.node);
  const holdings = new Holdings();
  const transport = new ChannelTransport();
  const status: ExitStatus = { exitCode: null, signal: null };
  let settle: (status: ExitStatus) => void = () => {};
  const end = (error?: Error): void => {
    lines.end();
    settle(error ? { ...status, error } : status);
    transport.destroy();
    holdings.release();
  };
  const link = createStageLink({
    inner: transport,
    marker,
    preamble: packedCore,
    isBlind: true,
    tail: node ? undefined : lastStep({}),
    argv: ['ssh2', options.hostname],
    exited: new Promise((resolve) => (settle = resolve)),
    kill: () => end(),
  });
  const lines = link.printer('stderr', config.limits.maxLogRecordBytes);
  const say = (line: string): void => link.onOutput('stderr', line);
  const stage = firstStage({ marker, preambleBytes: packedCore.length, node, search });
  const use = ({ client, socket }: Connected, channel: Channel): void => {
    channel.on('exit', (exitCode: number | null, signal?: string) => Object.assign(status, { exitCode, signal: signal ?? null }));
    channel.stderr.on('data', (chunk: Buffer) => lines.push(chunk));
    channel.stderr.on('error', () => {});
    let open = 2;
    for (const part of [channel, channel.stderr]) part.on('close', () => --open || end());
    client.on('error', (error: ClientError) => transport.destroy(error));
    client.on('close', () => {
      const timer = setTimeout(end, DRAIN_MS);
      holdings.add(() => clearTimeout(timer));
    });
    transport.open(channel, socket);
  };
  // Whoever starts a child takes what it says only afterwards.
  void Promise.resolve()
    .then(() => connect(targetOf(options, config, host), options, holdings, say))
    .then((connected) => execute(connected, shellWords(stage)).then((channel) => use(connected, channel)))
    .catch((error: Error) => end(error instanceof SshError ? error : new SshError('ERR_MITOS_TRANSPORT_EXIT', error.message)));
  return link;
}

async function connect(target: ClientTarget, options: Options, holdings: Holdings, say: (line: string) => void): Promise<Connected> {
  const { hostKeys = 'enforce', knownHosts, passphrase, debugLevel } = options;
  return connectClient(target, {
    ssh2: await loadSsh2(),
    holdings,
    hostKeys,
    knownHosts: knownHosts === undefined ? undefined : [knownHosts].flat().map(tilde),
    passphrase,
    say,
    debug: debugLevel ? say : undefined,
  });
}

function targetOf(options: Options, { keepAlive }: ChildConfig, host: InProcessHost): ClientTarget {
  const { hostname, port, username, identityFile, identitiesOnly, sshPath, configFile, sshArgs, through } = options;
  return {
    query: {
      name: hostname,
      port,
      username,
      identityFiles: identityFile === undefined ? [] : [identityFile].flat(),
      // A key that is named is meant; the server counts the others as failures.
      isIdentitiesOnly: identitiesOnly ?? (identityFile === undefined ? undefined : true),
      sshPath,
      configFile,
      sshArgs,
      // What the other transport tells ssh.
      settings: connectionSettings(options, keepAlive),
    },
    password: options.password,
    dial: through === undefined ? undefined : (name, at) => host.dial(through, name, at),
  };
}

function execute({ client, settings }: Connected, command: string): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const onDone = (error: ClientError | undefined, channel: Channel): void => {
      if (!error) resolve(channel);
      else reject(new SshError('ERR_MITOS_TRANSPORT_EXIT', `${settings.host} does not run a command (${error.message})`));
    };
    try {
      client.exec(command, onDone);
    } catch (error) {
      onDone(error as ClientError, undefined as never);
    }
  });
}
