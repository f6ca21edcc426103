/** Nodes of other versions than the one that runs the tests, as `npm run nodes` gets them. */
import { readFileSync } from 'node:fs';
import { type Requirement, requirement } from '#src/testing/index.js';

/** The project, as seen from the compiled file. */
const ROOT = new URL('../../../', import.meta.url);
const nodes = (await import(new URL('scripts/lib/nodes.mjs', ROOT).href)) as {
  findNode(name: string): { path: string; version: string } | { reason: string; isNowhere: boolean };
};

/** The path of the Node with this major number; undefined when it is not at hand. */
export function nodeBinary(name: string): string | undefined {
  const found = nodes.findNode(name);
  return 'path' in found ? found.path : undefined;
}

/** What tests need that run contexts on these Nodes, to be spread into their options: skips, with a printed reason, where one is not at hand. */
export function needsNodes(...names: readonly string[]): Requirement {
  const results = names.map((name): Requirement => {
    const found = nodes.findNode(name);
    if (!('reason' in found)) return { skip: false };
    if (!found.isNowhere) return requirement(`node${name}`, () => found.reason);
    // Nobody can be asked to have what does not exist.
    console.error(`Skipping tests: ${found.reason}`);
    return { skip: found.reason };
  });
  return results.find(({ skip }) => skip !== false) ?? { skip: false };
}

/** The exact version of each Node of the table, by major number. */
export const NODE_VERSIONS: ReadonlyMap<string, string> = new Map(
  Object.entries(
    JSON.parse(readFileSync(new URL('scripts/node-versions.json', ROOT), 'utf8')) as Record<string, Record<string, string[]>>,
  ).map(([name, builds]) => [name, builds[process.arch]?.[0] ?? '']),
);

/** The Node on which contexts run in this run of the tests: this one, unless `npm run matrix` says another. */
export const CONTEXT_NODE: string = process.env['MITOS_TEST_NODE'] ?? process.execPath;
/** Its version, as `process.versions.node` has it. */
export const CONTEXT_VERSION: string = process.env['MITOS_TEST_VERSION'] ?? process.versions.node;
