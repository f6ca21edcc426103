/**
 * `npm run bench -- [--quick] [--json] [rpc pipeline results connect bytes modules memory many ssh packages push]`: what the library costs, each figure beside a floor or
 * a peer that is measured in the same run. Figures and ratios are medians; nothing here fails, a missed target is only told.
 */
import { parseArgs } from 'node:util';
import type { Plan } from './measure.ts';
import { assess, load, printTable, type Row } from './report.ts';
import { measureBytes } from './rows/bytes.ts';
import { measureConnect } from './rows/connect.ts';
import { measureMany } from './rows/many.ts';
import { measureMemory } from './rows/memory.ts';
import { measureModules } from './rows/modules.ts';
import { measurePackages } from './rows/packages.ts';
import { measurePipeline } from './rows/pipeline.ts';
import { measurePush } from './rows/push.ts';
import { measureResults } from './rows/results.ts';
import { measureRpc } from './rows/rpc.ts';
import { measureSsh } from './rows/ssh.ts';

const GROUPS: Record<string, (plan: Plan) => Promise<Row[]>> = {
  rpc: measureRpc,
  pipeline: measurePipeline,
  results: measureResults,
  connect: measureConnect,
  bytes: measureBytes,
  modules: measureModules,
  memory: measureMemory,
  many: measureMany,
  ssh: measureSsh,
  packages: measurePackages,
  push: measurePush,
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean' }, json: { type: 'boolean' } } });
const unknown = positionals.find((name) => !(name in GROUPS));
if (unknown === undefined) await run(positionals.length ? positionals : Object.keys(GROUPS), values.quick === true, values.json === true);
else {
  console.error(`There are no figures "${unknown}"; there are ${Object.keys(GROUPS).join(', ')}`);
  process.exitCode = 2;
}

async function run(names: readonly string[], isQuick: boolean, isJson: boolean): Promise<void> {
  const plan: Plan = { isQuick, pick: (full, quick) => (isQuick ? quick : full) };
  const before = load();
  const start = performance.now();
  const rows: Row[] = [];
  for (const name of names) {
    if (process.stderr.isTTY) process.stderr.write(`${name} …\n`);
    try {
      rows.push(...((await GROUPS[name]?.(plan)) ?? []));
    } catch (error) {
      console.error(`Cannot measure ${name}:`, error);
      process.exitCode = 1;
    }
  }
  const after = load();
  const seconds = (performance.now() - start) / 1000;
  if (isJson) {
    console.log(JSON.stringify({ before, after, seconds, rows: rows.map(assess) }, null, 1));
    return;
  }
  printTable(rows);
  const judged = rows.map(assess).filter(({ isMet }) => isMet !== undefined);
  console.log(
    `\n${judged.filter(({ isMet }) => isMet).length} of ${judged.length} targets met in ${seconds.toFixed(0)} s; before: ${before}; after: ${after}`,
  );
}
