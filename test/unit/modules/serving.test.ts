/** What a child may ask for (threats T14): it names modules as seen from one it was served, and gets source files of the program, nothing else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ModuleQuery } from '#src/core/importer.js';
import { ModuleGraph } from '#src/master/module-graph.js';
import { type Loose, overWire } from './zoo.ts';

const CANARY = 'canary_7f3a';
const base = mkdtempSync(join(tmpdir(), 'serving-test-'));
const program = join(base, 'program');
after(() => rmSync(base, { recursive: true, force: true }));

function file(path: string, text: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

file(join(program, 'package.json'), '{"type":"module","name":"program"}');
file(join(program, 'src/lib.js'), 'export const ok = 1;');
file(join(program, 'src/other.js'), 'export const other = 2;');
file(join(program, 'node_modules/pkg/package.json'), '{"name":"pkg","main":"index.js"}');
file(join(program, 'node_modules/pkg/index.js'), 'module.exports = 1');
file(join(base, 'outside.js'), `export const secret = "${CANARY}";`);
file(join(base, 'sibling/x.js'), `export const secret = "${CANARY}";`);
file(join(base, 'program-evil/x.js'), `export const secret = "${CANARY}";`);
for (const name of [
  '.env',
  '.env.js',
  '.npmrc',
  '.git/config.js',
  'id_rsa',
  'key.pem',
  'notes.txt',
  'data.node',
  'x.wasm',
  '.hidden/x.js',
]) {
  file(join(program, 'src', name), `export const secret = "${CANARY}";`);
}
symlinkSync(join(base, 'outside.js'), join(program, 'src/link.js'));
symlinkSync(join(base, 'sibling'), join(program, 'src/linked'));
execFileSync('mkfifo', [join(program, 'src/fifo.js')]);
mkdirSync(join(program, 'src/folder.js'));
symlinkSync('/dev/zero', join(program, 'src/zero.js'));

const graph = new ModuleGraph();
const from = graph.addEntry('./lib.js', pathToFileURL(join(program, 'src/start.js')).href.replace('start.js', 'lib.js')) as number;

function ask(specifier: string, kind: 'import' | 'require' | 'resolve' = 'import'): Loose {
  const { target, modules } = graph.answer({ from, specifier, kind });
  assert.equal(JSON.stringify(overWire(modules)).includes(CANARY), false, specifier);
  return target;
}

test('ModuleGraph serves source files of the program and of packages that it reaches', () => {
  assert.equal(typeof ask('./other.js'), 'number');
  assert.equal(typeof ask('pkg'), 'number');
  assert.equal(typeof ask('pkg/package.json', 'require'), 'number');
  assert.equal(typeof ask(pathToFileURL(join(program, 'src/other.js')).href), 'number');
  assert.equal(ask('node:fs'), 'node:fs');
});

const outside = [
  '../../outside.js',
  '../../sibling/x.js',
  '../../program-evil/x.js',
  './link.js',
  './linked/x.js',
  join(base, 'outside.js'),
  pathToFileURL(join(base, 'outside.js')).href,
];
const hidden = [
  './.env',
  './.env.js',
  './.npmrc',
  './.git/config.js',
  './.hidden/x.js',
  './id_rsa',
  './key.pem',
  './notes.txt',
  './x.wasm',
  './fifo.js',
  './folder.js',
  './zero.js',
];
const spelled = [
  '/etc/passwd',
  '../../../../../../etc/passwd',
  './%2e%2e/%2e%2e/outside.js',
  './..%2f..%2foutside.js',
  '.\\..\\..\\outside.js',
  './\0other.js',
  'pkg/../../../../outside.js',
  'pkg/./../../../outside.js',
  'file://host/etc/passwd',
  'file:///etc/passwd',
  'data:text/javascript,1',
  'http://localhost/x.js',
  '',
  '.',
  '..',
  './',
  '../',
  '//etc/passwd',
  '/proc/self/environ',
  '/dev/stdin',
  './lib.js/../../../outside.js',
  'pkg/.env',
  '#x',
  '@',
  '@/x',
  'a'.repeat(5000),
  '__proto__',
  'constructor',
  './other.js\n',
  '~/.ssh/id_rsa',
  '\\\\host\\share\\x.js',
  'mitos:core',
  'mitos:helpers',
];
for (const kind of ['import', 'require', 'resolve'] as const) {
  test(`ModuleGraph refuses to ${kind} what lies outside of the program, is hidden or is not a source file`, () => {
    for (const specifier of [...outside, ...hidden, ...spelled]) {
      const target = ask(specifier, kind);
      const isPlain = typeof target === 'object' || ['.', './', '../', '..', 'constructor'].includes(specifier);
      assert.ok(isPlain, `${JSON.stringify(specifier.slice(0, 80))} gave ${String(target)}`);
    }
  });
}

test('ModuleGraph serves no file by a hard link that is no source file, and never throws at junk', () => {
  linkSync(join(program, 'src/key.pem'), join(program, 'src/hard.txt'));
  assert.equal(typeof ask('./hard.txt'), 'object');
  for (const query of [
    { id: -1 },
    { id: 1e9 },
    { id: '1' },
    { id: '__proto__' },
    {},
    { from: 'x', specifier: 1, kind: 'y' },
    { from, specifier: {}, kind: 'import' },
    { from: -1, specifier: 'fs', kind: 'import' },
  ]) {
    assert.equal(typeof graph.answer(query as unknown as ModuleQuery).target, 'object');
  }
});
