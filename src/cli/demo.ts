/** `mitos demo`: a small tree on this machine, some functions called in it, and what that took. */
import { type Context, type ContextPromise, type Router, select } from '../index.ts';
import {
  type DiskUsage,
  diskUsage,
  type Machine,
  type MemoryUsage,
  machine,
  memoryUsage,
  type ProcessUsage,
  topProcesses,
} from './demo-functions.ts';
import { DemoTree } from './demo-tree.ts';
import { bar, formatBytes, formatMs, Output, type Piece } from './terminal.ts';

/** Calls by which the round trip to each context is measured. */
const PINGS = 20;
const BAR_WIDTH = 24;

/** What is called where. */
const TITLES = {
  memory: { call: 'memoryUsage()', context: 'worker' },
  disks: { call: 'diskUsage(3)', context: 'child' },
  machine: { call: 'machine()', context: 'grandchild' },
  processes: { call: 'topProcesses(5)', context: 'great-grandchild' },
} as const;

/** Runs the demo; done when everything is shown. The router is closed by whoever opened it. */
export async function runDemo(router: Router, version: string): Promise<void> {
  // The reader may leave, as `mitos demo | head` does: there is nobody to show anything to then.
  process.stdout.on('error', () => process.exit());
  const output = new Output(process.stdout, process.env);
  const startedAt = performance.now();
  const since = (): number => performance.now() - startedAt;
  output.line(['bold', `mitos ${version}`], ' starts four contexts on this machine and calls functions in them.');
  output.line('What they run is sent to them on first use; nothing is written to disk.');
  output.line();

  // Nothing is awaited here: the orders to start, the functions and the calls are all on their way at once.
  const child = router.local({ name: 'child' });
  const grandchild = child.local({ name: 'grandchild' });
  const deepest = grandchild.local({ name: 'great-grandchild' });
  const worker = router.worker({ name: 'worker' });
  const contexts: readonly ContextPromise[] = [child, grandchild, deepest, worker];
  const tree = new DemoTree(output, router, since);

  const results = select({
    memory: worker.call(memoryUsage),
    disks: child.call(diskUsage, 3),
    machine: grandchild.call(machine),
    processes: deepest.call(topProcesses, 5),
  });
  for await (const result of results) {
    if ('error' in result) throw result.error;
    const { call, context } = TITLES[result.source];
    output.line();
    output.line(['bold', call], ` in ${context}`, ['dim', `, after ${formatMs(since())}`]);
    if (result.source === 'memory') showMemory(output, result.value);
    else if (result.source === 'disks') showDisks(output, result.value);
    else if (result.source === 'machine') showMachine(output, result.value);
    else showProcesses(output, result.value);
  }
  tree.end();
  await showTraffic(output, router, await Promise.all(contexts), since);
}

function showMemory(output: Output, { usedBytes, totalBytes }: MemoryUsage): void {
  output.line('  ', ...usage(usedBytes, totalBytes));
}

function showDisks(output: Output, disks: readonly DiskUsage[]): void {
  const width = Math.min(24, Math.max(...disks.map(({ mount }) => mount.length)));
  for (const { mount, usedBytes, totalBytes } of disks)
    output.line(`  ${mount.slice(0, width).padEnd(width)}  `, ...usage(usedBytes, totalBytes));
  if (disks.length === 0) output.line(['dim', '  no disk to be seen from here']);
}

function showMachine(output: Output, found: Machine): void {
  const { hostname, system, kernel, arch, cpus, uptimeSeconds } = found;
  const hours = Math.floor(uptimeSeconds / 3600);
  const uptime = hours >= 48 ? `${Math.floor(hours / 24)} days` : hours > 0 ? `${hours} h` : `${Math.floor(uptimeSeconds / 60)} min`;
  output.line(`  ${hostname}: ${system}, up ${uptime}`);
  output.line(`  ${kernel}, ${arch}, ${cpus} CPU${cpus === 1 ? '' : 's'}`);
}

function showProcesses(output: Output, processes: readonly ProcessUsage[]): void {
  for (const { pid, name, residentBytes } of processes) {
    output.line(`  ${String(pid).padStart(7)}  ${formatBytes(residentBytes).padStart(9)}  ${name}`);
  }
}

function usage(used: number, total: number): Piece[] {
  const share = total > 0 ? used / total : 0;
  const style = share < 0.75 ? 'green' : share < 0.9 ? 'yellow' : 'red';
  return [[style, bar(share, BAR_WIDTH)], ` ${Math.round(share * 100)} % of ${formatBytes(total)}`];
}

/** What went over the links, and how long a call takes now that everything is there. */
async function showTraffic(output: Output, router: Router, contexts: readonly Context[], since: () => number): Promise<void> {
  const before = router.stats();
  const elapsedMs = since();
  for (const context of contexts) for (let i = 0; i < PINGS; i++) await context.call(process.uptime);
  const roundTrips = new Map(router.tree().map(({ id, roundTripMs }) => [id, roundTripMs ?? 0]));
  output.line();
  output.line(['bold', 'What travelled'], ' over the two links of this program');
  output.line(`  sent      ${formatBytes(before.bytesOut)} in ${before.framesOut} frames`);
  output.line(`  received  ${formatBytes(before.bytesIn)} in ${before.framesIn} frames`);
  output.line(
    `  modules   ${before.modules} sent ahead of the calls (${formatBytes(before.moduleBytes)}), ${before.requests} had to be asked for`,
  );
  output.line(`  time      ${formatMs(elapsedMs)} from the first order to the last result`);
  const trips = contexts.map(({ id, name }) => `${formatMs(roundTrips.get(id) ?? 0)} to ${name}`);
  output.line(`  one call  ${trips.slice(0, 2).join(', ')},`);
  output.line(`            ${trips.slice(2).join(', ')} (there and back)`);
  output.line();
  output.line('Next: docs/getting-started.md');
}
