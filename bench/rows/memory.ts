/** Memory of idle children beyond that of a Node that does nothing, all of them running at the same time: they share pages alike. */
import { readdirSync, readFileSync } from 'node:fs';
import { Router } from '#src/index.js';
import { type Plan, rest } from '../measure.ts';
import { end, idleNode, PythonPeer } from '../peers.ts';
import { nothing } from '../remote.ts';
import { median, type Row } from '../report.ts';

export async function measureMemory(plan: Plan): Promise<Row[]> {
  await using router = new Router();
  await using mitogen = await PythonPeer.start('mitogen');
  const numbers = Array.from({ length: plan.pick(5, 3) }, (_, i) => i);
  const bare = numbers.map(idleNode);
  const pidsOf = (threadless: boolean): Promise<number[]> =>
    Promise.all(
      numbers.map(async () => {
        const context = await router.local({ threadless });
        await context.call(nothing);
        return (await context.info()).pid;
      }),
    );
  const threadless = await pidsOf(true);
  const threaded = await pidsOf(false);
  const mitogenPid = mitogen && (await mitogen.ask('pid', 0));
  await rest(plan.pick(2000, 1000));
  const bareMb = bare.map(({ pid }) => pssOf(pid ?? 0));
  const threadlessMb = threadless.map(pssOfGroup);
  const threadedMb = threaded.map(pssOfGroup);
  const mitogenMb = mitogenPid ? [pssOf(mitogenPid)] : [];
  await Promise.all(bare.map((child) => (child.kill(), end(child))));
  const floor = median(bareMb);
  const row = (mode: string, pss: readonly number[], limit: number): Row => ({
    what: `idle child beyond bare Node, ${mode}`,
    unit: 'MB PSS',
    values: pss.map((mb) => mb - floor),
    beside: { what: 'bare Node itself', values: bareMb },
    target: { of: 'value', atMost: limit },
  });
  const all: Row = {
    what: 'idle child in all, threaded',
    unit: 'MB PSS',
    values: threadedMb,
    beside: { what: 'Mitogen child', values: mitogenMb },
  };
  return [row('threadless', threadlessMb, 6), row('threaded', threadedMb, 26), all];
}

/** PSS of a process in MB. */
function pssOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]) / 1000;
}

/** PSS of a process and of all in its group: a child may have a helper. */
function pssOfGroup(leader: number): number {
  let sum = 0;
  for (const name of readdirSync('/proc')) {
    try {
      const group = Number(/\) \S \d+ (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1]);
      if (group === leader) sum += pssOf(Number(name));
    } catch {
      // not a process, or gone
    }
  }
  return sum;
}
