/** The documentation is true as far as a machine can tell: fragments compile, programs run and print what stands below them, links lead somewhere. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { run, runNode } from '../integration/run-program.js';
import { compileBlocks, programOf, readBlocks } from './blocks.js';

const blocks = readBlocks();

test('every ts block in README.md and docs/ compiles with the settings of the project', () => {
  assert.ok(blocks.length > 20);
  assert.equal(compileBlocks(blocks), '');
});

for (const block of blocks.filter(({ isProgram }) => isProgram)) {
  testWithOracle(`the program at ${block.place} runs and prints what stands below it`, async ({ signal }) => {
    const { stdout, stderr, code } = await runNode(programOf(block), { signal });
    assert.equal(code, 0, stderr);
    if (block.output === undefined) return;
    const pattern = block.output.split('…').map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    assert.match(stdout, new RegExp(`^${pattern.join('.*')}$`, 's'));
  });
}

testWithOracle('scripts/check-docs.mjs finds nothing to complain about', async ({ signal }) => {
  const { stdout, stderr, code } = await run([process.execPath, 'scripts/check-docs.mjs'], { signal });
  assert.equal(stderr, '');
  assert.match(stdout, /^Docs: \d+ pages checked\n$/);
  assert.equal(code, 0);
});
