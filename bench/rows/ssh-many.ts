/** Many ssh contexts at once, each called once, all to one server. */
import { elapsed, type Plan, takeTurns } from '../measure.ts';
import type { Row } from '../report.ts';
import { runProgram, type SshLab, type Who } from '../ssh-lab.ts';

export async function measureManySsh(lab: SshLab, plan: Plan): Promise<Row[]> {
  const count = plan.pick(50, 10);
  const client = (who: Who) => async () => ((await lab.run(who, 'many', { count })).steps['many'] ?? NaN) / 1000;
  const node = (): Promise<number> => runProgram(['ssh', ...lab.ssh(), `${lab.node} -e 0`]);
  const seconds = await takeTurns(
    plan.pick(3, 1),
    {
      node: async () => (await elapsed(() => Promise.all(Array.from({ length: count }, node)))) / 1000,
      mitos: client('mitos'),
      mitogen: lab.has('mitogen') ? client('mitogen') : () => NaN,
    },
    0,
  );
  return [
    {
      ...{ what: `${count} ssh contexts at once`, unit: 's', values: seconds.mitos },
      beside: { what: `${count} x ssh node -e 0`, values: seconds.node },
      also: [{ what: 'Mitogen, 8 threads', values: seconds.mitogen }],
      target: { of: 'ratio', atMost: 1.25 },
    },
  ];
}
