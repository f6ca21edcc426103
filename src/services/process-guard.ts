/**
 * Sees to it that no program outlives the process that runs it, whatever ends that process: SIGKILL included.
 *
 * Programs lead process groups of their own, so nothing that kills this process reaches them. A shell beside it, started with the first program
 * and ended soon after the last, is told of every group (`+ 123`, `- 123`); at the end of its input it kills those that are left.
 */
import { type ChildProcess, spawn } from 'child_process';
import type { Socket } from 'net';

const SCRIPT =
  'g=;while read -r o p;do case $o in +)g="$g $p";;*)n=;for i in $g;do [ $i = $p ]||n="$n $i";done;g=$n;esac;done;for i in $g;do kill -9 -- -$i;done 2>/dev/null';
/** Time without programs after which the shell is ended. */
const LINGER_MS = 100;

const groups: Set<number> = new Set();
let guard: ChildProcess | undefined;
let lingering: NodeJS.Timeout | undefined;

/** Has a process group killed when this process ends. */
export function guardGroup(pid: number): void {
  clearTimeout(lingering as NodeJS.Timeout);
  groups.add(pid);
  if (guard) tell(`+ ${pid}\n`);
  else start();
}

/** Forgets a process group. */
export function releaseGroup(pid: number): void {
  groups.delete(pid);
  tell(`- ${pid}\n`);
  if (groups.size) return;
  lingering = setTimeout(end, LINGER_MS);
  lingering.unref();
}

function start(): void {
  let shell: ChildProcess;
  try {
    shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
  } catch {
    return;
  }
  guard = shell;
  const forget = (): void => {
    if (guard === shell) guard = undefined;
  };
  shell.on('error', forget);
  shell.on('exit', forget);
  shell.unref();
  if (!shell.stdin) return;
  shell.stdin.on('error', () => {});
  (shell.stdin as unknown as Socket).unref();
  for (const pid of groups) tell(`+ ${pid}\n`);
}

function tell(line: string): void {
  if (guard && guard.stdin) guard.stdin.write(line);
}

function end(): void {
  if (guard && guard.stdin) guard.stdin.end();
  guard = undefined;
}
