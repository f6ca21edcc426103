/** What packages expect of Node, one rule each. The whole of it is in `npm run corpus` and integration/packages. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { cjsForm } from '#src/master/module-form.js';
import { clearResolvers, resolveFrom } from '#src/master/resolve.js';
import { packageOf, Source } from '#src/master/source.js';
import { FakeContext, type Loose } from './zoo.js';

const base = mkdtempSync(join(tmpdir(), 'packages-test-'));
after(() => rmSync(base, { recursive: true, force: true }));

function files(name: string, texts: Record<string, string>): string {
  for (const [path, text] of Object.entries(texts)) {
    const file = join(base, name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return join(base, name);
}

/** A file as a context has it, and what that asked. */
function load(path: string): { ns: Loose; context: FakeContext } {
  const context = new FakeContext();
  const id = context.graph.addEntry(pathToFileURL(path), pathToFileURL(path).href) as number;
  context.send(id);
  return { ns: context.importer.namespace(id), context };
}

function codeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

const PACKAGE = {
  'node_modules/pkg/package.json': '{"name":"pkg","exports":{".":"./index.js"}}',
  'node_modules/pkg/index.js': 'exports.a=1',
};

test('ModuleGraph says of a missing package who asked, from where, and what was searched', () => {
  const folder = files('missing', { ...PACKAGE, 'main.mjs': 'import "./uses.mjs"', 'uses.mjs': 'import "not-there/sub"' });
  assert.throws(() => load(join(folder, 'main.mjs')), {
    code: 'ERR_MITOS_MODULE_NOT_FOUND',
    message: `Cannot find module 'not-there/sub', imported by ${folder}/uses.mjs <- ${folder}/main.mjs: searched ${folder}/node_modules`,
  });
  const alone = files('alone', { 'main.mjs': 'import "not-there"', 'beside.mjs': 'import "./gone.mjs"' });
  assert.throws(() => load(join(alone, 'main.mjs')), { message: new RegExp(`there is no node_modules in ${alone} or above$`) });
  assert.throws(() => load(join(alone, 'beside.mjs')), { message: new RegExp(`: there is no ${alone}/gone\\.mjs$`) });
});

test('ModuleGraph goes by what Node finds where a tsconfig.json cannot be read, and names that only if nothing is found', () => {
  for (const [name, text, reason] of [
    ['gone', '{"extends":"./gone.json"}', /Tsconfig not found .*gone\.json/],
    ['broken', '{"extends":', /Failed to load tsconfig/],
  ] as const) {
    const folder = files(`tsconfig-${name}`, {
      'tsconfig.json': text,
      'main.mjs': 'export { a } from "./beside.mjs"',
      'beside.mjs': 'export const a = 1',
      'alias.mjs': 'import "~/beside.mjs"',
    });
    assert.equal(load(join(folder, 'main.mjs')).ns.a, 1);
    assert.throws(() => load(join(folder, 'alias.mjs')), {
      code: 'ERR_MITOS_MODULE_NOT_FOUND',
      message: new RegExp(`there is no node_modules .*; its tsconfig\\.json cannot be used: ${reason.source}`),
    });
  }
  const folder = files('file-url', { 'main.mjs': 'import "file:///not/there.mjs"' });
  assert.throws(() => load(join(folder, 'main.mjs')), { message: /imported by .*main\.mjs: there is no such file$/ });
});

