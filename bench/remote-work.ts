/** What `ssh-client.ts` has done on the far side. */
import { spawnSync } from 'node:child_process';

/** Does nothing. */
export function nothing(): void {}

/** Runs the smallest program there is. */
export function runTrue(): void {
  const { status } = spawnSync('/bin/true');
  if (status !== 0) throw new Error(`/bin/true exited with ${status}`);
}

/** Runs it so many times. */
export function runTrueTimes(count: number): void {
  for (let i = 0; i < count; i++) runTrue();
}
