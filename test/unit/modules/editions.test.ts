/** Modules for contexts with an older Node: the texts that these get do what the files do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Importer, type ModuleQuery } from '#src/core/importer.js';
import { EDITION, type ModuleDef } from '#src/core/module-batch.js';
import { ModuleGraph } from '#src/master/module-graph.js';
import { editionFor, levelOf } from '#src/master/syntax-level.js';
import { API_CODE, type Loose, overWire } from './zoo.ts';

const FOLDER = join(process.cwd(), 'test/fixtures/raw/editions');
const EDITIONS = [12, 14, 16, 18];

const load = async (file: string): Promise<Loose> => import(pathToFileURL(join(FOLDER, file)).href);
const graphOf = (): ModuleGraph => new ModuleGraph({ apiModule: { code: API_CODE } });
const entry = (graph: ModuleGraph, file: string): number =>
  graph.addEntry(pathToFileURL(join(FOLDER, file)), pathToFileURL(join(FOLDER, 'x.js')).href) as number;

/** A context that gets everything in one edition, though this Node could do without. */
function contextOf(graph: ModuleGraph): { importer: Importer; queries: ModuleQuery[] } {
  const queries: ModuleQuery[] = [];
  const requestSync = (query: ModuleQuery): { target: Loose; modules: ModuleDef[] } => {
    queries.push(query);
    const { target, modules } = graph.answer(query);
    return { target, modules: overWire(modules) };
  };
  return { importer: new Importer({ core: {}, request: async (query) => requestSync(query), requestSync }), queries };
}

const without = (code: string): string => code.replace(/'[^'\n]*'|"[^"\n]*"|`[^`\n]*`/g, "''");

for (const edition of EDITIONS) {
  test(`What is written for Node ${edition} does what the file does, and functions and classes keep their names`, async () => {
    const graph = graphOf();
    const near = await load('modern.js');
    const { importer, queries } = contextOf(graph);
    const id = entry(graph, 'modern.js');
    importer.define(overWire(graph.closureOf(id, edition)));
    const far = importer.namespace(id) as Loose;
    assert.deepEqual(await far.all(), { ...(await near.all()), counter: 1 });
    assert.deepEqual(queries, []);
  });
}

