/** Bytes on the wire for a call without arguments and result over ssh: what 200 calls take beyond 100, and 300 beyond 200, and so on. */
import type { DelayProxyCounters } from '#src/testing/index.js';
import type { Plan } from '../measure.ts';
import type { Row } from '../report.ts';
import type { SshLab, Who } from '../ssh-lab.ts';

const CALLS = 100;

interface Bytes {
  bytesUp: number[];
  bytesDown: number[];
}

export async function measureCallBytes(lab: SshLab, _plan: Plan): Promise<Row[]> {
  const mitos = await bytesOfCalls(lab, 'mitos');
  const mitogen = lab.has('mitogen') ? await bytesOfCalls(lab, 'mitogen', false) : undefined;
  const compressed = lab.has('mitogen') ? await bytesOfCalls(lab, 'mitogen', true) : undefined;
  const execnet = lab.has('execnet') ? await bytesOfCalls(lab, 'execnet') : undefined;
  const row = (what: string, way: keyof Bytes, atMost: number): Row => ({
    ...{ what: `call over ssh: ${what}`, unit: 'B', values: mitos[way] },
    beside: { what: 'Mitogen, without ssh -C', values: mitogen?.[way] ?? [] },
    also: [
      { what: 'Mitogen', values: compressed?.[way] ?? [] },
      { what: 'execnet', values: execnet?.[way] ?? [] },
    ],
    target: { of: 'value', atMost },
  });
  return [row('there', 'bytesUp', 110), row('back', 'bytesDown', 68)];
}

/** One figure for each hundred: signs of life come between some calls. */
async function bytesOfCalls(lab: SshLab, who: Who, compression = true): Promise<Bytes> {
  const counts: DelayProxyCounters[] = [];
  const onStep = (): void => void counts.push(lab.near.counters());
  await lab.run(who, 'calls', { port: lab.near.port, count: CALLS, compression }, onStep);
  const per = (way: keyof Bytes): number[] => counts.slice(1).map((count, i) => (count[way] - (counts[i]?.[way] ?? NaN)) / CALLS);
  return { bytesUp: per('bytesUp'), bytesDown: per('bytesDown') };
}
