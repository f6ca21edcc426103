/** Round trips of an empty call, one after another. */
import { type Context, Router } from '#src/index.js';
import { elapsed, type Plan, takeTurns } from '../measure.ts';
import { BareNode, PythonPeer } from '../peers.ts';
import { nothing } from '../remote.ts';
import type { Row } from '../report.ts';

export async function measureRpc(plan: Plan): Promise<Row[]> {
  await using router = new Router();
  await using bare = new BareNode();
  await using mitogen = await PythonPeer.start('mitogen');
  await using execnet = await PythonPeer.start('execnet');
  const count = plan.pick(2000, 500);
  const call = (context: Context) => async () => ((await elapsed(() => callInTurn(context, count))) / count) * 1000;
  const ask = (peer: PythonPeer | undefined) => async () => (peer ? ((await peer.ask('call', count)) / count) * 1000 : NaN);
  const us = await takeTurns(plan.pick(9, 3), {
    bare: async () => ((await bare.echo(count)) / count) * 1000,
    threadless: call(await router.local({ threadless: true })),
    threaded: call(await router.local()),
    threadless3: call(await router.local({ threadless: true }).local({ threadless: true }).local({ threadless: true })),
    threaded3: call(await router.local().local().local()),
    worker: call(await router.worker()),
    mitogen: ask(mitogen),
    execnet: ask(execnet),
  });
  const echo = { what: 'bare Node pipe echo', values: us.bare };
  const row = (what: string, values: readonly number[], beside = echo): Row => ({
    what: `empty call, ${what}`,
    unit: 'µs',
    values,
    beside,
  });
  const toMitogen = { what: 'Mitogen call', values: us.mitogen };
  return [
    { ...row('threadless', us.threadless), target: { of: 'ratio', atMost: 1.6 } },
    { ...row('threadless', us.threadless, { what: 'execnet channel', values: us.execnet }), target: { of: 'ratio', atMost: 1 } },
    { ...row('threaded', us.threaded), target: { of: 'ratio', atMost: 2.5 } },
    { ...row('threaded', us.threaded, toMitogen), target: { of: 'ratio', atMost: 0.5 } },
    row('threadless, 3 hops', us.threadless3),
    row('threaded, 3 hops', us.threaded3),
    row('worker()', us.worker),
  ];
}

async function callInTurn(context: Context, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await context.call(nothing);
}
