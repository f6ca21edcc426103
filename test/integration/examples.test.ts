/** Every file in examples/ does what it says. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import { testWithOracle } from '#src/testing/index.js';
import { ROOT, runNode } from './run-program.js';

/** Those whose lines come as they are ready: their order is a matter of time. */
const UNORDERED = ['parallel'];

/** What each prints. */
const EXPECTED: Record<string, RegExp> = {
  'first-script': new RegExp(`^host: ${os.hostname()}\\ndisk: \\d+ % of / in use\\nanother process: true\\n$`),
  parallel: /^a: ok\nb: ok\nbroken: CallError: part 2 is broken\nc: ok\nquick: part 1 is fine\nslow: part 3 is fine\n$/,
  nested: /^inner, level 2\nhelper, level 3\n$/,
  hang: /^ERR_MITOS_TIMEOUT\nThe call in "busy" did not end within 300 ms\nended within a second: true\nreason: ERR_MITOS_SHUTDOWN\n$/,
};

for (const file of readdirSync(`${ROOT}examples`).filter((name) => name.endsWith('.ts'))) {
  const name = file.slice(0, -3);
  testWithOracle(`examples/${file} prints what it says`, async ({ signal }) => {
    const expected = EXPECTED[name];
    assert.ok(expected, `this test knows nothing of examples/${file}`);
    const { stdout, stderr, code } = await runNode(`.build/examples/${name}.js`, { signal });
    assert.equal(stderr, '');
    assert.match(UNORDERED.includes(name) ? sorted(stdout) : stdout, expected);
    assert.equal(code, 0);
  });
}

function sorted(text: string): string {
  return `${text.trimEnd().split('\n').sort().join('\n')}\n`;
}
