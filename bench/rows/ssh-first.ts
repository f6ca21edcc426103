/** From nothing to the result of the first call of a user's function over ssh, without a delay. */
import { Router } from '#src/index.js';
import { type Plan, takeTurns } from '../measure.ts';
import { nothing } from '../remote-work.ts';
import type { Row } from '../report.ts';
import { runProgram, type SshLab, type Who } from '../ssh-lab.ts';

export async function measureFirstCall(lab: SshLab, plan: Plan): Promise<Row[]> {
  const whole: Partial<Record<Who, number[]>> = {};
  const ssh = (command: string) => () => runProgram(['ssh', ...lab.ssh(), command]);
  const client = (who: Who) => async () => {
    if (who !== 'mitos' && !lab.has(who)) return NaN;
    const { steps, ms } = await lab.run(who, 'first');
    (whole[who] ??= []).push(ms);
    return steps['first'] ?? NaN;
  };
  await using router = new Router();
  const ms = await takeTurns(plan.pick(11, 3), {
    node: ssh(`${lab.node} -e 0`),
    echo: ssh('echo'),
    mitos: client('mitos'),
    warm: () => connectWarm(router, lab),
    mitogen: client('mitogen'),
    execnet: client('execnet'),
  });
  const node = { what: 'ssh node -e 0', values: ms.node };
  const peers = (values: Partial<Record<Who, number[]>>) => [
    { what: 'Mitogen', values: values.mitogen ?? [] },
    { what: 'execnet', values: values.execnet ?? [] },
  ];
  const [mitogen = node, ...others] = peers(whole);
  return [
    {
      ...{ what: 'first call over ssh, library loaded', unit: 'ms', values: ms.mitos, beside: node },
      also: [{ what: 'ssh echo', values: ms.echo }, ...peers(ms)],
      target: { of: 'ratio', atMost: 1.15 },
    },
    { what: 'first call over ssh, a later one', unit: 'ms', values: ms.warm, beside: node },
    { what: 'first call over ssh, whole process', unit: 'ms', values: whole.mitos ?? [], beside: mitogen, also: others },
  ];
}

async function connectWarm(router: Router, { sshd, free }: SshLab): Promise<number> {
  const start = performance.now();
  const context = router.ssh({ hostname: sshd.host, port: sshd.port, username: free.name, configFile: sshd.clientConfig });
  await context.call(nothing);
  const ms = performance.now() - start;
  await context.shutdown();
  return ms;
}
