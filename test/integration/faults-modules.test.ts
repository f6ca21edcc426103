/** Modules that cannot work: a typed error that names them, and the context lives on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { answer as answerOfExiter } from '../fixtures/programs/bad/exits-at-import.js';
import { answer as answerOfThrower } from '../fixtures/programs/bad/throws-at-import.js';
import { MODES, rejectsWith, treeTest } from '../fixtures/programs/harness.js';

const FAULTS = pathToFileURL(join(process.cwd(), 'test/fixtures/raw/faults/test.mjs')).href;

interface Asked {
  ask(name?: string): Promise<unknown>;
  answer(): number;
  even(n: number): boolean;
}

function add(a: number, b: number): number {
  return a + b;
}

for (const mode of MODES) {
  treeTest(`A module with a syntax error is refused with its file and line, for a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const direct = await rejectsWith(
      child.import<Asked>('./syntax.mjs', { from: FAULTS }).then((module) => module.answer()),
      'ERR_MITOS_MODULE_SYNTAX',
    );
    assert.match(direct.message, /syntax\.mjs:2/);
    const deep = await rejectsWith(
      child.import<Asked>('./deep-syntax.mjs', { from: FAULTS }).then((module) => module.ask()),
      'ERR_MITOS_MODULE_SYNTAX',
    );
    assert.match(deep.message, /syntax\.mjs:2/);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A missing dependency is reported with the module that wants it, for a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    await rejectsWith(child.import('./nowhere.mjs', { from: FAULTS }), 'ERR_MITOS_MODULE_NOT_FOUND');
    const error = await rejectsWith(
      child.import<Asked>('./missing.mjs', { from: FAULTS }).then((module) => module.ask()),
      'ERR_MITOS_MODULE_NOT_FOUND',
    );
    assert.match(error.message, /not-installed-anywhere/);
    assert.match(error.message, /uses-missing\.mjs/);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A module that throws at import fails the calls that need it, in a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const module = await child.import<Asked>('./throws.mjs', { from: FAULTS });
    for (let n = 0; n < 2; n++) {
      const error = await rejectsWith(module.ask(), 'ERR_MITOS_CALL');
      assert.equal(error.message, 'thrown at import');
      assert.ok(error.cause instanceof RangeError);
      assert.match(error.stack ?? '', /throws\.mjs:5/);
    }
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`Modules in a cycle work in a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const { even } = await child.import<Asked>('./cycle-a.mjs', { from: FAULTS });
    assert.equal(await even(10), true);
    assert.equal(await even(7), false);
  });

  treeTest(`What is not a module is not served to a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const { ask } = await child.import<Asked>('./asks-secret.mjs', { from: FAULTS });
    for (const name of [
      './secret.pem',
      '../../../../package-lock.json',
      '/etc/passwd',
      'file:///etc/passwd',
      './.env',
      '../../../../.git/config',
    ]) {
      const error = await rejectsWith(ask(name), 'ERR_MITOS_CALL', 'ERR_MITOS_MODULE_NOT_FOUND', 'ERR_MITOS_MODULE_DENIED');
      assert.doesNotMatch(JSON.stringify(error) + error.message, /root:|not a module\n/);
    }
    assert.equal(await child.call(add, 1, 2), 3);
  });
}

for (const mode of MODES.filter(({ name }) => name !== 'worker')) {
  treeTest(`A module of the program that throws only there fails its calls in a ${mode.name} child`, {}, async ({ router }) => {
    assert.equal(answerOfThrower(), 42);
    const child = await mode.open(router);
    const error = await rejectsWith(child.call(answerOfThrower), 'ERR_MITOS_CALL');
    assert.match(error.stack ?? '', /throws-at-import\.[jt]s/);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`process.exit() at import ends the call with the exit code of a ${mode.name} child`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const error = await rejectsWith(child.call(answerOfExiter), 'ERR_MITOS_CHILD_EXIT');
    assert.equal(error['exitCode'], 11);
  });
}
