import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeContext, type Loose, zoo } from './zoo.ts';

test('Importer gives live bindings, and writes to a namespace fail', async () => {
  const far = new FakeContext().namespace('esm/origin.mjs');
  assert.equal(far.shared, 0);
  far.bump();
  assert.equal(far.shared, 1);
  assert.throws(() => (far.shared = 2), TypeError);
  assert.throws(() => (far.other = 2), TypeError);
  assert.equal(Object.prototype.toString.call(far), '[object Module]');
});

test('Importer evaluates a cycle as Node does: hoisted functions work, other bindings are not initialised yet', async () => {
  const near = await zoo('esm/a.mjs');
  const far = new FakeContext().namespace('esm/a.mjs');
  const nearB = await zoo('esm/b.mjs');
  assert.equal(far.seen, near.seen);
  assert.equal(far.b, near.b);
  assert.equal(nearB.tdz, 'ReferenceError');
  const entered = new FakeContext();
  entered.namespace('esm/a.mjs');
  assert.equal(entered.namespace('esm/b.mjs').tdz, 'ReferenceError');
  assert.equal(entered.namespace('esm/b.mjs').early, nearB.early);
});

test('Importer leaves out names that two export stars give differently, and keeps the same binding reached on two ways', async () => {
  const near = await zoo('esm/stars.mjs');
  const far = new FakeContext().namespace('esm/stars.mjs');
  assert.deepEqual(Object.keys(far), Object.keys(near));
  assert.equal('both' in far, false);
  assert.equal(far.own, 'own');
  assert.equal(far.one, 'd1');
  assert.deepEqual(Object.keys(far.space), Object.keys(near.space));
});

for (const file of ['defaults', 'default-class', 'default-arrow', 'default-live', 'meta']) {
  test(`Importer gives ${file}.mjs the same exports and names as Node`, async () => {
    const near = await zoo(`esm/${file}.mjs`);
    const far = new FakeContext().namespace(`esm/${file}.mjs`);
    assert.deepEqual(Object.keys(far), Object.keys(near));
    for (const key of Object.keys(near)) {
      assert.equal(far[key]?.name, near[key]?.name);
      if (typeof near[key] !== 'function') assert.equal(far[key], near[key]);
    }
    if (file === 'default-live') {
      far.set();
      assert.equal(far.default, 2);
    }
    if (file === 'meta') assert.deepEqual(far.resolved(), near.resolved());
  });
}

test('Importer runs modules with top-level await in the order that Node runs them', async () => {
  const near = await zoo('esm/tla.mjs');
  const pending = new FakeContext().namespace('esm/tla.mjs');
  assert.ok(pending instanceof Promise);
  assert.deepEqual((await pending).done, near.done);
});

test('Importer becomes synchronous again once a graph with top-level await is evaluated', async () => {
  const context = new FakeContext();
  await context.namespace('esm/tla.mjs');
  assert.equal(context.namespace('esm/tla.mjs') instanceof Promise, false);
});

test('Importer throws the same error each time for a module that throws when it is evaluated', () => {
  const context = new FakeContext();
  const errors = [0, 1].map(() => {
    try {
      context.namespace('esm/throws.mjs');
    } catch (error) {
      return error as Loose;
    }
  });
  assert.equal(errors[0].message, 'thrown at import');
  assert.equal(errors[0], errors[1]);
});

test('Importer fails at the import of a module that cannot be found, naming who imports it', () => {
  assert.throws(() => new FakeContext().namespace('esm/missing.mjs'), {
    code: 'ERR_MITOS_MODULE_NOT_FOUND',
    message: /not-there\.mjs.*missing\.mjs/,
  });
});

test('ModuleGraph refuses a syntax error on the master, with place and code frame', () => {
  assert.throws(() => new FakeContext().namespace('esm/syntax.mjs'), {
    code: 'ERR_MITOS_MODULE_SYNTAX',
    message: /syntax\.mjs:1:18[^]*export const x/,
  });
});

test('Importer gives imports of CommonJS, JSON, packages, self references and builtins what Node gives', async () => {
  const near = await zoo('esm/imports.mjs');
  const context = new FakeContext();
  const far = context.namespace('esm/imports.mjs');
  assert.deepEqual(far.all(), near.all());
  assert.deepEqual(await far.lazily('default-arrow').then((fn: Loose) => fn(1)), 1);
  assert.equal(await far.literally(), 'internal');
  await assert.rejects(far.lazily('nothing-here'), { code: 'ERR_MITOS_MODULE_NOT_FOUND' });
});

test('Transform keeps statements apart and calls imported functions without "this"', async () => {
  const near = await zoo('esm/asi.mjs');
  const far = new FakeContext().namespace('esm/asi.mjs');
  assert.deepEqual(far.call(), near.call());
  assert.deepEqual(far.out, near.out);
  assert.deepEqual(Object.keys(far.o), Object.keys(near.o));
});

test('Importer gives a module that imports mitos the api module that the context was sent', () => {
  const context = new FakeContext();
  assert.deepEqual(context.namespace('esm/uses-api.mjs').who(), ['core', true]);
  assert.equal(context.queries.length, 0);
});

test('Importer hands on definitions as they came, whatever was asked for since', async () => {
  const context = new FakeContext();
  const far = context.namespace('esm/imports.mjs');
  const id = context.importer.idOf(far.all && (context.importer.closure(1).at(-1)?.url as string)) as number;
  const before = JSON.stringify(context.importer.closure(id));
  await far.lazily('origin');
  assert.equal(JSON.stringify(context.importer.closure(id)), before);
});
