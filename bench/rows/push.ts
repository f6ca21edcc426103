/** A Node pushed over ssh on loopback to a user who has none, beside a child that finds one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Router } from '#src/index.js';
import { createLab, type LabUser, missing, type Sshd } from '../../test/support/lab/index.ts';
import { elapsed, type Plan } from '../measure.ts';
import { nothing } from '../remote-work.ts';
import type { Row } from '../report.ts';

export async function measurePush(plan: Plan): Promise<Row[]> {
  const reason = missing('sshd') ?? missing('namespaces');
  if (reason !== undefined) {
    console.error(`Not measuring the push of a Node: ${reason}`);
    return [];
  }
  const lab = createLab();
  const cache = mkdtempSync(join(tmpdir(), 'bench-push-'));
  const before = process.env['MITOS_CACHE_DIR'];
  process.env['MITOS_CACHE_DIR'] = cache;
  try {
    const user = await lab.user();
    const bare = await lab.sshd({ hidesNode: true });
    const usual = await lab.sshd();
    const cold = await pushOnce(bare, user);
    const first: number[] = [];
    const second: number[] = [];
    const found: number[] = [];
    for (let turn = 0; turn < plan.pick(5, 1); turn++) {
      await using router = new Router({ logger: false });
      first.push(await connect(router, bare, user));
      second.push(await connect(router, bare, user));
      found.push(await connect(router, usual, user));
    }
    return [
      {
        what: 'the first push of all: fetched from npm, packed and sent',
        unit: 'ms',
        values: [cold],
        target: { of: 'value', atMost: 6000 },
      },
      { what: 'Node pushed over ssh, and first call', unit: 'ms', values: first, target: { of: 'value', atMost: 6000 } },
      {
        ...{ what: 'a 2nd child of that host', unit: 'ms', values: second },
        beside: { what: 'a child that finds a Node', values: found },
        target: { of: 'ratio', atMost: 1.2 },
      },
    ];
  } finally {
    if (before === undefined) delete process.env['MITOS_CACHE_DIR'];
    else process.env['MITOS_CACHE_DIR'] = before;
    await lab.close();
    rmSync(cache, { recursive: true, force: true });
  }
}

async function pushOnce(sshd: Sshd, user: LabUser): Promise<number> {
  await using router = new Router({ logger: false });
  return await connect(router, sshd, user);
}

function connect(router: Router, { host, port, clientConfig }: Sshd, { name }: LabUser): Promise<number> {
  return elapsed(() => router.ssh({ hostname: host, port, username: name, configFile: clientConfig }).call(nothing));
}
