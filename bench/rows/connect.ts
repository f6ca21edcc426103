/** From nothing to the result of the first call of a user's function, seen from a master that is running already. */
import { Router } from '#src/index.js';
import { type Plan, takeTurns } from '../measure.ts';
import { PythonPeer, runNode } from '../peers.ts';
import { nothing } from '../remote.ts';
import type { Row } from '../report.ts';

export async function measureConnect(plan: Plan): Promise<Row[]> {
  await using router = new Router();
  await using mitogen = await PythonPeer.start('mitogen');
  const connect = (threadless: boolean) => async () => {
    const start = performance.now();
    const context = router.local({ threadless });
    await context.call(nothing);
    const ms = performance.now() - start;
    await context.shutdown();
    return ms;
  };
  const ms = await takeTurns(plan.pick(15, 5), {
    node: runNode,
    threadless: connect(true),
    threaded: connect(false),
    mitogen: () => mitogen?.ask('connect', 1) ?? NaN,
  });
  const node = { what: 'node -e 0', values: ms.node };
  return [
    { what: 'connect and first call, threadless', unit: 'ms', values: ms.threadless, beside: node, target: { of: 'ratio', atMost: 1.7 } },
    { what: 'connect and first call, threaded', unit: 'ms', values: ms.threaded, beside: node, target: { of: 'ratio', atMost: 2.4 } },
    { what: 'connect and first call, threaded', unit: 'ms', values: ms.threaded, beside: { what: 'Mitogen', values: ms.mitogen } },
  ];
}
