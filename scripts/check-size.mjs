/**
 * Checks what is sent to children: ASCII only, and the compressed core within its budget. As a program it fails when a rule is broken;
 * the build only warns.
 */
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { at } from './lib/project.mjs';

/** Most bytes the compressed core may have: all that a context starts with. */
export const CORE_BUDGET_BYTES = 17 * 1024;

/** @returns one message for each broken rule */
export async function checkSizes() {
  const bundles = await import(pathToFileURL(at('dist/generated/bundles.js')).href);
  const problems = [];
  for (const name of ['CORE', 'EXTRA', 'PARENT', 'API', 'FILES']) {
    // biome-ignore lint: control characters are what is looked for
    const index = bundles[name].search(/[^\t\n\r\x20-\x7e]/);
    if (index >= 0) problems.push(`Cannot ship ${name}: it has a non-ASCII or control character at offset ${index}`);
  }
  const sizes = { ...bundles.BUNDLE_SIZES };
  for (const { methods, code, size } of bundles.METHOD_BUNDLES) sizes[methods.join('/')] = { minified: code.length, brotli: size };
  const { brotli } = bundles.BUNDLE_SIZES.CORE;
  if (brotli > CORE_BUDGET_BYTES) problems.push(`Cannot ship CORE: it has ${brotli} bytes compressed, the budget is ${CORE_BUDGET_BYTES}`);
  return { problems, sizes };
}

/** Prints the sizes and the broken rules. @returns whether all rules hold */
export async function reportSizes() {
  const { problems, sizes } = await checkSizes();
  const parts = Object.entries(sizes).map(([name, size]) => `${name} ${size.minified} minified, ${size.brotli} brotli`);
  console.log(`Bundle bytes: ${parts.join('; ')} (core budget ${CORE_BUDGET_BYTES})`);
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (!(await reportSizes())) process.exitCode = 1;
}
