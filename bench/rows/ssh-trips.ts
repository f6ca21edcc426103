/** Round trips until there is an answer, told from how much longer it takes over a connection with a delay. TCP's own handshake is not delayed. */
import { type Plan, type Subject, takeTurns } from '../measure.ts';
import type { Row } from '../report.ts';
import { ONE_WAY_MS, runProgram, type SshLab } from '../ssh-lab.ts';

const UNIT = 'round trips';
/** About what a preamble and a call take. */
const INPUT = 'x'.repeat(20_000);
/** What the machine's own unrest may add. */
const SLACK = 0.1;

export async function measureTrips(lab: SshLab, plan: Plan): Promise<Row[]> {
  const found: Record<string, number[]> = {};
  /** Measures steps at both distances; what they differ by is travel. */
  const trips = (name: string, work: (port: number) => Promise<Record<string, number>>) => async () => {
    const slow = await work(lab.far.port);
    const quick = await work(lab.near.port);
    for (const [step, ms] of Object.entries(slow)) {
      const list = (found[step === '' ? name : `${name} ${step}`] ??= []);
      list.push((ms - (quick[step] ?? NaN)) / (2 * ONE_WAY_MS));
    }
    return NaN;
  };
  const ssh = (command: string, input: string) => async (port: number) => ({
    '': await runProgram(['ssh', ...lab.ssh(port), command], { input, isFirstByte: true }),
  });
  const client = (...[who, scenario, settings]: Parameters<SshLab['run']>) =>
    trips(
      settings?.password === undefined ? who : `${who} password`,
      async (port) => (await lab.run(who, scenario, { ...settings, port })).steps,
    );
  const asked = { username: lab.asked.name, password: lab.asked.password };
  const subjects: Record<string, Subject> = {
    echo: trips('echo', ssh('echo', '')),
    cat: trips('cat', ssh('cat', INPUT)),
    mitos: client('mitos', 'hops'),
    mitosAsked: client('mitos', 'hops', asked),
    flight: client('mitos', 'flight'),
    ...(lab.has('mitogen') ? { mitogen: client('mitogen', 'hops'), mitogenAsked: client('mitogen', 'hops', asked) } : {}),
    ...(lab.has('execnet') ? { execnet: client('execnet', 'hops') } : {}),
  };
  await takeTurns(plan.pick(5, 1), subjects, 0);
  return rowsOf((name) => found[name] ?? []);
}

function rowsOf(of: (name: string) => readonly number[]): Row[] {
  const mitogen = (step: string) => ({ what: 'Mitogen', values: of(`mitogen ${step}`) });
  const execnet = (step: string) => ({ what: 'execnet', values: of(`execnet ${step}`) });
  const hop = (what: string, step: string, isAsked = false): Row => ({
    ...{ what, unit: UNIT, values: of(`mitos ${step}`) },
    beside: mitogen(step),
    also: isAsked ? [] : [execnet(step)],
    target: { of: 'value', atMost: 1 + SLACK },
  });
  return [
    {
      ...{ what: 'ssh connect and first call', unit: UNIT, values: of('mitos ssh') },
      beside: { what: '20 KB into ssh cat', values: of('cat') },
      also: [{ what: 'ssh echo', values: of('echo') }, mitogen('ssh'), execnet('ssh')],
      target: { of: 'difference', atMost: SLACK },
    },
    hop('sudo on it', 'sudo'),
    hop('first call there', 'call'),
    hop('sudo on it, with a password', 'password sudo', true),
    hop('first call there, with a password', 'password call', true),
    {
      ...{ what: 'ssh, sudo and first call in one flight', unit: UNIT, values: of('mitos flight') },
      beside: { what: 'ssh connect and first call', values: of('mitos ssh') },
      target: { of: 'difference', atMost: SLACK },
    },
  ];
}
