/** Each case runs in a process of its own, because what is tested is that tests fail. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { testWithOracle } from '#src/testing/index.js';

const TESTING = import.meta.resolve('#src/testing/index.js');

interface Outcome {
  status: number | null;
  output: string;
}

/** Runs `body` as the module of a test file; `testWithOracle` is imported. */
function runTests(body: string): Outcome {
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env['NODE_TEST_CONTEXT']; // else the inner run reports to the outer runner
  const source = `import { testWithOracle } from ${JSON.stringify(TESTING)};\n${body}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    env,
    encoding: 'utf8',
    timeout: 20_000,
    cwd: new URL('.', pathToFileURL(process.argv[1] ?? '.')),
  });
  return { status, output: stdout + stderr };
}

testWithOracle(
  'testWithOracle passes a test that cleans up, and gives it a signal, its oracle and the test',
  async ({ signal, oracle, test: t }) => {
    assert.equal(signal.aborted, false);
    assert.equal(process.env['MITOS_LEAK_TAG']?.endsWith(oracle.tag), true);
    assert.equal(typeof t.diagnostic, 'function');
    await Promise.resolve();
  },
);

test('testWithOracle can skip a test', () => {
  const { status, output } = runTests(`testWithOracle('left out', { skip: 'as an example' }, () => { console.log('IT RAN'); });`);
  assert.equal(status, 0, output);
  assert.match(output, /skipped 1/);
  assert.doesNotMatch(output, /IT RAN/);
});

test('testWithOracle fails a test that leaves a process behind, and kills that process', () => {
  const { status, output } = runTests(`
    import { spawn } from 'node:child_process';
    testWithOracle('leaks', { withinMs: 50 }, () => { const child = spawn('sleep', ['67'], { stdio: 'ignore' }); child.unref(); console.log('PID=' + child.pid); });`);
  assert.equal(status, 1, output);
  assert.match(output, /process: pid \d+, .*sleep 67/);
  const pid = Number(/PID=(\d+)/.exec(output)?.[1]);
  assert.ok(!isRunning(pid));
});

/** A killed process whose parent is gone stays a zombie until the init process takes note. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

test('testWithOracle fails a test that does not end in time', () => {
  const { status, output } = runTests(`testWithOracle('hangs', { timeoutMs: 50 }, () => new Promise(() => {}));`);
  assert.equal(status, 1, output);
  assert.match(output, /TimeoutError|aborted due to timeout/);
});

test('testWithOracle fails a test during which the process warns, unless the warning is allowed', () => {
  const warn = `() => process.emitWarning('too many cooks')`;
  const { status, output } = runTests(`testWithOracle('warns', ${warn});`);
  assert.equal(status, 1, output);
  assert.match(output, /The process warned: Warning: too many cooks/);
  const allowed = runTests(`testWithOracle('warns', { allowWarning: (w) => w.message.includes('cooks') }, ${warn});`);
  assert.equal(allowed.status, 0, allowed.output);
});

test('testWithOracle fails a test that leaves a rejection unhandled', () => {
  const { status, output } = runTests(`testWithOracle('rejects', async () => { Promise.reject(new Error('nobody listens')); });`);
  assert.equal(status, 1, output);
  assert.match(output, /nobody listens/);
});

test('testWithOracle reports the failure of the test and the leak', () => {
  const { status, output } = runTests(`
    import { openSync } from 'node:fs';
    testWithOracle('both', { withinMs: 0 }, () => { setInterval(() => {}, 1e5).unref(); setTimeout(() => {}, 300); throw new Error('first problem'); });`);
  assert.equal(status, 1, output);
  assert.match(output, /first problem/);
  assert.match(output, /resource: \d+ × Timeout/);
});

testWithOracle(
  'Leak oracle in a child process keeps the tag of the oracle above it, so both find what that child leaves behind',
  ({ oracle }) => {
    const { output } = runTests(
      `testWithOracle('inner', ({ oracle }) => console.log('TAGS=' + process.env.MITOS_LEAK_TAG + ' INNER=' + oracle.tag));`,
    );
    const [, tags, inner] = /TAGS=(\S+) INNER=(\S+)/.exec(output) ?? [];
    assert.deepEqual(tags?.split(':').slice(-2), [oracle.tag, inner]);
  },
);
