/** What ssh and sudo cost, beside plain ssh and the peers, all against one sshd on loopback. */
import type { Plan } from '../measure.ts';
import type { Row } from '../report.ts';
import { missingForSsh, openSshLab } from '../ssh-lab.ts';
import { measureCallBytes } from './ssh-bytes.ts';
import { measureFirstCall } from './ssh-first.ts';
import { measureManySsh } from './ssh-many.ts';
import { measureSeed } from './ssh-seed.ts';
import { measureTrips } from './ssh-trips.ts';

export async function measureSsh(plan: Plan): Promise<Row[]> {
  const reason = missingForSsh();
  if (reason !== undefined) {
    console.error(`Not measuring ssh: ${reason}`);
    return [];
  }
  await using lab = await openSshLab();
  const rows: Row[] = [];
  for (const measure of [measureTrips, measureFirstCall, measureSeed, measureManySsh, measureCallBytes])
    rows.push(...(await measure(lab, plan)));
  return rows;
}
