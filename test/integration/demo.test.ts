/** `mitos demo`: what it shows, and how it ends. */
import assert from 'node:assert/strict';
import { findCommand, testWithOracle } from '#src/testing/index.js';
import { type Ended, run, runNode } from './run-program.js';

const MAIN = 'dist/cli/main.js';
const CONTEXTS = ['child', 'grandchild', 'great-grandchild', 'worker'];
const CALLS = ['memoryUsage()', 'diskUsage(3)', 'machine()', 'topProcesses(5)'];

function assertComplete({ code, stdout }: Ended): void {
  assert.equal(code, 0, stdout);
  for (const text of [...CONTEXTS, ...CALLS]) assert.ok(stdout.includes(text), `${text} is missing in ${stdout}`);
  assert.match(stdout, /What travelled/);
  assert.match(stdout, /modules {3}2 sent ahead of the calls \([\d.]+ KiB\), 0 had to be asked for/);
}

testWithOracle('the demo shows tree, results and traffic as plain text where there is no terminal', async ({ signal }) => {
  const ended = await runNode(MAIN, { args: ['demo'], signal });
  assertComplete(ended);
  assert.equal(ended.stderr, '');
  assert.match(ended.stdout, /^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$/);
  for (const name of CONTEXTS) assert.match(ended.stdout, new RegExp(`^${name} is up after .* pid \\d+$`, 'm'));
  assert.ok(ended.ms < 20_000);
});

const script = findCommand('script') === undefined ? 'script(1) is not installed' : false;

/** Runs the demo on a terminal of 80 columns. */
function onTerminal(signal: AbortSignal, env: Record<string, string>, onOutput?: Parameters<typeof run>[1]['onOutput']): Promise<Ended> {
  const command = `stty cols 80 rows 50; exec '${process.execPath}' ${MAIN} demo`;
  return run(['script', '-qefc', command, '/dev/null'], { signal, env: { TERM: 'xterm', ...env }, ...(onOutput ? { onOutput } : {}) });
}

testWithOracle('on a terminal the demo fits 80 columns, uses colours and replaces lines', { skip: script }, async ({ signal }) => {
  const ended = await onTerminal(signal, {});
  assertComplete(ended);
  assert.match(ended.stdout, /\x1b\[32m/);
  assert.match(ended.stdout, /\x1b\[\d+A\r\x1b\[2K.*great-grandchild.*up after/);
  assert.doesNotMatch(ended.stdout, /\x1b\[\?/, 'no mode of the terminal is changed');
  const lines = ended.stdout.replace(/\x1b\[[\d;]*[A-Za-z]/g, '').split(/\r?\n/);
  for (const line of lines)
    assert.ok(
      line.split('\r').every((part) => part.length < 80),
      line,
    );
  for (const line of lines.filter((one) => one.includes('up after'))) assert.match(line, /pid \d+/);
});

testWithOracle('on a terminal with NO_COLOR the demo has no colours', { skip: script }, async ({ signal }) => {
  const ended = await onTerminal(signal, { NO_COLOR: '1' });
  assertComplete(ended);
  assert.doesNotMatch(ended.stdout, /\x1b\[[\d;]*m/);
});

testWithOracle('on a dumb terminal the demo is plain', { skip: script }, async ({ signal }) => {
  const ended = await onTerminal(signal, { TERM: 'dumb' });
  assertComplete(ended);
  assert.doesNotMatch(ended.stdout, /\x1b/);
});

for (const moment of ['mitos ', 'worker is up', 'child is up', 'machine()', 'What travelled']) {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    testWithOracle(`the demo ends within a second by ${name} at "${moment}", and leaves nothing`, async ({ signal }) => {
      // The quickest of three counts: a busy machine is slow, not the demo.
      let ms = Infinity;
      for (let attempt = 0; attempt < 3 && ms >= 1000; attempt++) {
        let isTold = false;
        const ended = await runNode(MAIN, {
          args: ['demo'],
          signal,
          onOutput: (output, child) => {
            if (!isTold && output.includes(moment)) isTold = child.kill(name);
          },
        });
        ms = Math.min(ms, ended.ms);
        assert.ok(isTold);
        // At the very end the program may be done before the signal arrives.
        if (ended.code !== 0) assert.equal(ended.signal, name);
        assert.doesNotMatch(ended.stderr, /\S/);
      }
      assert.ok(ms < 1000, `it took ${ms} ms`);
    });
  }
}

testWithOracle('Ctrl-C on a terminal ends the demo within a second, with all styles closed', { skip: script }, async ({ signal }) => {
  let pressedAt = 0;
  const ended = await onTerminal(signal, {}, (output, child) => {
    if (pressedAt || !output.includes('in worker')) return;
    pressedAt = performance.now();
    child.stdin?.write('\x03');
  });
  assert.ok(performance.now() - pressedAt < 3000);
  assert.doesNotMatch(ended.stdout, /\x1b\[\?|Error|at .*:\d+:\d+/);
  const styles = [...ended.stdout.matchAll(/\x1b\[(\d+)m/g)].map(([, code]) => Number(code));
  assert.ok(
    styles.every((code, at) => at % 2 === 0 || code === 22 || code === 39),
    'every style that begins ends',
  );
  assert.equal(styles.length % 2, 0);
});

testWithOracle('the demo ends without an error when its reader leaves', async ({ signal }) => {
  const { code, stdout, stderr } = await run(['sh', '-c', `'${process.execPath}' ${MAIN} demo | head -n 1`], { signal });
  assert.equal(code, 0);
  assert.match(stdout, /^mitos [^\n]*\n$/);
  assert.equal(stderr, '');
});
