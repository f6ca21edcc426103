/**
 * What cannot be the same on every Node, and why. A test that fails is explained by an entry that covers the version, the file, the name and what the
 * failure says; an entry that explains nothing in a whole run is a mistake too.
 */

/** `below` or `from` (major numbers), `file`, `test` (a part of its name), `says` (what the failure has to say), `reason`. */
export const differences = [
  {
    below: 18,
    file: 'calls',
    test: 'generators, async generators and streams arrive as async iterables',
    says: /ReadableStream is not defined/,
    reason: 'ReadableStream is global from Node 18 on, and the function makes one',
  },
  {
    below: 18,
    file: 'calls',
    test: 'leaving the loop over a generator runs its finally block',
    says: /ReadableStream is not defined/,
    reason: 'ReadableStream is global from Node 18 on, and the function makes one',
  },
  {
    below: 16,
    file: 'calls-errors',
    test: 'a CallError has the message of the remote error, and that error, revived, as its cause',
    says: /first instanceof TypeError/,
    reason: 'new Error(message, { cause }) is understood from Node 16.9 on',
  },
];

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
