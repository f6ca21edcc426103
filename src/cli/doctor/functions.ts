/**
 * What the doctor runs in the places it examines: plain functions that know nothing of mitos, sent like those of any program. They may run on
 * an old Node, and are sent as they are written: no `?.` and `??`, no `node:`.
 */
import dns from 'dns';
import fs from 'fs';
import net from 'net';
import os from 'os';
import { Worker } from 'worker_threads';

/** What a program finds where it runs. */
export interface Surroundings {
  user: string;
  uid: number;
  home: string;
  loginShell: string | null;
  hostname: string;
  platform: string;
  arch: string;
  system: string;
  libc: string | null;
  cwd: string;
  node: string;
  execPath: string;
  freeMemoryBytes: number;
  totalMemoryBytes: number;
  /** Null where there is none. */
  sharedMemory: { isWritable: boolean; isExecutable: boolean; freeBytes: number | null } | null;
  openFilesLimit: string | null;
}

/** Tells what is here. */
export function examineSurroundings(): Surroundings {
  const user = userHere();
  return {
    user: user.name,
    uid: user.uid,
    home: os.homedir(),
    loginShell: user.shell,
    hostname: os.hostname(),
    platform: os.platform(),
    arch: os.arch(),
    system: firstMatch('/etc/os-release', /^PRETTY_NAME="?([^"\n]+)/m) || `${os.type()} ${os.release()}`,
    libc: libcHere(),
    cwd: process.cwd(),
    node: process.version,
    execPath: process.execPath,
    freeMemoryBytes: Number(firstMatch('/proc/meminfo', /^MemAvailable:\s+(\d+) kB/m)) * 1024 || os.freemem(),
    totalMemoryBytes: os.totalmem(),
    sharedMemory: sharedMemoryHere(),
    openFilesLimit: firstMatch('/proc/self/limits', /^Max open files\s+(\S+)/m),
  };
}

function userHere(): { name: string; uid: number; shell: string | null } {
  try {
    const { username, uid, shell } = os.userInfo();
    return { name: username, uid, shell };
  } catch {
    // the uid has no entry in the list of users, as in some containers
    return { name: process.env['USER'] || '?', uid: process.getuid ? process.getuid() : -1, shell: null };
  }
}

function firstMatch(file: string, pattern: RegExp): string | null {
  try {
    const match = pattern.exec(fs.readFileSync(file, 'utf8'));
    return match ? (match[1] as string) : null;
  } catch {
    return null;
  }
}

function libcHere(): string | null {
  if (process.platform !== 'linux') return null;
  const report = process.report ? (process.report.getReport() as unknown as { header?: { glibcVersionRuntime?: string } }) : {};
  if (report.header && report.header.glibcVersionRuntime) return `glibc ${report.header.glibcVersionRuntime}`;
  try {
    return fs.readdirSync('/lib').some((name) => name.startsWith('ld-musl-')) ? 'musl' : null;
  } catch {
    return null;
  }
}

function sharedMemoryHere(): Surroundings['sharedMemory'] {
  const path = '/dev/shm';
  if (!fs.existsSync(path)) return null;
  let isWritable = true;
  try {
    fs.accessSync(path, fs.constants.W_OK);
  } catch {
    isWritable = false;
  }
  const options = firstMatch('/proc/self/mounts', /^\S+ \/dev\/shm \S+ (\S+)/m) || '';
  const statfs = (fs as { statfsSync?: (path: string) => { bavail: number; bsize: number } }).statfsSync;
  const free = statfs ? statfs(path) : null;
  return { isWritable, isExecutable: !/(^|,)noexec(,|$)/.test(options), freeBytes: free ? free.bavail * free.bsize : null };
}

/** Starts a thread and waits until it has ended; gives the time it took, in milliseconds. */
export function startThread(): Promise<number> {
  const startedAt = Date.now();
  return new Promise((resolve, reject) => {
    const worker = new Worker('', { eval: true, stdout: true, stderr: true });
    worker.on('error', reject);
    worker.on('exit', () => resolve(Date.now() - startedAt));
  });
}

/** The time here. */
export function readClock(): number {
  return Date.now();
}

/** What there is at a path. */
export interface PathFacts {
  path: string;
  kind: 'file' | 'directory' | 'other' | 'none';
  isReadable: boolean;
}

/** Looks at paths; `~/` is the home of the user here. */
export function examinePaths(paths: readonly string[]): PathFacts[] {
  return paths.map((given) => {
    const path = given.replace(/^~(?=\/)/, os.homedir());
    try {
      const stats = fs.statSync(path);
      return { path, kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other', isReadable: canRead(path) };
    } catch {
      return { path, kind: 'none', isReadable: false };
    }
  });
}

function canRead(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** How a server was found from here. */
export interface ServerFacts {
  addresses: string[];
  /** Time for the name, in milliseconds. */
  lookupMs: number;
  /** Time until the connection was there; null when none came. */
  connectMs: number | null;
  address: string | null;
  /** The first line that the server sent. */
  banner: string | null;
  /** Why it went no further. */
  problem: string | null;
}

/** Looks up a name, connects, and waits for the first line; at most `timeoutMs` for each. */
export function examineServer(host: string, port: number, timeoutMs: number): Promise<ServerFacts> {
  const startedAt = Date.now();
  const facts: ServerFacts = { addresses: [], lookupMs: 0, connectMs: null, address: null, banner: null, problem: null };
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      facts.problem = `the name was not resolved within ${timeoutMs} ms`;
      resolve(facts);
    }, timeoutMs);
    dns.lookup(host, { all: true }, (error, found) => {
      clearTimeout(timer);
      facts.lookupMs = Date.now() - startedAt;
      if (error) {
        facts.problem = error.message;
        resolve(facts);
        return;
      }
      facts.addresses = found.map(({ address }) => address);
      tryAddresses(facts, port, timeoutMs).then(() => resolve(facts), resolve);
    });
  });
}

/** One after the other, as ssh does. */
async function tryAddresses(facts: ServerFacts, port: number, timeoutMs: number): Promise<void> {
  for (const address of facts.addresses.slice(0, 3)) {
    await tryAddress(facts, address, port, timeoutMs);
    if (facts.connectMs !== null) return;
  }
}

function tryAddress(facts: ServerFacts, address: string, port: number, timeoutMs: number): Promise<void> {
  const startedAt = process.hrtime();
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port });
    let text = '';
    const end = (problem: string | null): void => {
      facts.problem = problem;
      socket.destroy();
      resolve();
    };
    socket.setTimeout(timeoutMs, () =>
      end(facts.connectMs === null ? `no answer within ${timeoutMs} ms` : 'connected, but the server said nothing'),
    );
    socket.on('connect', () => {
      const [seconds, nanoseconds] = process.hrtime(startedAt);
      facts.connectMs = seconds * 1e3 + nanoseconds / 1e6;
      facts.address = address;
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const banner = /^(?:.*\n)*?(SSH-[^\r\n]*)\r?\n/.exec(text);
      if (banner) facts.banner = banner[1] as string;
      if (banner || text.length > 8192) end(banner ? null : 'what answers there is no ssh server');
    });
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end(facts.banner === null ? facts.problem || 'the server closed the connection at once' : facts.problem));
  });
}
