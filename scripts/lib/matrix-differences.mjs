/**
 * What cannot be the same on every Node, and why. A test that fails is explained by an entry that covers the version, the file, the name and what the
 * failure says; an entry that explains nothing in a whole run is a mistake too.
 */

/** `below` or `from` (major numbers), `file`, `test` (a part of its name), `says` (what the failure has to say), `reason`. */
export const differences = [];

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
