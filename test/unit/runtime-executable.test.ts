import assert from 'node:assert/strict';
import { chmod, copyFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { shower } from '#src/cli/runtime.js';
import { Output } from '#src/cli/terminal.js';
import { cutUnloaded, trial } from '#src/master/runtime/executable.js';
import { testWithOracle } from '#src/testing/index.js';
import { withBench } from '../support/runtimes.ts';

testWithOracle('The Node that runs this test runs when it is cut', ({ signal }) =>
  withBench(async ({ runtimes }) => {
    const file = join(runtimes, 'node');
    await copyFile(process.execPath, file);
    await chmod(file, 0o755);
    const { size } = await stat(file);
    const saved = await cutUnloaded(file);
    assert.equal((await stat(file)).size, size - saved);
    assert.equal(await trial(file, process.versions.node, signal), undefined);
    assert.match((await trial(file, '1.2.3', signal)) ?? '', /not v1\.2\.3/);
    assert.equal(await cutUnloaded(file), 0, 'a cut one is left alone');
  }),
);

function shown(isTTY: boolean): string {
  let text = '';
  const show = shower(new Output({ isTTY, columns: 80, rows: 24, write: (more) => (text += more) }, {}));
  show({ phase: 'download', done: 0, total: 0 });
  show({ phase: 'download', done: 2048, total: 0 });
  show({ phase: 'pack', done: 50, total: 100 });
  show({ phase: 'pack', done: 100, total: 100 });
  return text;
}

testWithOracle('mitos runtime fetch shows a bar that grows in its place on a terminal', () => {
  const text = shown(true);
  assert.match(text, /downloading\s*\n\x1b\[1A\r\x1b\[2Kdownloading 2\.0 KiB/);
  assert.match(text, /packing {5}█{12}░{12} 50 B of 100 B\n\x1b\[1A\r\x1b\[2Kpacking {5}█{24} 100 B of 100 B/);
});

testWithOracle('mitos runtime fetch prints a plain line for each phase elsewhere', () => {
  assert.equal(shown(false), 'downloading\npacking\n');
});
