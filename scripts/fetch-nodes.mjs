/**
 * Gets Nodes of other versions for tests: `npm run nodes` all that contexts can run on, `npm run nodes -- 12 24` these, `npm run nodes -- short` those
 * that `npm test` uses, `npm run nodes -- all` also those that are too old. What is there already is not fetched again. See lib/nodes.mjs.
 */
import { ALL, fetchNode, findNode, nodesDirectory, SHORT, SUPPORTED } from './lib/nodes.mjs';

const SETS = { short: SHORT, all: ALL };
const given = process.argv.slice(2);
const names = new Set(given.length > 0 ? given.flatMap((name) => SETS[name] ?? [name]) : SUPPORTED);
const isNamed = (name) => given.includes(name);

console.error(`Nodes are kept in ${nodesDirectory()}`);
for (const name of names) {
  const { isNowhere, reason } = findNode(name);
  if (isNowhere && !isNamed(name)) {
    console.error(reason);
    continue;
  }
  try {
    await fetchNode(name);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
