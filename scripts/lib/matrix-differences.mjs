/**
 * What cannot be the same on every Node, and why. A test that fails is explained by an entry that covers the version, the file, the name and what the
 * failure says; an entry that explains nothing in a whole run is a mistake too.
 */

const STREAMS = 'ReadableStream and WritableStream are global from Node 18 on, and the functions use them';
const ASKS = 'the first call, which is on its way before the Node is known, asks once for its modules in older words';
const FS_PROMISES = 'node:fs/promises is there from Node 14 on, and the modules import it';
const NOT_RUN = /did not run/;
const NO_STREAM = /ReadableStream is not defined/;
const NO_FS_PROMISES = /Cannot find module 'node:fs\/promises'/;

/** `below` or `from` (major numbers), `file`, `test` (a part of its name), `says` (what the failure has to say), `reason`. */
export const differences = [
  {
    below: 18,
    file: 'calls',
    test: 'generators, async generators and streams arrive as async iterables',
    says: NO_STREAM,
    reason: STREAMS,
  },
  { below: 18, file: 'calls', test: 'leaving the loop over a generator runs its finally block', says: NO_STREAM, reason: STREAMS },
  { below: 18, file: 'streams', test: 'a ReadableStream that is an argument is one there', says: NOT_RUN, reason: STREAMS },
  { below: 18, file: 'streams', test: 'a ReadableStream as a result is read to its end', says: NOT_RUN, reason: STREAMS },
  { below: 18, file: 'streams', test: 'a WritableStream as an argument or a result', says: NOT_RUN, reason: STREAMS },
  {
    below: 16,
    file: 'streams',
    test: 'an AbortSignal can be a result',
    says: NOT_RUN,
    reason: 'AbortController is global from Node 15 on, and the function makes one',
  },
  {
    below: 16,
    file: 'calls-errors',
    test: 'a CallError has the message of the remote error, and that error, revived, as its cause',
    says: /first instanceof TypeError/,
    reason: 'new Error(message, { cause }) is understood from Node 16.9 on',
  },
  {
    below: 18,
    file: 'examples',
    test: 'examples/first-script.ts prints what it says',
    says: /"fs\.statfsSync" is there from Node 19\.6 \(and 18\.15\) on/,
    reason: 'fs.statfs is there from Node 18.15 on; the error says so',
  },
  {
    below: 16,
    file: 'rare',
    test: 'the first call may need more modules than fit into a frame',
    says: /(Cannot find module '|No such built-in module: )node:timers\/promises/,
    reason: 'node:timers/promises is there from Node 15 on, and the function imports it',
  },
  { below: 14, file: 'demo', test: 'the demo ', says: /2 had to be asked for/, reason: ASKS },
  { below: 14, file: 'run', test: 'a module event tells where a module goes', says: /roundTrip: true/, reason: ASKS },
  { below: 18, file: 'packages', test: 'workspace/packages/app', says: /1 round trips, 0 are explained/, reason: ASKS },
  { below: 20, file: 'packages', test: 'typescript', says: /1 round trips, 0 are explained/, reason: ASKS },
  { below: 20, file: 'packages', test: 'fast-check', says: /1 round trips, 0 are explained/, reason: ASKS },
  {
    below: 18,
    file: 'packages',
    test: 'common',
    says: /'undefined'/,
    reason: 'structuredClone is there from Node 17 on, module.isBuiltin from 16.17 on, and the package lists what there is',
  },
  { below: 14, file: 'resources', test: '', says: NO_FS_PROMISES, reason: FS_PROMISES },
];

/** Test files that say the same for each column, because none of their contexts runs on the Node of the column: name -> why. */
export const leftOut = {
  'api-versions': 'names the Nodes of its contexts itself',
  'fetch-nodes': 'starts no context',
  lab: 'enters what the lab makes with programs of the system, and starts no context',
  nodes: 'is the short form of this matrix, and names the Nodes of its contexts itself',
  'old-nodes': 'names the Nodes of its contexts itself',
  'runtime-attack': 'its targets are given a Node, or what stands for one, by the master',
  'runtime-cli': 'starts no context',
  'runtime-fetch': 'starts no context',
  'runtime-push': 'its targets have no Node and are given one by the master',
  'runtime-refusals': 'its targets are given a Node, or what stands for one, by the master',
  'runtime-routes': 'its targets are given a Node, or what stands for one, by the master',
};

/** Why a test may fail there; undefined when nobody said so. */
export function explain(version, result) {
  return entryOf(version, result)?.reason;
}

/** The entry that covers a failure. */
export function entryOf(version, { file, name, reason }) {
  const major = Number(version.split('.')[0]);
  return differences.find(
    (entry) =>
      major < (entry.below ?? Infinity) &&
      major >= (entry.from ?? 0) &&
      entry.file === file &&
      name.includes(entry.test) &&
      entry.says.test(reason ?? ''),
  );
}
