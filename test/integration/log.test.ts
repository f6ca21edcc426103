/** What contexts print arrives as records, in order and with its source, and only text reaches a terminal. */
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import fs from 'node:fs';
import type { LogRecord } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { MODES, PROCESSES, recordOf, startProgram, treeTest } from '../fixtures/programs/harness.js';

function sayAll(): void {
  console.log('a log %d', 1);
  console.info('an info');
  console.warn('a warning');
  console.error('an error\nof two lines');
  console.debug('a debug');
}

function writeRaw(): void {
  process.stdout.write('to stdout\n');
  process.stderr.write('to stderr\n');
  fs.writeSync(1, 'by descriptor\n');
}

function writeOut(): void {
  process.stdout.write('to stdout\n');
  process.stderr.write('to stderr\n');
}

function runPrograms(): void {
  execSync('echo from a program; echo from a program, aside >&2', { stdio: 'inherit' });
}

function writeOdd(): void {
  process.stdout.write('no line break at the end');
  process.stderr.write(Buffer.from([0x1b, 0x5b, 0x33, 0x31, 0x6d, 0xff, 0xfe, 0x00, 0x0d, 0x0a]));
}

function writeLong(): void {
  process.stdout.write(`${'x'.repeat(20_000)}\n`);
  console.log('y'.repeat(20_000));
}

function add(a: number, b: number): number {
  return a + b;
}

const shown = ({ source, level, text }: LogRecord): string => `${source} ${level} ${text}`;

for (const mode of MODES) {
  treeTest(
    `console of a ${mode.name} child arrives in order with its levels, on the context and on the router`,
    {},
    async ({ router, records, signal }) => {
      const child = await mode.open(router);
      const own: LogRecord[] = [];
      child.on('log', (record) => own.push(record));
      const before = Date.now();
      await child.call(sayAll);
      await recordOf(router, records, ({ text }) => text === 'a debug', signal);
      assert.deepEqual(records.map(shown), [
        'console info a log 1',
        'console info an info',
        'console warn a warning',
        'console error an error',
        'console error of two lines',
        'console debug a debug',
      ]);
      assert.deepEqual(own, records);
      for (const { context, time } of records) {
        assert.equal(context, child);
        assert.ok(time >= before && time <= Date.now());
      }
    },
  );

  treeTest(`stdout and stderr of a ${mode.name} child are told apart`, {}, async ({ router, records, signal }) => {
    const child = await mode.open(router);
    await child.call(writeOut);
    await recordOf(router, records, ({ text }) => text === 'to stdout', signal);
    await recordOf(router, records, ({ text }) => text === 'to stderr', signal);
    assert.deepEqual(records.map(shown).sort(), ['stderr warn to stderr', 'stdout info to stdout']);
    assert.ok(records.every(({ context }) => context === child));
  });
}

for (const mode of PROCESSES) {
  treeTest(`What a ${mode.name} child and its programs write to descriptors 1 and 2 arrives`, {}, async ({ router, records, signal }) => {
    const child = await mode.open(router);
    await child.call(writeRaw);
    await child.call(runPrograms);
    for (const text of [
      'stdout info to stdout',
      'stdout info by descriptor',
      'stderr warn to stderr',
      'stdout info from a program',
      'stderr warn from a program, aside',
    ]) {
      await recordOf(router, records, (record) => shown(record) === text, signal);
    }
    assert.equal(records.length, 5);
  });

  treeTest(
    `What a ${mode.name} child wrote last arrives even without a line break, when it is shut down`,
    {},
    async ({ router, records }) => {
      const child = await mode.open(router);
      await child.call(writeOdd);
      await child.shutdown();
      const texts = records.map(({ source, text }) => `${source} ${text}`);
      assert.ok(texts.includes('stdout no line break at the end'), texts.join('\n'));
      assert.ok(texts.includes('stderr \x1b[31m\ufffd\ufffd\0'), 'raw in the record');
    },
  );

  treeTest(`Lines of a ${mode.name} child that are too long come in pieces or cut`, {}, async ({ router, records, signal }) => {
    const child = await mode.open(router);
    await child.call(writeLong);
    await recordOf(router, records, ({ text }) => text.startsWith('y'), signal);
    await recordOf(router, records, ({ text }) => text.startsWith('x') && text.length < 8192, signal);
    assert.ok(records.every(({ text }) => text.length <= 8193));
    assert.equal(
      records.filter(({ source }) => source === 'stdout').reduce((sum, { text }) => sum + text.length, 0),
      20_000,
    );
  });

  treeTest(`What a ${mode.name} grandchild prints is its own, seen from the master`, {}, async ({ router, records, signal }) => {
    const grandchild = await mode.open(mode.open(router));
    await grandchild.call(sayAll);
    await grandchild.call(writeRaw);
    const record = await recordOf(router, records, ({ text }) => text === 'a debug', signal);
    assert.equal(record.context, grandchild);
    const out = await recordOf(router, records, ({ text }) => text === 'by descriptor', signal);
    assert.equal(out.context, grandchild);
    assert.equal(await grandchild.call(add, 1, 2), 3);
  });
}

testWithOracle('Printed records carry the name of their context, one a line, and no byte that steers a terminal', async ({ signal }) => {
  const { stdout, stderr, code } = await startProgram('prints', [], signal).ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  const lines = stderr.split('\n').filter(Boolean).sort();
  assert.deepEqual(lines, [
    '[bad\\u202ename] bell \\x07 and \\x1b[31mred\\x1b[0m',
    '[bad\\u202ename] raw \\x9b\\u2028 \\x7f',
    '[bad\\u202ename] two',
    '[bad\\u202ename] two lines:',
  ]);
});

testWithOracle('Records below the level are not printed, and MITOS_LOG_LEVEL sets it', async ({ signal }) => {
  const { stderr } = await startProgram('prints', [], signal, { MITOS_LOG_LEVEL: 'error' }).ended;
  assert.equal(stderr, '');
});
