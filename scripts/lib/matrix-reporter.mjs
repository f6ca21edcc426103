/** A reporter of `node --test` for the matrix: a line of JSON for each test that ended. */
import { FILE } from './matrix-table.mjs';

export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, skip, todo, details } = data;
    // The file is a test too: it counts when it ended badly by itself.
    const isFile = name.endsWith('.test.js');
    if (isFile && (type === 'test:pass' || details?.error?.failureType === 'subtestsFailed')) continue;
    const outcome = type === 'test:fail' ? 'failed' : skip !== undefined || todo !== undefined ? 'skipped' : 'passed';
    yield `${JSON.stringify({ name: isFile ? FILE : name, outcome, reason: reasonOf(outcome, data) })}\n`;
  }
}

function reasonOf(outcome, { skip, todo, details }) {
  if (outcome === 'skipped') return String(skip ?? todo);
  if (outcome === 'passed') return undefined;
  const { error } = details;
  return String(error?.cause?.stack ?? error?.cause?.message ?? error?.cause ?? error?.message ?? error).slice(0, 4000);
}
