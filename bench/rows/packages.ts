/** What a program with a real package costs: the modules of date-fns over ssh, in a tree of hops, and the bytes that they take. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, Router } from '#src/index.js';
import { elapsed, type Plan, takeTurns } from '../measure.ts';
import type { Row } from '../report.ts';
import { missingForSsh, ONE_WAY_MS, openSshLab, runProgram, type SshLab } from '../ssh-lab.ts';
import { compressedSize } from './modules.ts';

const ROOT = new URL('../../../', import.meta.url);
const PACKAGES = fileURLToPath(new URL('corpus/node_modules/', ROOT));
const FOLDER = fileURLToPath(new URL('.build/bench-packages/', ROOT));
const WORK = `${FOLDER}work.mjs`;
const TEXT = `import * as dates from 'date-fns';
export const count = () => Object.keys(dates).length + dates.getYear(new Date(0));
`;
const HOPS = 4;
const LEAVES = 10;
/** What the machine's own unrest may add. */
const SLACK = 0.1;

type Count = () => number;

export async function measurePackages(plan: Plan): Promise<Row[]> {
  if (!existsSync(`${PACKAGES}date-fns`)) {
    console.error('Not measuring packages: they are not installed; run npm run corpus once');
    return [];
  }
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(WORK, TEXT);
  rmSync(`${FOLDER}node_modules`, { force: true });
  symlinkSync(PACKAGES, `${FOLDER}node_modules`);
  try {
    const { count } = (await import(WORK)) as { count: Count };
    return [...(await measureTree(count)), ...(await measureOverSsh(count, plan))];
  } finally {
    rmSync(FOLDER, { recursive: true });
  }
}

/** How often each module crosses the links of the master. */
async function measureTree(count: Count): Promise<Row[]> {
  await using router = new Router();
  const urls: string[] = [];
  router.on('module', ({ url, batch }) => batch !== undefined && url.startsWith('file:') && urls.push(url));
  const hop = await router.local({ threadless: true });
  const open = (from: Context) => from.local({ threadless: true });
  await (await open(hop)).call(count);
  const { moduleBytes, requests } = router.stats();
  const files = [...new Set(urls)];
  await (await open(hop)).call(count);
  const again = router.stats().moduleBytes - moduleBytes;
  urls.length = 0;
  const results: Promise<number>[] = [];
  for (let n = 0; n < HOPS; n++) {
    const tier = await router.local({ threadless: true });
    for (let leaf = 0; leaf < LEAVES; leaf++) results.push(open(tier).then((context) => context.call(count)));
  }
  await Promise.all(results);
  const source = Buffer.concat(files.map((url) => readFileSync(fileURLToPath(url))));
  const what = `date-fns, ${files.length} modules`;
  return [
    { what: `${what}: round trips for imports`, unit: '', values: [requests], target: { of: 'value', atMost: 0 } },
    {
      ...{ what: `${what}: bytes sent`, unit: 'B', values: [moduleBytes] },
      beside: { what: 'source as one stream', values: [compressedSize(source)] },
      target: { of: 'ratio', atMost: 1.1 },
    },
    { what: `${what}: bytes for a 2nd child of the hop`, unit: 'B', values: [again], target: { of: 'value', atMost: 0 } },
    {
      ...{ what: `${HOPS * LEAVES} leaves under ${HOPS} hops: times a module is sent`, unit: '', values: [urls.length / files.length] },
      target: { of: 'value', atMost: HOPS },
    },
  ];
}

async function measureOverSsh(count: Count, plan: Plan): Promise<Row[]> {
  const reason = missingForSsh();
  if (reason !== undefined) {
    console.error(`Not measuring packages over ssh: ${reason}`);
    return [];
  }
  await using lab = await openSshLab();
  const trips: Record<'echo' | 'mitos', number[]> = { echo: [], mitos: [] };
  const travel = (name: 'echo' | 'mitos', work: (port: number) => Promise<number>) => async () => {
    trips[name].push(((await work(lab.far.port)) - (await work(lab.near.port))) / (2 * ONE_WAY_MS));
    return NaN;
  };
  const call = (port: number) => callOver(lab, port, count);
  await call(lab.near.port);
  await takeTurns(
    plan.pick(5, 1),
    { echo: travel('echo', (port) => runProgram(['ssh', ...lab.ssh(port), 'echo'], { isFirstByte: true })), mitos: travel('mitos', call) },
    0,
  );
  const there = `cd ${dirname(WORK)} && ${lab.node} -e 'import("./work.mjs").then((work) => console.log(work.count()))'`;
  const ms = await takeTurns(plan.pick(7, 2), {
    mitos: () => call(lab.sshd.port),
    there: () => runProgram(['ssh', ...lab.ssh(), there]),
  });
  return [
    {
      ...{ what: 'ssh connect and first call with date-fns', unit: 'round trips', values: trips.mitos },
      beside: { what: 'ssh echo', values: trips.echo },
      target: { of: 'difference', atMost: 1 + SLACK },
    },
    {
      ...{ what: 'the same without a delay', unit: 'ms', values: ms.mitos },
      beside: { what: 'ssh node, with the package there', values: ms.there },
      target: { of: 'ratio', atMost: 1.5 },
    },
  ];
}

/** A child that has nothing yet, and a master that has nothing in memory. */
async function callOver({ sshd, free }: SshLab, port: number, count: Count): Promise<number> {
  await using router = new Router();
  return await elapsed(() => router.ssh({ hostname: sshd.host, port, username: free.name, configFile: sshd.clientConfig }).call(count));
}
