/**
 * Runs the compiled tests with Node's test runner.
 *
 *   node scripts/test.mjs [part of a path]…      e.g. `npm test -- unit/wire`
 *
 * MITOS_TEST_CONCURRENCY (2) is the number of test files at once, MITOS_TEST_TIMEOUT_MS (20 min) bounds the whole run,
 * MITOS_TEST_FILE_TIMEOUT_MS (2 min) each file. Only files whose source
 * still exists are run. The exit code and a signal that ends the runner are passed on.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { at, filesBelow } from './lib/project.mjs';

const filters = process.argv.slice(2);
const timeoutMs = Number(process.env.MITOS_TEST_TIMEOUT_MS ?? 20 * 60_000);
const fileTimeoutMs = Number(process.env.MITOS_TEST_FILE_TIMEOUT_MS ?? 120_000);
const concurrency = process.env.MITOS_TEST_CONCURRENCY ?? '2';

const files = filesBelow('test', (name) => name.endsWith('.test.ts'))
  .filter((file) => !file.startsWith('test/fixtures/'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .map((file) => join('.build', file.replace(/\.ts$/, '.js')));
if (files.length === 0) {
  console.error(
    filters.length === 0 ? 'Cannot test: no test files in test/' : `Cannot test: no test file matches ${JSON.stringify(filters)}`,
  );
  process.exit(1);
}

// Tests keep what they find out about modules to themselves.
const cache = mkdtempSync(join(tmpdir(), 'mitos-test-cache-'));
process.on('exit', () => rmSync(cache, { recursive: true, force: true }));

const runner = spawn(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`, `--test-timeout=${fileTimeoutMs}`, ...files],
  { cwd: at(), stdio: 'inherit', env: { MITOS_CACHE_DIR: cache, ...process.env } },
);

let isTimedOut = false;
const timer = setTimeout(() => {
  isTimedOut = true;
  console.error(`Cannot finish the tests: the run took longer than ${timeoutMs} ms (MITOS_TEST_TIMEOUT_MS)`);
  runner.kill('SIGTERM');
  setTimeout(() => runner.kill('SIGKILL'), 10_000).unref();
}, timeoutMs);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => runner.kill(signal));

runner.on('error', (error) => {
  clearTimeout(timer);
  console.error(`Cannot start the test runner: ${error.message}`);
  process.exitCode = 1;
});
runner.on('exit', (code, signal) => {
  clearTimeout(timer);
  if (isTimedOut) process.exit(1);
  if (signal === null) process.exit(code ?? 1);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
