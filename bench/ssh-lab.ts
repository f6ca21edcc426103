/** What `npm run bench -- ssh` runs against, and how its clients are started: sshd on loopback, users that may use sudo, proxies that count and delay. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { inheritedEnvironment } from '#src/parent/environment.js';
import { type DelayProxy, type DelayProxyCounters, delayProxy, findCommand } from '#src/testing/index.js';
import { createLab, type LabUser, missing, type Sshd } from '../test/support/lab/index.ts';
import { rest } from './measure.ts';

const PYTHON = '/usr/bin/python3';
const CLIENT = fileURLToPath(new URL('ssh-client.js', import.meta.url));
const PEERS = fileURLToPath(new URL('../../bench/ssh_peers.py', import.meta.url));
/** Each way, of the proxy that is far. */
export const ONE_WAY_MS = 100;
/** As long as an end of a connection may take to come through. */
const QUIET_MS = 300;

/** What a client is told. */
export interface ClientSettings {
  port: number;
  username: string;
  configFile: string;
  /** For sudo. */
  password?: string;
  /** Whether Mitogen has ssh compress. */
  compression?: boolean;
  count?: number;
}

/** Who connects. */
export type Who = 'mitos' | 'mitogen' | 'execnet';
/** See `ssh-client.ts`. */
export type Scenario = 'hops' | 'flight' | 'first' | 'seedHere' | 'seedThere' | 'many' | 'calls';

/** What a client took. */
export interface Taken {
  /** Milliseconds of each step, from where the one before ended; the first begins when the library is loaded. */
  steps: Record<string, number>;
  /** Milliseconds of the whole process. */
  ms: number;
}

/** Things that are open while ssh is measured. */
export interface SshLab extends AsyncDisposable {
  readonly directory: string;
  readonly node: string;
  readonly sshd: Sshd;
  /** May become root without a password. */
  readonly free: LabUser;
  /** Is asked for its password each time. */
  readonly asked: LabUser;
  /** Proxies before the server. */
  readonly near: DelayProxy;
  readonly far: DelayProxy;
  /** Whether this machine has a peer. */
  has(peer: 'mitogen' | 'execnet' | 'ansible'): boolean;
  /** The arguments of ssh as the first user. */
  ssh(port?: number): string[];
  /** Runs a client; it goes on when `onStep` has returned. */
  run(who: Who, scenario: Scenario, settings?: Partial<ClientSettings>, onStep?: () => void): Promise<Taken>;
  /** What goes through the near proxy while `work` is done, and until nothing more comes. */
  traffic(work: () => Promise<void>): Promise<DelayProxyCounters>;
}

/** Why ssh cannot be measured here; undefined when it can. */
export function missingForSsh(): string | undefined {
  return missing('sshd') ?? missing('sudo');
}

/** Opens everything. */
export async function openSshLab(): Promise<SshLab> {
  const lab = createLab();
  try {
    const [free, asked] = [await lab.user(), await lab.user()];
    // sudo looks for programs in a path of its own.
    const path = `Defaults:${free.name},${asked.name} secure_path="${dirname(lab.node)}:/usr/local/bin:/usr/bin:/bin"`;
    const asks = `Defaults:${asked.name} timestamp_timeout=0, !lecture`;
    await lab.sudoers(`${path}\n${asks}\n${free.name} ALL=(ALL) NOPASSWD: ALL\n${asked.name} ALL=(ALL) ALL`);
    const sshd = await lab.sshd();
    const [near, far] = [await delayProxy(sshd), await delayProxy({ port: sshd.port, oneWayMs: ONE_WAY_MS })];
    const peers = {
      mitogen: canImport('mitogen.master'),
      execnet: canImport('execnet'),
      ansible: findCommand('ansible-playbook') !== undefined,
    };
    const defaults: ClientSettings = { port: sshd.port, username: free.name, configFile: sshd.clientConfig };
    return {
      ...{ directory: lab.directory, node: lab.node, sshd, free, asked, near, far },
      has: (peer) => peers[peer],
      ssh: (port = sshd.port) => ['-F', sshd.clientConfig, '-p', String(port), '-l', free.name, '127.0.0.1'],
      run: (who, scenario, settings, onStep) => runClient([...commandOf(who), scenario], { ...defaults, ...settings }, onStep),
      traffic: (work) => countTraffic(near, work),
      async [Symbol.asyncDispose]() {
        await Promise.all([near.close(), far.close()]);
        await lab.close();
      },
    };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Milliseconds of a program, from its start to its exit, or to the first byte it prints. Throws when it fails. */
export async function runProgram(argv: readonly string[], { input = '', isFirstByte = false, env = {} } = {}): Promise<number> {
  const start = performance.now();
  const child = startProgram(argv, env);
  const printed = isFirstByte && once(child.stdout, 'data').then(() => performance.now() - start);
  child.stdout.resume();
  child.stdin.end(input);
  await exitOf(child);
  return printed || performance.now() - start;
}

function commandOf(who: Who): string[] {
  return who === 'mitos' ? [process.execPath, CLIENT] : [PYTHON, PEERS, who];
}

async function runClient(argv: readonly string[], settings: ClientSettings, onStep?: () => void): Promise<Taken> {
  const start = performance.now();
  const child = startProgram(argv);
  child.stdin.write(`${JSON.stringify(settings)}\n`);
  const steps: Record<string, number> = {};
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [step, ms] = JSON.parse(line) as [string, number];
    steps[step] = ms;
    onStep?.();
    child.stdin.write('\n');
  });
  await exitOf(child);
  return { steps, ms: performance.now() - start };
}

function startProgram([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = {}) {
  // What the library starts leads sessions of its own, and the scheduler treats sessions apart.
  const child = spawn(program, args, {
    env: { ...inheritedEnvironment(process.env), PYTHONDONTWRITEBYTECODE: '1', ...env },
    detached: true,
  });
  child.stdin.on('error', () => {});
  return child;
}

/** Waits for the end of a program; throws with the last it said when that was no good one. */
async function exitOf(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-2000)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`"${child.spawnargs.join(' ')}" ended with ${code ?? signal}: ${said.trim()}`);
}

async function countTraffic(proxy: DelayProxy, work: () => Promise<void>): Promise<DelayProxyCounters> {
  proxy.reset();
  await work();
  for (let before = -1, now = proxy.counters(); ; now = proxy.counters()) {
    if (now.bytesUp + now.bytesDown === before) return now;
    before = now.bytesUp + now.bytesDown;
    await rest(QUIET_MS);
  }
}

function canImport(module: string): boolean {
  return spawnSync(PYTHON, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
}
