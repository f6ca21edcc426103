import { readdirSync, readFileSync } from 'node:fs';

/** Environment variable by which the leak oracle knows its processes; holds tags joined by `:`, outer oracles first. */
export const LEAK_TAG_VARIABLE = 'MITOS_LEAK_TAG';

/** A process as `/proc` shows it. */
export interface ProcessInfo {
  pid: number;
  ppid: number;
  /** The state letter of ps(1); `Z` is a zombie. */
  state: string;
  /** Clock ticks from boot to its start; with the pid it names a process for good. */
  startTime: string;
  /** Its arguments joined by blanks, or its name in brackets when there are none. */
  command: string;
}

/** All processes that `/proc` shows; empty where there is no `/proc`. */
export function readProcessTable(): Map<number, ProcessInfo> {
  const table = new Map<number, ProcessInfo>();
  for (const name of readNames('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const info = readProcess(Number(name));
    if (info !== undefined) table.set(info.pid, info);
  }
  return table;
}

/**
 * The living processes that carry `tag` in their environment, zombies excluded (they have none).
 *
 * Processes of other users are seen by root only; children that a tool starts with a cleared environment are not seen.
 */
export function processesWithTag(tag: string): ProcessInfo[] {
  return [...readProcessTable().values()].filter((info) => hasTag(info.pid, tag));
}

/** Whether the environment that a process was started with carries `tag`. @internal */
export function hasTag(pid: number, tag: string): boolean {
  const entry = readText(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((line) => line.startsWith(`${LEAK_TAG_VARIABLE}=`));
  return (
    entry !== undefined &&
    entry
      .slice(LEAK_TAG_VARIABLE.length + 1)
      .split(':')
      .includes(tag)
  );
}

/** This process and those above it, by pid. @internal */
export function ownLine(table: ReadonlyMap<number, ProcessInfo>): Set<number> {
  const line = new Set<number>();
  for (let pid: number | undefined = process.pid; pid !== undefined && pid > 0 && !line.has(pid); pid = table.get(pid)?.ppid) line.add(pid);
  return line;
}

/** Those below this process, by pid. @internal */
export function descendants(table: ReadonlyMap<number, ProcessInfo>): Set<number> {
  const found = new Set<number>([process.pid]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const info of table.values()) if (found.has(info.ppid)) found.add(info.pid);
  }
  found.delete(process.pid);
  return found;
}

/** The state of one process; undefined when it is gone. @internal */
export function readProcess(pid: number): ProcessInfo | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name stands in parentheses and may itself hold blanks and parentheses.
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ');
  const args = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim();
  return {
    pid,
    state: fields[0] ?? '?',
    ppid: Number(fields[1] ?? 0),
    startTime: fields[19] ?? '',
    command: args === '' ? `[${stat.slice(open + 1, close)}]` : args,
  };
}

/** The names in a directory; none when it cannot be read. @internal */
export function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The content of a file; undefined when it cannot be read. @internal */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
