import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeContext, type Loose, ZOO } from './zoo.ts';

const require = createRequire(join(ZOO, 'package.json'));

test('Importer evaluates CommonJS as Node does: cycles, conditions, file names, cache', async () => {
  const near = require('./cjs/rules.cjs') as Loose;
  const far = new FakeContext().namespace('cjs/rules.cjs').default;
  for (const key of Object.keys(near)) {
    if (typeof near[key] !== 'function') assert.deepEqual({ [key]: far[key] }, { [key]: near[key] });
  }
  assert.deepEqual(far.lazy('late'), near.lazy('late'));
  assert.equal(far.resolve(), near.resolve());
  assert.equal(far.missing(), near.missing());
  assert.equal(await far.dyn(), await near.dyn());
});

test('Importer lets CommonJS require an ES module, unless that awaits at top level', () => {
  const far = new FakeContext().namespace('cjs/rules.cjs').default;
  assert.equal(far.esm(), 0);
  assert.throws(() => far.tla(), { code: 'ERR_REQUIRE_ASYNC_MODULE' });
});

test('Importer evaluates a CommonJS module again after its key left require.cache', () => {
  const far = new FakeContext().namespace('cjs/rules.cjs').default;
  const first = far.reload();
  assert.equal(far.reload(), first + 1);
});

test('Importer refuses a native addon by name, with advice', () => {
  const far = new FakeContext().namespace('cjs/rules.cjs').default;
  assert.throws(() => far.addon(), { code: 'ERR_MITOS_ADDON', message: /addon\.node.*rules\.cjs.*without native code/ });
});

test('ModuleGraph sends of CommonJS what the master has loaded, and the rest when it is asked for', () => {
  const near = require('legacy') as Loose;
  assert.equal(near.optional, 'MODULE_NOT_FOUND');
  const context = new FakeContext();
  const shout = context.take(near.shout);
  assert.equal(context.queries.length, 0);
  assert.equal(shout('a'), 'A!');
  assert.equal(context.queries.length, 1);
});

test('ModuleGraph names functions of packages by where their exports hold them', () => {
  const near = require('legacy') as Loose;
  const context = new FakeContext();
  assert.match(context.graph.identify(near.nested.deep.fn), /^\d+#default\.nested\.deep\.fn$/);
  assert.equal(context.take(near.nested.deep.fn)(), 'deep');
});

test('ModuleGraph reaches functions that CommonJS modules of the program do not export', () => {
  const near = require('./cjs/rules.cjs') as Loose;
  assert.equal(new FakeContext().take(near.priv())(2), 2);
});

test('Importer takes a text with a hashbang', () => {
  assert.equal(new FakeContext().take((require('./cjs/hashbang.cjs') as Loose).fine)(), 1);
});
