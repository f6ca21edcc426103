/** The first call of a function with a large static graph of modules: round trips for imports, and bytes against the source itself. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { Router } from '#src/index.js';
import { elapsed, type Plan } from '../measure.ts';
import type { Row } from '../report.ts';

const ROOT = new URL('../../../', import.meta.url);
const FOLDER = new URL('.build/bench-graph/', ROOT);
const ENTRY = new URL('entry.ts', FOLDER);
/** Layers of our own source, as an example of TypeScript; all but the entries of bundles, which run something. */
const LAYERS = ['core', 'parent', 'methods', 'api', 'services'];
const BUNDLE_ENTRIES = /\/(main|user|child)\.ts$/;
/** ES modules of others, as they are published. */
const PACKAGES = ['fast-check', 'chai', 'estree-walker', '@vitest/utils', '@vitest/utils/diff', '@vitest/utils/source-map'];

export async function measureModules(plan: Plan): Promise<Row[]> {
  writeGraph();
  const results = [];
  for (let i = 0; i < plan.pick(3, 1); i++) results.push(await loadGraph());
  const { requests, moduleBytes, urls } = results[0]!; // at least one was made
  const source = Buffer.concat(urls.map((url) => readFileSync(fileURLToPath(url))));
  rmSync(FOLDER, { recursive: true });
  const what = `graph of ${urls.length} modules, ${Math.round(source.length / 1024)} KiB`;
  return [
    { what: `${what}: round trips for imports`, unit: '', values: [requests], target: { of: 'value', atMost: 0 } },
    {
      what: `${what}: bytes sent`,
      unit: 'B',
      values: [moduleBytes],
      beside: { what: 'source as one stream', values: [compressedSize(source)] },
      target: { of: 'ratio', atMost: 1.1 },
    },
    {
      what: `${what}: first call, master cold`,
      unit: 'ms',
      values: results.map(({ ms }) => ms),
      beside: { what: 'the same, 2nd child', values: results.map((result) => result.warmMs) },
    },
  ];
}

/** Calls a function of the graph in a fresh child, and in another. */
async function loadGraph() {
  await using router = new Router();
  const urls: string[] = [];
  const context = await router.local({ threadless: true });
  router.on('module', ({ url, to }) => to === context.id && url.startsWith('file:') && urls.push(url));
  const call = async (target: typeof context): Promise<void> => {
    const { count } = await target.import<{ count(): number }>(ENTRY, { from: import.meta.url });
    await count();
  };
  const ms = await elapsed(() => call(context));
  const { requests, moduleBytes } = router.stats();
  const second = await router.local({ threadless: true });
  const warmMs = await elapsed(() => call(second));
  return { ms, warmMs, requests, moduleBytes, urls };
}

function writeGraph(): void {
  const files = LAYERS.flatMap((layer) => readdirSync(new URL(`src/${layer}/`, ROOT)).map((name) => `../../src/${layer}/${name}`));
  const specifiers = [...files.filter((file) => file.endsWith('.ts') && !BUNDLE_ENTRIES.test(file)), ...PACKAGES];
  const imports = specifiers.map((specifier, i) => `import * as m${i} from '${specifier}';`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(ENTRY, `${imports.join('\n')}\nexport const count = () => [${specifiers.map((_, i) => `m${i}`).join()}].length;\n`);
}

/** As a batch of modules is compressed. */
export function compressedSize(source: Buffer): number {
  return brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_QUALITY]: 7, [constants.BROTLI_PARAM_SIZE_HINT]: source.length } })
    .length;
}
