/** What a module of the program is seen to name of its neighbours: that, and no more, contexts may read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedPaths, usesFiles } from '#src/master/resource-uses.js';
import { Source } from '#src/master/source.js';

function named(code: string, name = 'lib.mjs'): string[] {
  return [...namedPaths(new Source(`/app/src/${name}`, code, () => false))].sort();
}

const RULES: [code: string, paths: string[], name?: string][] = [
  // One file beside the module, or above it: that file.
  ["read(new URL('./a.txt', import.meta.url))", ['/app/src/a.txt']],
  ["read(new URL('../b.json', import.meta.url))", ['/app/b.json']],
  ["read(join(import.meta.dirname, 'a.txt'))", ['/app/src/a.txt']],
  ["read(__dirname + '/a.txt')", ['/app/src/a.txt'], 'lib.cjs'],
  ['read(`${__dirname}/a.txt`)', ['/app/src/a.txt'], 'lib.cjs'],
  ["read(path.resolve(__dirname, '..', 'c.txt'))", ['/app/c.txt'], 'lib.cjs'],
  ["read(require.resolve('./a.css'))", ['/app/src/a.css'], 'lib.cjs'],
  ['read(__filename)', ['/app/src'], 'lib.cjs'],
  // A file in a directory of its own: that directory, because templates name each other.
  ["render(join(__dirname, 'views', 'page.html'))", ['/app/src/views'], 'lib.cjs'],
  ["read(new URL('../data/table.json', import.meta.url))", ['/app/data']],
  ["read(join(__dirname, 'views', `${name}.html`))", ['/app/src/views'], 'lib.cjs'],
  ['read(`${__dirname}/views/${name}.html`)', ['/app/src/views'], 'lib.cjs'],
  // Through variables.
  ["const here = dirname(fileURLToPath(import.meta.url)); read(join(here, 'a.txt'));", ['/app/src/a.txt']],
  ["const __dirname = path.dirname(fileURLToPath(import.meta.url)); const views = path.join(__dirname, 'v'); list(views);", ['/app/src/v']],
  ["const here = new URL('.', import.meta.url); read(new URL('a/b.txt', here));", ['/app/src/a']],
  // What cannot be seen: the directory of the module, or what is known of the path.
  ['read(join(__dirname, name))', ['/app/src'], 'lib.cjs'],
  ['find(import.meta.url)', ['/app/src']],
  ['export const root = __dirname;', ['/app/src']],
  ["export const root = new URL('../', import.meta.url);", ['/app']],
  // Nothing.
  ['const require = createRequire(import.meta.url);', []],
  ['if (process.argv[1] === fileURLToPath(import.meta.url)) run();', []],
  ["read(new URL('https://example.org/x', import.meta.url))", []],
  ["read(new URL('http://%zz', import.meta.url)); read(new URL('%2f', import.meta.url))", []],
  ['const unused = __dirname;', [], 'lib.cjs'],
  ['function f(__dirname) { return read(__dirname); }', [], 'lib.cjs'],
  ["new Worker(new URL('./w.js', import.meta.url))", []],
];

test('A module of the program names files, directories, or the directory that it is in', () => {
  for (const [code, paths, name] of RULES) assert.deepEqual(named(code, name), paths, code);
});

test('Whether a module may read its neighbours is seen from its text', () => {
  for (const [code] of RULES.filter(([, paths]) => paths.length)) assert.equal(usesFiles(code), true, code);
  for (const code of ['const require = createRequire(import.meta.url);', 'export const a = 1;', 'read(process.cwd())', 'x.__dirname_'])
    assert.equal(usesFiles(code), false, code);
});

test('A text that cannot be parsed names nothing', () => {
  assert.deepEqual(named('read(__dirname'), []);
});
