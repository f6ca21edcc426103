/** Many children at once: connect, one call each, shut down. */
import { Router } from '#src/index.js';
import { elapsed, type Plan, takeTurns } from '../measure.ts';
import { PythonPeer, runNode } from '../peers.ts';
import { nothing } from '../remote.ts';
import type { Row } from '../report.ts';

export async function measureMany(plan: Plan): Promise<Row[]> {
  await using mitogen = await PythonPeer.start('mitogen');
  const count = plan.pick(100, 20);
  const inParallel = async (work: () => Promise<unknown>): Promise<number> =>
    (await elapsed(() => Promise.all(Array.from({ length: count }, work)))) / 1000;
  const children = (threadless: boolean) => async () => {
    const router = new Router();
    const connected = inParallel(() => router.local({ threadless }).call(nothing));
    return (await connected) + (await elapsed(() => router.close())) / 1000;
  };
  const subjects = {
    node: () => inParallel(runNode),
    threadless: children(true),
    threaded: children(false),
    mitogen: async () => (mitogen ? (await mitogen.ask('many', count)) / 1000 : NaN),
  };
  const seconds = await takeTurns(plan.pick(2, 1), subjects, 0);
  const node = { what: `${count} x node -e 0`, values: seconds.node };
  const row = (mode: string, values: readonly number[], beside = node): Row => ({
    what: `${count} children at once, ${mode}`,
    unit: 's',
    values,
    beside,
  });
  return [
    row('threadless', seconds.threadless),
    row('threaded', seconds.threaded),
    row('threaded', seconds.threaded, { what: 'Mitogen', values: seconds.mitogen }),
  ];
}
