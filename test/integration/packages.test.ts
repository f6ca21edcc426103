/**
 * Packages as package managers lay them out, and some that are installed here anyway: called in a child they give what they give here.
 * This is the short form of `npm run corpus`.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import ts from 'typescript';
import { type TreeTestContext, treeTest } from '../fixtures/programs/harness.js';

interface Layout {
  about: { requests?: number };
  run(): unknown;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Runs a function in a child, then here: what it requires only when it runs is not loaded here before. */
async function isSame(context: TreeTestContext, fn: () => unknown, mayAsk = 0): Promise<void> {
  const { router } = context;
  const far = await router.local({ cwd: '/' }).call(fn);
  const { requests, modules } = router.stats();
  assert.ok(modules > 1, `${modules} modules were sent`);
  assert.ok(requests <= mayAsk, `${requests} round trips, ${mayAsk} are explained`);
  assert.deepEqual(plain(far), plain(await fn()));
}

for (const layout of ['workspace/packages/app', 'pnpm', 'conditions', 'common']) {
  treeTest(`A package gives in a child what it gives here, with the least of round trips: ${layout}`, {}, async (context) => {
    const path = join(process.cwd(), 'test/fixtures/raw/layouts', layout, 'main.mjs');
    const { about, run } = (await import(pathToFileURL(path).href)) as Layout;
    await isSame(context, run, about.requests);
  });
}

function transpile(): unknown {
  const { outputText } = ts.transpileModule('enum A { B = 1 } export const x: A = A.B;', {
    compilerOptions: { module: ts.ModuleKind.CommonJS },
  });
  return outputText;
}

function sample(): unknown {
  return fc.sample(fc.record({ a: fc.nat(), list: fc.array(fc.string()) }), { seed: 7, numRuns: 3 });
}

treeTest('A bundle of 9 MB runs in a child without a question: typescript', { test: { timeoutMs: 60_000 } }, (context) =>
  isSame(context, transpile),
);
treeTest('A package of 180 modules runs in a child without a question: fast-check', {}, (context) => isSame(context, sample));
