/** Calls per second while a number of them is always under way. */
import { type Context, Router } from '#src/index.js';
import { elapsed, type Plan, type Subject, takeTurns } from '../measure.ts';
import { PythonPeer } from '../peers.ts';
import { nothing } from '../remote.ts';
import type { Row, Target } from '../report.ts';

const OUTSTANDING = [1, 100, 10_000] as const;

export async function measurePipeline(plan: Plan): Promise<Row[]> {
  await using router = new Router();
  await using mitogen = await PythonPeer.start('mitogen');
  await using execnet = await PythonPeer.start('execnet');
  const contexts = { threadless: await router.local({ threadless: true }), threaded: await router.local() };
  const count = plan.pick(10_000, 5000);
  const ask = (peer: PythonPeer | undefined) => async () => (peer ? (count / (await peer.ask('pipeline', count))) * 1000 : NaN);
  const subjects: Record<string, Subject> = { mitogen: ask(mitogen), execnet: ask(execnet) };
  for (const [mode, context] of Object.entries(contexts)) {
    for (const outstanding of OUTSTANDING) {
      const calls = outstanding === 1 ? count / 4 : count * 4;
      subjects[mode + outstanding] = async () => (calls / (await elapsed(() => keepCalling(context, outstanding, calls)))) * 1000;
    }
  }
  const rates = await takeTurns(plan.pick(5, 2), subjects);
  const row = (mode: string, outstanding: number, target?: Target): Row => ({
    what: `calls per second, ${mode}, ${outstanding.toLocaleString('en')} outstanding`,
    unit: '/s',
    values: rates[mode + outstanding] ?? [],
    beside:
      mode === 'threadless'
        ? { what: 'execnet pipelined', values: rates['execnet'] ?? [] }
        : { what: 'Mitogen call_async', values: rates['mitogen'] ?? [] },
    ...(target && outstanding > 1 ? { target } : {}),
  });
  return [
    ...OUTSTANDING.map((outstanding) => row('threadless', outstanding, { of: 'value', atLeast: 100_000 })),
    ...OUTSTANDING.map((outstanding) => row('threaded', outstanding, { of: 'value', atLeast: 50_000 })),
  ];
}

async function keepCalling(context: Context, outstanding: number, calls: number): Promise<void> {
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await context.call(nothing);
  };
  await Promise.all(Array.from({ length: outstanding }, caller));
}
