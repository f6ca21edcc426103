/** The results of the matrix, in memory, and with a path in a file too: written after each test file, so that a run that was cut short can be continued. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { entryOf } from './matrix-differences.mjs';

export class MatrixResults {
  #path;
  /** version -> file -> `{ results, seconds }`. */
  #kept = {};

  constructor(path) {
    this.#path = path;
    if (path !== undefined && existsSync(path)) this.#kept = JSON.parse(readFileSync(path, 'utf8'));
  }

  /** Whether a file ran on that Node and left nothing unexplained. */
  isDone(version, file) {
    const results = this.#kept[version]?.[file]?.results;
    return results !== undefined && results.every((result) => result.outcome !== 'failed' || entryOf(version, result) !== undefined);
  }

  /** Takes the results of a file; of those of an earlier time only the names of what failed then for no known reason are kept. */
  set(version, file, results, seconds) {
    const before = this.#kept[version]?.[file];
    const unexplained = (before?.results ?? []).filter((result) => result.outcome === 'failed' && !entryOf(version, result));
    const failedBefore = [...new Set([...(before?.failedBefore ?? []), ...unexplained.map(({ name }) => name)])];
    this.#kept[version] = { ...this.#kept[version], [file]: { results, seconds, failedBefore } };
    if (this.#path !== undefined) writeFileSync(this.#path, JSON.stringify(this.#kept));
  }

  /** All, oldest Node first. */
  runs() {
    const versions = Object.keys(this.#kept).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return versions.map((version) => {
      const files = Object.entries(this.#kept[version]);
      return {
        version,
        results: files.flatMap(([, { results }]) => results),
        seconds: files.reduce((sum, [, { seconds }]) => sum + seconds, 0),
        failedBefore: files.flatMap(([file, { failedBefore }]) => failedBefore.map((name) => ({ file, name }))),
      };
    });
  }
}