test('ModuleGraph says which package forbids a path, and Importer gives code the errors of Node', async () => {
  const folder = files('forbidden', {
    ...PACKAGE,
    'node_modules/pkg/inner.js': '',
    'main.mjs': 'import "pkg/inner.js"',
    'lazy.cjs': 'exports.need=n=>require(n);exports.load=n=>import(n);exports.find=n=>require.resolve(n)',
  });
  assert.throws(() => load(join(folder, 'main.mjs')), {
    code: 'ERR_MITOS_MODULE_NOT_FOUND',
    message: /"\.\/inner\.js" is not exported under the conditions .* from package .*forbidden\/node_modules\/pkg /,
  });
  const { ns } = load(join(folder, 'lazy.cjs'));
  const near = createRequire(import.meta.url)(join(folder, 'lazy.cjs')) as Loose;
  for (const module of [ns.default, near]) {
    assert.equal(
      codeOf(() => module.need('pkg/inner.js')),
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
    assert.equal(
      codeOf(() => module.need('nothing')),
      'MODULE_NOT_FOUND',
    );
    assert.equal(
      codeOf(() => module.find('nothing')),
      'MODULE_NOT_FOUND',
    );
    await assert.rejects(module.load('pkg/inner.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
    // What the program's own modules import, and what is not there, is told by a code of ours.
    await assert.rejects(module.load('nothing'), { code: module === near ? 'ERR_MODULE_NOT_FOUND' : 'ERR_MITOS_MODULE_NOT_FOUND' });
    await assert.rejects(module.load('#nothing'), { code: 'ERR_PACKAGE_IMPORT_NOT_DEFINED' });
  }
});

test('ModuleGraph sends what an ES module requires through createRequire, under the conditions of require', async () => {
  const folder = files('create', {
    'node_modules/dual/package.json': '{"name":"dual","exports":{"import":"./e.mjs","require":"./c.cjs"}}',
    'node_modules/dual/e.mjs': 'export const kind = "import"',
    'node_modules/dual/c.cjs': 'exports.kind = "require"',
    'main.mjs': `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
export const kind = require('dual').kind;
export const found = require.resolve('dual').slice(-5);
export const meta = import.meta.resolve('dual').slice(-5);
export const builtins = [import.meta.resolve('fs'), require.resolve('fs')];`,
  });
  const near = (await import(pathToFileURL(join(folder, 'main.mjs')).href)) as Loose;
  const { ns, context } = load(join(folder, 'main.mjs'));
  assert.deepEqual({ ...ns }, { ...near });
  assert.equal(ns.kind, 'require');
  assert.deepEqual(context.queries, [], 'nothing is asked');
});

test('ModuleGraph sends the place of a module that is only resolved, and not the module', () => {
  const folder = files('resolves', { 'main.cjs': 'exports.at = require.resolve("./worker.cjs")', 'worker.cjs': 'exports.never = 1' });
  const { ns, context } = load(join(folder, 'main.cjs'));
  assert.equal(ns.default.at, join(folder, 'worker.cjs'));
  assert.deepEqual(context.queries, []);
  assert.equal(context.importer.idOf(join(folder, 'worker.cjs')), undefined);
});

test('Importer gives the module "module" as the class it is', () => {
  const folder = files('class', {
    'main.cjs': `const Module = require('module');
exports.own = module instanceof Module;
exports.made = new Module('x').id;
exports.made2 = class extends Module {}.name === 'made2';
Module.patched = 1;
exports.patched = require('node:module').patched;
exports.members = [typeof Module._load, typeof Module.wrap, typeof Module.createRequire, module.constructor.name];
delete Module.patched;`,
  });
  const near = createRequire(import.meta.url)(join(folder, 'main.cjs')) as Loose;
  assert.deepEqual({ ...load(join(folder, 'main.cjs')).ns.default }, { ...near });
});

test('Importer tells a CommonJS module who required it, and where packages are looked for', () => {
  const folder = files('parents', {
    'main.cjs':
      'exports.child=require("./child.cjs");exports.children=module.children.map(one=>one.id);exports.paths=module.paths;exports.ext=Object.keys(require.extensions)',
    'child.cjs': 'module.exports=[module.parent.id,require.resolve.paths("x"),require.resolve.paths("./x")]',
  });
  const near = createRequire(import.meta.url)(join(folder, 'main.cjs')) as Loose;
  assert.deepEqual(load(join(folder, 'main.cjs')).ns.default, near);
});

test('ModuleGraph serves a file without extension that the master itself has loaded, to nobody who asks for one', () => {
  const folder = files('bare', {
    'main.cjs': 'exports.a=require("./plain");exports.ask=()=>require("./other")',
    plain: 'module.exports=7',
    other: 'module.exports=8',
  });
  createRequire(import.meta.url)(join(folder, 'main.cjs'));
  const { ns } = load(join(folder, 'main.cjs'));
  assert.equal(ns.default.a, 7);
  assert.equal(
    codeOf(() => ns.default.ask()),
    'ERR_MITOS_MODULE_DENIED',
  );
});

test('Transform finds import() in the CommonJS of packages without making a tree', () => {
  const path = join(files('tree', { 'node_modules/p/a.js': '' }), 'node_modules/p/a.js');
  const source = new Source(path, '// import(a)\nexports.a = () => [import("x"), "import(y)", import /* z */ (b)];', () => false);
  Object.defineProperty(source, 'tree', { get: () => assert.fail('a tree was made') });
  assert.equal(cjsForm(source).patched.code, '// import(a)\nexports.a = () => [$mitos.d("x"), "import(y)", $mitos.d /* z */ (b)];');
});

test('Transform shows import() that transpilers hide in a text', async () => {
  const folder = files('hidden', {
    'other.mjs': 'export const a = 1',
    'main.cjs': `const one = new Function('specifier', 'return import(specifier)');
const two = Function("return filePath => import(filePath)")();
const three = new Function('s', "return import(s);");
const url = require('url').pathToFileURL(__dirname + '/other.mjs').href;
exports.all = () => Promise.all([one, two, three].map((load) => load(url).then((ns) => ns.a)));`,
  });
  const { ns } = load(join(folder, 'main.cjs'));
  assert.deepEqual(await ns.default.all(), [1, 1, 1]);
});

test('A package.json is read once for all directories of its package; a file outside of any package is of its own directory', () => {
  const folder = files('scopes', {
    'node_modules/one/package.json': '{"type":"module"}',
    'node_modules/one/deep/package.json': '{"type":"commonjs"}',
    'node_modules/package.json': '{"type":"module"}',
  });
  const one = join(folder, 'node_modules/one');
  assert.deepEqual(packageOf(join(one, 'a/b/x.js')), { root: one, type: 'module' });
  rmSync(join(one, 'package.json'));
  for (const name of ['x.js', 'a/x.js', 'a/b/c/x.js', 'other/x.js'])
    assert.deepEqual(packageOf(join(one, name)), { root: one, type: 'module' }, name);
  assert.deepEqual(packageOf(join(one, 'deep/er/x.js')), { root: join(one, 'deep'), type: 'commonjs' });
  const none = join(folder, 'node_modules/two/lib');
  assert.deepEqual(packageOf(join(none, 'x.js')), { root: none, type: undefined });
  assert.deepEqual(packageOf(join(none, 'sub/x.js')), { root: join(none, 'sub'), type: undefined });
});

test('What installed packages import is looked up again when files have been changed', () => {
  const folder = files('late', { 'node_modules/pkg/lib/a.js': '', 'node_modules/pkg/lib/b.js': '' });
  const lib = join(folder, 'node_modules/pkg/lib');
  const fromBoth = (): unknown[] => ['a.js', 'b.js'].map((name) => resolveFrom(join(lib, name), './later.js', 'require'));
  for (const one of fromBoth()) assert.ok('missing' in (one as object));
  files('late', { 'node_modules/pkg/lib/later.js': '' });
  clearResolvers();
  assert.deepEqual(fromBoth(), [{ path: join(lib, 'later.js') }, { path: join(lib, 'later.js') }]);
  assert.ok('missing' in resolveFrom(join(folder, 'node_modules/pkg/x.js'), './later.js', 'require'), 'in another directory');
});
