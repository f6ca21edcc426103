/**
 * Sees to it that no program outlives the process (or thread) that runs it, whatever ends that: SIGKILL included.
 *
 * Programs lead process groups of their own, so nothing that kills this process reaches them. A shell beside it, started with the first program
 * and ended soon after the last, is told of every group on descriptor 3 (`+ 123`, `- 123`); at the end of its input it kills those that are left.
 * It is nobody's child, so that nobody has to wait for it.
 */
import { type ChildProcess, spawn } from 'child_process';
import type { Socket } from 'net';

const SCRIPT =
  '{ g=;while read -r o p;do case $o in +)g="$g $p";;*)n=;for i in $g;do [ $i = $p ]||n="$n $i";done;g=$n;esac;done;for i in $g;do kill -9 -$i;done;} <&3 3<&- 2>/dev/null &';
/** Time without programs after which the shell is ended. */
const LINGER_MS = 100;

const groups: Set<number> = new Set();
let guard: Socket | undefined;
let lingering: NodeJS.Timeout | undefined;
/** Settles when what starts the shell has ended. */
let started: Promise<void> = Promise.resolve();

/** Has a process group killed when this process ends. */
export function guardGroup(pid: number): void {
  clearTimeout(lingering as NodeJS.Timeout);
  groups.add(pid);
  if (guard) guard.write(`+ ${pid}\n`);
  else guard = start();
}

/** Forgets a process group. Done when nothing is left that this thread has to wait for: it may be ended then. */
export function releaseGroup(pid: number): Promise<void> {
  groups.delete(pid);
  if (guard) guard.write(`- ${pid}\n`);
  if (!groups.size) {
    lingering = setTimeout(end, LINGER_MS);
    lingering.unref();
  }
  return started;
}

function start(): Socket | undefined {
  let shell: ChildProcess;
  try {
    shell = spawn('sh', ['-c', SCRIPT], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], detached: true, cwd: '/' });
  } catch {
    return undefined;
  }
  started = new Promise((resolve) => {
    shell.on('exit', () => resolve());
    shell.on('error', () => resolve());
  });
  shell.unref();
  const link = shell.stdio && ((shell.stdio as unknown as Socket[])[3] as Socket | undefined);
  if (!link) return undefined;
  link.on('error', () => {});
  link.on('close', () => {
    if (guard === link) guard = undefined;
  });
  link.unref();
  for (const pid of groups) link.write(`+ ${pid}\n`);
  return link;
}

function end(): void {
  if (guard) guard.end();
  guard = undefined;
}
