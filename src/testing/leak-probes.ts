/** What the leak oracle looks at. Each probe takes its baseline when called and returns a function that lists what is new since then. */
import { readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Worker } from 'node:worker_threads';
import type { Leak } from './leak.ts';
import { descendants, hasTag, ownLine, type ProcessInfo, readNames, readProcessTable, readText } from './process-table.ts';

/** Looks again. @internal */
export type Look = () => Leak[];

/** Living processes that carry the tag or descend from this one, and zombies that descend from it. @internal */
export function processProbe(tag: string): Look {
  const known = new Set([...ownProcesses(tag)].map(identity));
  return () =>
    ownProcesses(tag)
      .filter((info) => !known.has(identity(info)))
      .map((info) => ({ kind: 'process', description: describeProcess(info), process: info }));
}

function ownProcesses(tag: string): ProcessInfo[] {
  const table = readProcessTable();
  const line = ownLine(table);
  const below = descendants(table);
  return [...table.values()].filter(
    (info) => info.state !== 'X' && !line.has(info.pid) && (below.has(info.pid) || hasTag(info.pid, tag) || isContext(info)),
  );
}

/** Contexts of this process carry its id in their title, wherever they are: in containers, and under other users. */
function isContext({ command }: ProcessInfo): boolean {
  return command.startsWith('mitos:') && command.endsWith(`:${process.pid}`);
}

function identity(info: ProcessInfo): string {
  return `${info.pid} ${info.startTime}`;
}

function describeProcess({ pid, ppid, state, command }: ProcessInfo): string {
  const text = command.length > 200 ? `${command.slice(0, 200)}…` : command;
  return `pid ${pid}, ppid ${ppid}, state ${state}${state === 'Z' ? ' (zombie)' : ''}: ${text}`;
}

/** Descriptors of an event loop, opened on first use and kept; they say nothing about who leaked what. */
const LOOP_DESCRIPTOR = /^anon_inode:\[?(eventpoll|eventfd|inotify|io_uring)/;

/** Open descriptors of this process. @internal */
export function descriptorProbe(): Look {
  const known = openDescriptors('self');
  return () =>
    [...openDescriptors('self')]
      .filter(([fd, target]) => known.get(fd) !== target && !LOOP_DESCRIPTOR.test(target))
      .map(([fd, target]) => ({ kind: 'fd', description: `${fd} -> ${target}` }));
}

function openDescriptors(pid: number | 'self'): Map<string, string> {
  const found = new Map<string, string>();
  for (const fd of readNames(`/proc/${pid}/fd`)) {
    try {
      found.set(fd, readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // closed meanwhile, as the descriptor that read the directory
    }
  }
  return found;
}

/** Pseudo-terminals that this process or one of its own holds; those of others are theirs. @internal */
export function ptyProbe(tag: string): Look {
  const known = new Set(readNames('/dev/pts'));
  return () => {
    const fresh = new Set(readNames('/dev/pts').filter((name) => name !== 'ptmx' && !known.has(name)));
    if (fresh.size === 0) return [];
    const leaks: Leak[] = [];
    for (const pid of [process.pid, ...ownProcesses(tag).map((info) => info.pid)]) {
      for (const name of heldTerminals(pid)) {
        if (fresh.delete(name)) leaks.push({ kind: 'pty', description: `/dev/pts/${name}, held by pid ${pid}` });
      }
    }
    return leaks;
  };
}

function heldTerminals(pid: number): string[] {
  const names: string[] = [];
  for (const [fd, target] of openDescriptors(pid)) {
    const slave = /^\/dev\/pts\/(\d+)$/.exec(target)?.[1];
    if (slave !== undefined) names.push(slave);
    if (!target.endsWith('/ptmx')) continue;
    const master = /^tty-index:\s*(\d+)/m.exec(readText(`/proc/${pid}/fdinfo/${fd}`) ?? '')?.[1];
    if (master !== undefined) names.push(master);
  }
  return names;
}

const liveWorkers = new Set<Worker>();
let areWorkersWatched = false;

/** Worker threads; the list of active resources does not show them. @internal */
export function workerProbe(): Look {
  if (!areWorkersWatched) process.on('worker', watchWorker);
  areWorkersWatched = true;
  const known = new Set(liveWorkers);
  return () =>
    [...liveWorkers]
      .filter((worker) => !known.has(worker))
      .map((worker) => ({ kind: 'resource', description: `worker thread ${worker.threadId}` }));
}

function watchWorker(worker: Worker): void {
  liveWorkers.add(worker);
  worker.once('exit', () => liveWorkers.delete(worker));
}

/** What keeps this process alive: timers, handles, ports, requests. @internal */
export function activityProbe(): Look {
  const known = countActivity();
  return () =>
    [...countActivity()]
      .filter(([type, count]) => count > (known.get(type) ?? 0))
      .map(([type, count]) => ({ kind: 'resource', description: `${count} × ${type}, ${known.get(type) ?? 0} before` }));
}

function countActivity(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** Names of files that tests make on purpose carry their oracle's tag, so those of a test running beside this one can be told apart. */
const TAGGED_NAME = /mitos-leak-([0-9a-f]{16})/;

/** Names that can be ours in the places for temporary files. @internal */
export function fileProbe(tag: string): Look {
  const places = [...new Set([tmpdir(), '/dev/shm', process.env['XDG_RUNTIME_DIR']])].filter(
    (place) => place !== undefined && place !== '',
  );
  const list = (): string[] => places.flatMap((place) => readNames(place as string).map((name) => `${place}/${name}`));
  const known = new Set(list());
  return () =>
    list()
      .filter((path) => !known.has(path) && isOurs(path.slice(path.lastIndexOf('/') + 1), tag))
      .map((path) => ({ kind: 'file', description: path }));
}

function isOurs(name: string, tag: string): boolean {
  const owner = TAGGED_NAME.exec(name)?.[1];
  return owner === undefined ? name.includes('mitos') || name.includes(tag) : owner === tag;
}

const WATCHED_EVENTS = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGCHLD',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'beforeExit',
  'exit',
  'uncaughtException',
  'uncaughtExceptionMonitor',
  'unhandledRejection',
  'rejectionHandled',
  'warning',
  'message',
  'disconnect',
  'worker',
] as const;

/** Listeners on `process`. @internal */
export function listenerProbe(): Look {
  const known = new Map(WATCHED_EVENTS.map((event) => [event, process.listenerCount(event)]));
  return () =>
    WATCHED_EVENTS.map((event) => ({ event, count: process.listenerCount(event), before: known.get(event) ?? 0 }))
      .filter(({ count, before }) => count > before)
      .map(({ event, count, before }) => ({ kind: 'listener', description: `${count} for "${event}" on process, ${before} before` }));
}
