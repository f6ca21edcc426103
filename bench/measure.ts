/** How things are measured: in turns, so that whatever else the machine does meets all of them alike. */
import { spawnSync } from 'node:child_process';

/** Settings of a run. */
export interface Plan {
  isQuick: boolean;
  /** The usual number, or the one for a quick run. */
  pick(full: number, quick: number): number;
}

/** Something to measure: gives one figure each time. */
export type Subject = () => number | Promise<number>;

/** Measures every subject `warmUps` times for nothing and then `rounds` times, in an order that shifts from round to round. */
export async function takeTurns<K extends string>(
  rounds: number,
  subjects: Record<K, Subject>,
  warmUps: number = 1,
): Promise<Record<K, number[]>> {
  const names = Object.keys(subjects) as K[];
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = -warmUps; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round + warmUps) % names.length] as K;
      const figure = await subjects[name]();
      if (round >= 0 && !Number.isNaN(figure)) results[name].push(figure);
    }
  }
  return results;
}

/** Milliseconds that something takes. */
export async function elapsed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Waits. */
export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Keeps this process, and what it starts from now on, on one processor until disposed of. Two processes that talk in turns take twice as long
 * when the scheduler puts them on two, and it does so now and then. Does nothing where there is no `taskset`.
 */
export function onOneProcessor(): Disposable {
  const set = (list: string): void => void spawnSync('taskset', ['-acp', list, String(process.pid)], { stdio: 'ignore' });
  const allowed = /: (\S+)\s*$/.exec(String(spawnSync('taskset', ['-cp', String(process.pid)]).stdout))?.[1];
  if (allowed !== undefined) set(/\d+$/.exec(allowed)?.[0] ?? allowed);
  return { [Symbol.dispose]: () => allowed !== undefined && set(allowed) };
}
