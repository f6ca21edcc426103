/** Round trips of an empty call, one after another, all on one processor. */
import { type Context, Router } from '#src/index.js';
import { elapsed, onOneProcessor, type Plan, takeTurns } from '../measure.ts';
import { BareNode, PythonPeer } from '../peers.ts';
import { nothing } from '../remote.ts';
import type { Row } from '../report.ts';

export async function measureRpc(plan: Plan): Promise<Row[]> {
  using _pinned = onOneProcessor();
  await using router = new Router();
  await using bare = new BareNode();
  await using mitogen = await PythonPeer.start('mitogen');
  await using execnet = await PythonPeer.start('execnet');
  const count = plan.pick(3000, 1000);
  const us = (work: (count: number) => Promise<unknown>) => async () => ((await elapsed(() => work(count))) / count) * 1000;
  const call = (context: Context) => us((times) => callInTurn(context, times));
  const ask = (peer: PythonPeer | undefined) => (peer ? us((times) => peer.ask('call', times)) : () => NaN);
  const found = await takeTurns(plan.pick(7, 3), {
    bare: us((times) => bare.echo(times)),
    threadless: call(await router.local({ threadless: true })),
    threaded: call(await router.local()),
    threadless3: call(await router.local({ threadless: true }).local({ threadless: true }).local({ threadless: true })),
    threaded3: call(await router.local().local().local()),
    worker: call(await router.worker()),
    mitogen: ask(mitogen),
    execnet: ask(execnet),
  });
  const echo = { what: 'bare Node pipe echo', values: found.bare };
  const row = (what: string, values: readonly number[], beside = echo): Row => ({
    what: `empty call, ${what}`,
    unit: 'µs',
    values,
    beside,
  });
  const toMitogen = { what: 'Mitogen call', values: found.mitogen };
  return [
    { ...row('threadless', found.threadless), target: { of: 'ratio', atMost: 1.6 } },
    { ...row('threadless', found.threadless, { what: 'execnet channel', values: found.execnet }), target: { of: 'ratio', atMost: 1 } },
    { ...row('threaded', found.threaded), target: { of: 'ratio', atMost: 2.5 } },
    { ...row('threaded', found.threaded, toMitogen), target: { of: 'ratio', atMost: 0.5 } },
    row('threadless, 3 hops', found.threadless3),
    row('threaded, 3 hops', found.threaded3),
    row('worker()', found.worker),
  ];
}

async function callInTurn(context: Context, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await context.call(nothing);
}
