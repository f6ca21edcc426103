/** What travels without comments and white space. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Importer } from '#src/core/importer.js';
import type { ModuleDef } from '#src/core/module-batch.js';
import { Router } from '#src/index.js';
import { minifyOptions } from '#src/master/minify.js';
import { ModuleGraph, type ModuleGraphOptions } from '#src/master/module-graph.js';
import { API_CODE, type Loose, overWire } from './zoo.ts';

const FOLDER = join(process.cwd(), 'test/fixtures/raw/editions');
const OWN = join(FOLDER, 'modern.js');
const PACKAGE = join(FOLDER, 'node_modules/modernly/index.js');
const COMMON = join(FOLDER, 'node_modules/plainly/index.js');

function served(options: ModuleGraphOptions): { graph: ModuleGraph; far: Loose; codeOf: (path: string) => string } {
  const graph = new ModuleGraph({ apiModule: { code: API_CODE }, ...options });
  const id = graph.addEntry(pathToFileURL(OWN), pathToFileURL(join(FOLDER, 'x.js')).href) as number;
  const defs = graph.closureOf(id);
  const none = (): never => assert.fail('nothing is asked');
  const importer = new Importer({ core: {}, request: none, requestSync: none });
  importer.define(overWire(defs));
  const codeOf = (path: string): string => (defs.find(({ url }) => url === pathToFileURL(path).href) as ModuleDef).code;
  return { graph, far: importer.namespace(id), codeOf };
}

test('Installed packages are sent without comments and white space, own files as they are', () => {
  const { codeOf } = served({});
  for (const path of [PACKAGE, COMMON]) {
    assert.doesNotMatch(codeOf(path), /\/\/|\/\*|\n\s/, path);
    assert.ok(codeOf(path).length < readFileSync(path, 'utf8').length * 0.9, path);
  }
  assert.match(codeOf(OWN), /\/\*\* Syntax that Node 12 has not/);
});

test('The option says what is minified: all, nothing, the own files or the packages', () => {
  const isSmall = (code: string): boolean => !/\/\*\*?/.test(code);
  const cases: [ModuleGraphOptions['minify'], own: boolean, installed: boolean][] = [
    [true, true, true],
    [false, false, false],
    [{ own: true }, true, true],
    [{ own: true, dependencies: false }, true, false],
    [{}, false, true],
  ];
  for (const [minify, own, installed] of cases) {
    const { codeOf } = served(minify === undefined ? {} : { minify });
    assert.equal(isSmall(codeOf(OWN)), own, JSON.stringify(minify));
    assert.equal(isSmall(codeOf(PACKAGE)), installed, JSON.stringify(minify));
  }
});

test('Minified modules do what the files do, and all names stay', async () => {
  const near = (await import(pathToFileURL(OWN).href)) as Loose;
  for (const minify of [true, false]) {
    const { far } = served({ minify });
    assert.deepEqual({ ...(await far.all()), counter: 0 }, { ...(await near.all()), counter: 0 });
    assert.equal(far.operators.length, 1);
  }
});

test('The text of own functions stays what was written', async () => {
  const near = (await import(pathToFileURL(OWN).href)) as Loose;
  assert.equal(String(served({}).far.inner), String(near.inner));
});

test('A stack out of a minified package shows its file, line and column', () => {
  const { graph, far } = served({});
  const line =
    readFileSync(PACKAGE, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('new Error')) + 1;
  const { wrap } = far;
  assert.equal(wrap, undefined);
  const id = graph.addEntry('modernly', pathToFileURL(OWN).href) as number;
  const none = (): never => assert.fail('nothing is asked');
  const importer = new Importer({ core: {}, request: none, requestSync: none });
  importer.define(overWire(graph.closureOf(id)));
  assert.throws(
    () => (importer.namespace(id) as Loose).breaks({ a: 1 }),
    (error: Error) => {
      assert.match(graph.mapStack(error.stack ?? '').split('\n')[1] ?? '', new RegExp(`breaks \\(${PACKAGE}:${line}:9\\)`));
      return true;
    },
  );
});

test('What the option minify does not know is refused', () => {
  for (const wrong of [null, 'yes', 1, { own: 'yes' }, { packages: true }]) {
    assert.throws(() => minifyOptions(wrong as never), TypeError, JSON.stringify(wrong));
    assert.throws(() => new Router({ minify: wrong as never }), TypeError);
  }
});
