/** The table of the matrix: a row for each test file, a column for each Node; below it what failed, what is explained, and what was skipped. */
import { entryOf, leftOut } from './matrix-differences.mjs';

/** The name of what is no test but the end of a whole file. */
export const FILE = '(the file itself)';

/**
 * Prints it.
 *
 * @returns whether nothing is left unexplained
 */
export function printMatrix(given, { expected, isWhole }) {
  const runs = addMissing(given);
  const problems = [];
  const used = new Set();
  const names = [...new Set(runs.flatMap(({ results }) => results.map(({ file }) => file)))].sort((a, b) => (a < b ? -1 : 1));
  const rows = names.map((file) => [
    file,
    ...runs.map((run) =>
      cell(
        run,
        run.results.filter((result) => result.file === file),
      ),
    ),
  ]);
  const total = ['all', ...runs.map((run) => cell(run, run.results))];
  const time = ['seconds', ...runs.map(({ seconds }) => seconds.toFixed(0))];
  print([['Node', ...runs.map(({ version }) => version)], ...rows, total, time]);
  console.log('passed; f failed, e failed for a reason that is explained below, s skipped\n');

  for (const run of runs) {
    for (const result of run.results) {
      if (result.outcome !== 'failed') continue;
      const entry = entryOf(run.version, result);
      if (entry) used.add(entry);
      else
        problems.push(`Node ${run.version}: ${result.file}: "${result.name}" fails, and nobody says why (${result.reason.split('\n')[0]})`);
    }
  }
  if (isWhole) {
    for (const entry of expected) {
      const isCovered = runs.some(
        ({ version }) => Number.parseInt(version, 10) < (entry.below ?? Infinity) && Number.parseInt(version, 10) >= (entry.from ?? 0),
      );
      if (isCovered && !used.has(entry))
        problems.push(`lib/matrix-differences.mjs explains what does not happen: ${entry.file}: "${entry.test}"`);
    }
  }
  if (used.size > 0) console.log('Differences that are explained:');
  for (const { file, test, below, from, reason } of used) {
    const where = [from && `from ${from}`, below && `before ${below}`].filter(Boolean).join(', ');
    console.log(`  ${file}: ${test} (${where}): ${reason}`);
  }
  printSkipped(runs);
  if (isWhole) for (const [file, reason] of Object.entries(leftOut)) console.log(`  left out: ${file}: ${reason}`);
  for (const { version, failedBefore } of runs)
    for (const { file, name } of failedBefore) console.log(`  needed another try: Node ${version}: ${file}: ${name}`);
  for (const problem of problems) console.log(`✖ ${problem}`);
  console.log(problems.length === 0 ? 'No unexplained difference' : `${problems.length} unexplained`);
  return problems.length === 0;
}

function cell({ version }, results) {
  const count = (test) => results.filter(test).length;
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  const explained = failed.filter((result) => entryOf(version, result)).length;
  const parts = [
    [failed.length - explained, 'f'],
    [explained, 'e'],
    [count(({ outcome }) => outcome === 'skipped'), 's'],
  ];
  const rest = parts.filter(([number]) => number > 0).map(([number, letter]) => ` ${number}${letter}`);
  return count(({ outcome }) => outcome === 'passed') + rest.join('');
}

/** Adds to each run the tests that did not run there and do on another Node. */
function addMissing(runs) {
  const key = ({ file, name }) => `${file}: "${name}"`;
  const isRun = ({ outcome, name }) => outcome !== 'skipped' && name !== FILE;
  const all = new Map(runs.flatMap(({ results }) => results.filter(isRun).map((result) => [key(result), result])));
  return runs.map((run) => {
    const here = new Set(run.results.filter(isRun).map(key));
    const absent = [...all].filter(([name]) => !here.has(name));
    const added = absent.map(([, { file, name }]) => ({ file, name, outcome: 'failed', reason: 'it did not run, elsewhere it does' }));
    return { ...run, results: [...run.results, ...added] };
  });
}

function printSkipped(runs) {
  const reasons = new Map();
  for (const { results } of runs)
    for (const { outcome, reason, file } of results)
      if (outcome === 'skipped') reasons.set(reason, (reasons.get(reason) ?? new Set()).add(file));
  for (const [reason, files] of reasons) console.log(`  skipped: ${[...files].join(', ')}: ${reason}`);
}

function print(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(row.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]))).join('  '));
}
