/** Bytes on the wire for a call without arguments and result over ssh: what 200 calls take beyond 100. */
import type { DelayProxyCounters } from '#src/testing/index.js';
import type { Plan } from '../measure.ts';
import type { Row } from '../report.ts';
import type { SshLab, Who } from '../ssh-lab.ts';

const CALLS = 100;

export async function measureCallBytes(lab: SshLab, _plan: Plan): Promise<Row[]> {
  const mitos = await bytesOfCall(lab, 'mitos');
  const peers = [
    { what: 'Mitogen, without ssh -C', bytes: lab.has('mitogen') && (await bytesOfCall(lab, 'mitogen', false)) },
    { what: 'Mitogen, ssh -C', bytes: lab.has('mitogen') && (await bytesOfCall(lab, 'mitogen', true)) },
    { what: 'execnet', bytes: lab.has('execnet') && (await bytesOfCall(lab, 'execnet')) },
  ];
  const row = (what: string, way: 'up' | 'down', atMost: number): Row => {
    const [first = { what: 'Mitogen', values: [] }, ...also] = peers.map(({ what: name, bytes }) => ({
      what: name,
      values: bytes ? [bytes[way]] : [],
    }));
    return { what: `call over ssh: ${what}`, unit: 'B', values: [mitos[way]], beside: first, also, target: { of: 'value', atMost } };
  };
  return [row('there', 'up', 110), row('back', 'down', 68)];
}

async function bytesOfCall(lab: SshLab, who: Who, compression = true): Promise<{ up: number; down: number }> {
  const counts: Record<string, DelayProxyCounters> = {};
  const onStep = (step: string): void => {
    counts[step] = lab.near.counters();
  };
  await lab.run(who, 'calls', { port: lab.near.port, count: CALLS, compression }, onStep);
  const per = (way: 'bytesUp' | 'bytesDown'): number => ((counts['calls']?.[way] ?? NaN) - (counts['warm']?.[way] ?? NaN)) / CALLS;
  return { up: per('bytesUp'), down: per('bytesDown') };
}