test('What is written for Node 12 has no syntax that Node 12 has not', () => {
  const graph = graphOf();
  for (const { code, url, level } of graph.closureOf(entry(graph, 'modern.js'), 12)) {
    const plain = without(code);
    assert.doesNotMatch(plain, /\?\.(?!\d)|\?\?|\|\|=|&&=|\bstatic\s*\{|#\w+\s*\(|#\w+ in /, url);
    assert.ok((level ?? 0) <= 12, url);
  }
});

test('Modules without newer syntax have one text for all', () => {
  const graph = graphOf();
  const id = entry(graph, 'old.cjs');
  const [plain] = graph.closureOf(id).slice(-1);
  assert.equal(graph.closureOf(id, 12).at(-1), plain);
  assert.equal(plain?.level, undefined);
});

test('A context has one instance of a module, whichever of its texts it was sent and is asked for', () => {
  const graph = graphOf();
  const id = entry(graph, 'modern.js');
  for (const [first, second] of [
    [12, undefined],
    [undefined, 12],
    [14, 12],
  ] as const) {
    const { importer } = contextOf(graph);
    importer.define(overWire(graph.closureOf(id, first)));
    importer.define(overWire(graph.closureOf(id, second)));
    const modules = [id, 12 * EDITION + id, 14 * EDITION + id].map((one) => importer.namespace(one));
    assert.equal(new Set(modules).size, 1);
    assert.equal(new Set(importer.closure(id).map((def) => def.url)).size, importer.closure(id).length);
  }
});

test('A context asks once for what its Node cannot read, and gets all of it', () => {
  const graph = graphOf();
  const { importer, queries } = contextOf(graph);
  const id = entry(graph, 'modern.js');
  const tooNew = overWire(graph.closureOf(id)).map((def) => (def.level ? { ...def, level: 99 } : def));
  importer.define(tooNew);
  assert.equal(importer.has(id), false);
  const asked: ModuleQuery[] = [];
  const answer = graph.answer.bind(graph);
  graph.answer = (query) => {
    asked.push(query);
    return answer({ id, node: '12.22.12' });
  };
  const pending = importer.namespace(id) as Promise<Loose>;
  return pending.then((far) => {
    assert.deepEqual(asked, [{ id, node: process.versions.node }]);
    assert.equal(far.callback({ x: 4 }), 4);
    assert.equal(importer.has(id), true);
    assert.equal(queries.length, 1);
  });
});

test('What a module of an edition asks for comes in that edition', () => {
  const graph = graphOf();
  const { importer, queries } = contextOf(graph);
  const id = entry(graph, 'modern-common.cjs');
  importer.define(overWire(graph.closureOf(id, 12)));
  const from = importer.closure(id).at(-1)?.id;
  assert.equal(from, 12 * EDITION + id);
  const { target, modules } = graph.answer({ from, specifier: './modern.js', kind: 'import' });
  assert.equal(typeof target, 'number');
  assert.equal(Math.floor((modules.at(-1)?.id ?? 0) / EDITION), 12);
  assert.deepEqual(queries, []);
});

test('A module that waits at top level waits in every edition', async () => {
  const graph = graphOf();
  const { importer } = contextOf(graph);
  const id = entry(graph, 'waits.js');
  importer.define(overWire(graph.closureOf(id, 12)));
  const far = importer.namespace(id);
  assert.ok(far instanceof Promise);
  assert.equal(((await far) as Loose).get(), 1);
});

test('Functions that are no whole module are written for an older Node too, in the scope of theirs', async () => {
  const graph = graphOf();
  const { handlesFunction } = await load('modern.js');
  const ref = graph.identify(handlesFunction());
  const { importer } = contextOf(graph);
  importer.define(overWire(graph.closureOf(ref, 12)));
  const far = importer.resolveRef(ref) as Loose;
  assert.equal(far(3), 3);
  assert.equal(far(null).name, 'fails');
  assert.equal(far.name, 'given');
});

test('What cannot be written for an older Node is refused with file and line, the syntax, and the Node that has it', () => {
  const graph = graphOf();
  const id = entry(graph, 'flags.js');
  const message = /flags\.js:4 for Node 12: it uses the flag "v" of a regular expression, which Node 20 has/;
  assert.throws(() => graph.closureOf(id, 12), { code: 'ERR_MITOS_MODULE_SYNTAX', message, hint: /runtime: 'push'/ });
  const { target } = graph.answer({ id, node: '12.22.12' }) as Loose;
  assert.match(target.message, message);
  assert.match(target.hint, /newer Node/);
  assert.equal(graph.closureOf(id, 20).at(-1), graph.closureOf(id).at(-1));
});

test('Who imports what cannot be written gets that error, and CommonJS can catch it', () => {
  const graph = graphOf();
  const { importer, queries } = contextOf(graph);
  const id = entry(graph, 'needs-flags.js');
  importer.define(overWire(graph.closureOf(id, 12)));
  assert.throws(() => importer.namespace(id), { code: 'ERR_MITOS_MODULE_SYNTAX', message: /flags\.js:4 for Node 12/ });
  const common = entry(graph, 'modern-common.cjs');
  importer.define(overWire(graph.closureOf(common, 12)));
  assert.equal((importer.namespace(common) as Loose).default.tries(), 'ERR_MITOS_MODULE_SYNTAX');
  assert.equal(queries.length, 1);
});

test('Stacks of every edition and of minified code show the line and column of the file', async () => {
  const lines = readFileSync(join(FOLDER, 'modern.js'), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes("'as it must'")) + 1;
  const column = (lines[line - 1] as string).indexOf('new Error') + 1;
  for (const minify of [false, true]) {
    for (const edition of [undefined, ...EDITIONS]) {
      const graph = new ModuleGraph({ apiModule: { code: API_CODE }, minify });
      const { importer } = contextOf(graph);
      const id = entry(graph, 'modern.js');
      importer.define(overWire(graph.closureOf(id, edition)));
      const far = importer.namespace(id) as Loose;
      try {
        far.fails();
        assert.fail('it must throw');
      } catch (error) {
        const [, first] = graph.mapStack((error as Error).stack ?? '').split('\n');
        assert.match(
          first ?? '',
          new RegExp(`at (?:Module\\.|Object\\.)?fails \\(${join(FOLDER, 'modern.js')}:${line}:${column}\\)`),
          `${minify} ${edition}`,
        );
      }
    }
  }
});

test('A function that a context found in its own text of a module is found in the file', async () => {
  const { locateFunction } = await import('#src/api/locate.js');
  for (const minify of [false, true]) {
    for (const edition of [undefined, ...EDITIONS]) {
      const graph = new ModuleGraph({ apiModule: { code: API_CODE }, minify });
      const { importer } = contextOf(graph);
      const id = entry(graph, 'modern.js');
      importer.define(overWire(graph.closureOf(id, edition)));
      const far = importer.namespace(id) as Loose;
      const cases: [Loose, RegExp][] = [
        [far.callback, /#callback$/],
        [far.operators, /#operators$/],
        [far.numbers, /#numbers$/],
        [far.Base.is, /#Base\.is$/],
        [far.handlesFunction(), /#default$/],
      ];
      for (const [fn, ref] of cases) {
        const place = locateFunction(fn);
        const module = Number(/^mitos:(\d+)/.exec(place?.url ?? '')?.[1]);
        assert.match(graph.identifyAt(module, place?.line ?? 0, place?.column ?? 0, String(fn)), ref, `${fn.name} ${minify} ${edition}`);
      }
    }
  }
});

test('The version of Node that a text needs is never told too low', () => {
  const own = Number.parseInt(process.versions.node, 10);
  const cases: [string, number][] = [
    ['let a = b ? .5 : 1; class A { x = 1; static y = 2 } async function* f() {} 1n', 0],
    ['a?.b', 14],
    ['a ?? b', 14],
    ['a ??= b', 16],
    ['a ||= b', 16],
    ['/a/d', 16],
    ['/a/dg.exec(b)', 16],
    [`require('./d'); import('x/v');`, 0],
    ['class A { #m() {} }', 18],
    ['class A { static{} }', 18],
    ['/a/v', 20],
    ['using a = b()', 24],
    ['/(?i:a)/', 24],
    ['/(?<a>x)|(?<a>y)/', 24],
  ];
  for (const [code, level] of cases) assert.equal(levelOf(code), Math.min(level, own), code);
});

test('Every Node gets the newest edition that it understands', () => {
  const cases: [string, number | undefined][] = [
    ['12.22.12', 12],
    ['13.14.0', 12],
    ['17.9.1', 16],
    ['20.1.0', 20],
    ['23.0.0', 22],
    ['24.0.0', undefined],
    ['26.1.0', undefined],
    ['10.0.0', 12],
    ['junk', undefined],
  ];
  for (const [node, edition] of cases) assert.equal(editionFor(node), edition, node);
});
