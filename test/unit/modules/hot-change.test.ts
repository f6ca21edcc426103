/** Files that change while the program runs: what a call is made of is what the disk, or the program, had at one moment. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { MitosError } from '#src/core/errors.js';
import { EDITION } from '#src/core/module-batch.js';
import { ModuleGraph } from '#src/master/module-graph.js';
import { createRandom } from '#src/testing/index.js';
import { FakeContext, type Loose } from './zoo.ts';

const base = mkdtempSync(join(tmpdir(), 'hot-'));
after(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

/** A folder with files. */
class Folder {
  readonly path: string = join(base, `p${count++}`);

  constructor(files: Record<string, string> = {}) {
    mkdirSync(this.path);
    this.write('package.json', '{"type":"module"}');
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  /** As editors write: the file is there as a whole or not at all. */
  write(name: string, text: string): void {
    writeFileSync(join(this.path, `${name}~`), text);
    renameSync(join(this.path, `${name}~`), join(this.path, name));
  }

  url(name: string): string {
    return pathToFileURL(join(this.path, name)).href;
  }

  load(name: string): Promise<Loose> {
    return import(this.url(name));
  }
}

/** A program and a context that calls it. */
class Caller {
  readonly graph: ModuleGraph;
  readonly context: FakeContext;
  readonly #refs = new Map<string, string>();

  constructor(options: { reload?: boolean } = {}) {
    this.graph = new ModuleGraph(options);
    this.context = new FakeContext({ graph: this.graph });
  }

  /** Calls an export of a module that is imported by name. */
  async call(url: string, name: string, ...args: unknown[]): Promise<Loose> {
    // The next turn of the loop: files are looked at once in each.
    await Promise.resolve();
    let ref = this.#refs.get(url);
    if (ref === undefined) this.#refs.set(url, (ref = String(this.graph.addEntry(url, url))));
    ref = this.graph.refresh(`${ref}#${name}`);
    this.context.send(ref);
    return ((await this.context.importer.resolveRef(ref)) as (...args: unknown[]) => unknown)(...args);
  }

  /** Calls a function of this process. */
  async callFunction(fn: (...args: never[]) => unknown, ...args: unknown[]): Promise<Loose> {
    await Promise.resolve();
    return ((await this.context.take(fn)) as (...args: unknown[]) => unknown)(...args);
  }
}

async function failure(act: () => Promise<unknown>): Promise<MitosError> {
  try {
    await act();
  } catch (error) {
    assert.ok(MitosError.is(error), String((error as Error).stack));
    return error;
  }
  return assert.fail('It did not fail');
}

const CHAIN = {
  'a.mjs': "import { b } from './b.mjs'; export const a = () => `a1 ${b()}`;",
  'b.mjs': "import { c } from './c.cjs'; import data from './d.json' with { type: 'json' }; export const b = () => `b1 ${c()} ${data.d}`;",
  'c.cjs': "const { e } = require('./e.cjs'); exports.c = () => `c1 ${e}`;",
  'e.cjs': "exports.e = 'e1';",
  'd.json': '{"d":"d1"}',
  'ts.ts': "import { b } from './b.mjs'; type T = string; export function ts(): T { return `t1 ${b()}`; }",
};

test('with reload, a changed file is sent anew with all that need it, and nothing else is', async () => {
  const folder = new Folder(CHAIN);
  const caller = new Caller({ reload: true });
  const [a, ts] = [folder.url('a.mjs'), folder.url('ts.ts')];
  const sent: string[] = [];
  caller.graph.onModule = ({ url }) => sent.push(url.slice(url.lastIndexOf('/') + 1));
  assert.equal(await caller.call(a, 'a'), 'a1 b1 c1 e1 d1');
  assert.equal(await caller.call(ts, 'ts'), 't1 b1 c1 e1 d1');
  sent.length = 0;
  assert.equal(await caller.call(a, 'a'), 'a1 b1 c1 e1 d1');
  assert.deepEqual(sent, [], 'nothing has been changed');
  folder.write('e.cjs', "exports.e = 'e2';");
  assert.equal(await caller.call(a, 'a'), 'a1 b1 c1 e2 d1');
  assert.deepEqual(new Set(sent), new Set(['a.mjs', 'b.mjs', 'c.cjs', 'e.cjs']));
  assert.equal(await caller.call(ts, 'ts'), 't1 b1 c1 e2 d1');
  folder.write('d.json', '{"d":"d2"}');
  folder.write('ts.ts', 'import { b } from "./b.mjs"; enum E { x } export function ts() { return `t2 ${b()} ${E.x}`; }');
  assert.equal(await caller.call(ts, 'ts'), 't2 b1 c1 e2 d2 0');
  assert.equal(await caller.call(a, 'a'), 'a1 b1 c1 e2 d2');
});

test('without reload, what was sent first stays as it is, whatever is changed', async () => {
  const folder = new Folder(CHAIN);
  const caller = new Caller();
  assert.equal(await caller.call(folder.url('a.mjs'), 'a'), 'a1 b1 c1 e1 d1');
  for (const name of ['a.mjs', 'b.mjs', 'c.cjs', 'e.cjs', 'd.json'])
    folder.write(name, name === 'd.json' ? '{"d":"x"}' : 'export const x = 1;');
  assert.equal(await caller.call(folder.url('a.mjs'), 'a'), 'a1 b1 c1 e1 d1');
  const fresh = new FakeContext({ graph: caller.graph });
  const id = caller.graph.addEntry(folder.url('a.mjs'), folder.url('a.mjs'));
  fresh.send(id);
  assert.equal((fresh.importer.namespace(id as number) as Loose).a(), 'a1 b1 c1 e1 d1');
});

test('without reload, what the program has loaded is sent as it was, also when it is changed before it is sent', async () => {
  const folder = new Folder(CHAIN);
  const { a } = await folder.load('a.mjs');
  for (const name of ['b.mjs', 'c.cjs', 'e.cjs']) folder.write(name, 'export const x = 1;');
  folder.write('d.json', '{"d":"x"}');
  folder.write('a.mjs', 'export const x = 1;');
  assert.equal(await new Caller().callFunction(a), 'a1 b1 c1 e1 d1');
});

test('without reload, a file that is newer than others of the same call, which are sent as they were, is refused by name', async () => {
  const folder = new Folder({ 'lib.mjs': "export const v = '1';", 'main.mjs': "import { v } from './lib.mjs'; export const f = () => v;" });
  const caller = new Caller();
  assert.equal(await caller.call(folder.url('main.mjs'), 'f'), '1');
  folder.write('lib.mjs', "export const v = '2'; export const w = 2;");
  await new Promise((resolve) => setTimeout(resolve, 50));
  folder.write('plugin.mjs', "import { v } from './lib.mjs'; export const f = () => `plugin ${v}`;");
  const error = await failure(() => caller.call(folder.url('plugin.mjs'), 'f'));
  assert.equal(error.code, 'ERR_MITOS_MODULE_CHANGED');
  assert.match(error.message, /plugin\.mjs together with .*lib\.mjs/);
  assert.match(String(error.hint), /reload: true/);
  assert.equal(await caller.call(folder.url('main.mjs'), 'f'), '1');
});

test('with reload, functions of the program are found again by their names, in declarations, constants, classes and defaults', async () => {
  const text = (v: number): string =>
    `// ${'x'.repeat(v)}\nexport function f() { return ${v}; }\nconst g = () => ${v};\nexport class K { static s() { return ${v}; } }\nexport default async () => ${v};\nexport const all = { g };\nexport const inline = [(n) => n * 10];`;
  const folder = new Folder({ 'm.mjs': text(1) });
  const m = await folder.load('m.mjs');
  const caller = new Caller({ reload: true });
  const results = (): Promise<unknown[]> => Promise.all([m.f, m.all.g, m.K.s, m.default].map((fn) => caller.callFunction(fn)));
  assert.deepEqual(await results(), [1, 1, 1, 1]);
  assert.equal(await caller.callFunction(m.inline[0], 4), 40);
  folder.write('m.mjs', text(2));
  assert.deepEqual(await results(), [2, 2, 2, 2]);
  assert.equal(await caller.callFunction(m.inline[0], 4), 40, 'its own text has not been changed');
  folder.write('m.mjs', text(3).replace('function f', 'function h').replace('n * 10', 'n * 11'));
  for (const fn of [m.f, m.inline[0]]) {
    const error = await failure(() => caller.callFunction(fn));
    assert.equal(error.code, 'ERR_MITOS_NOT_CALLABLE');
    assert.match(error.message, /no longer found in .*m\.mjs/);
  }
  assert.equal(await caller.callFunction(m.K.s), 3);
  folder.write('m.mjs', text(4));
  assert.deepEqual(await results(), [4, 4, 4, 4]);
});

test('with reload, a fault is told until it is mended: in syntax, a deleted file, a file that is not there yet', async () => {
  const folder = new Folder({ ...CHAIN, 'up.cjs': "exports.f = () => require('./c.cjs').c();" });
  const caller = new Caller({ reload: true });
  const a = (): Promise<string> => caller.call(folder.url('a.mjs'), 'a');
  assert.equal(await a(), 'a1 b1 c1 e1 d1');
  for (const [name, was] of Object.entries(CHAIN).slice(0, 2)) {
    folder.write(name, 'export const = ;');
    for (const _ of [1, 2]) assert.equal((await failure(a)).code, 'ERR_MITOS_MODULE_SYNTAX', name);
    folder.write(name, was.replace(/(\w)1/, '$12'));
  }
  assert.equal(await a(), 'a2 b2 c1 e1 d1');
  rmSync(join(folder.path, 'b.mjs'));
  for (const _ of [1, 2]) assert.equal((await failure(a)).code, 'ERR_MITOS_MODULE_NOT_FOUND');
  folder.write('b.mjs', CHAIN['b.mjs']);
  assert.equal(await a(), 'a2 b1 c1 e1 d1');
  folder.write('e.cjs', "exports.e = '");
  await assert.rejects(a);
  folder.write('e.cjs', "exports.e = 'e3'");
  assert.equal(await a(), 'a2 b1 c1 e3 d1');
  folder.write('a.mjs', "import { n } from './new.mjs'; export const a = () => n;");
  assert.equal((await failure(a)).code, 'ERR_MITOS_MODULE_NOT_FOUND');
  folder.write('new.mjs', 'export const n = 5;');
  assert.equal(await a(), 5);
});

test('with reload, a call that runs still sees the files of its own time only, or is told that they are gone', async () => {
  const folder = new Folder({
    'm.mjs': "export const v = 1; export const late = (name) => async () => (await import('./' + name)).v;",
    'was.mjs': "import { v as m } from './m.mjs'; export const v = `was ${m}`;",
    'old.mjs': 'export const v = 1;',
    'new.mjs': 'export const v = 1;',
  });
  const caller = new Caller({ reload: true });
  const url = folder.url('m.mjs');
  const [was, old, changed] = [
    await caller.call(url, 'late', 'was.mjs'),
    await caller.call(url, 'late', 'old.mjs'),
    await caller.call(url, 'late', 'new.mjs'),
  ];
  assert.equal(await was(), 'was 1');
  await new Promise((resolve) => setTimeout(resolve, 60));
  folder.write('m.mjs', "export const v = 2; export const late = (name) => async () => (await import('./' + name)).v;");
  folder.write('new.mjs', 'export const v = 2;');
  const next = await caller.call(url, 'late', 'was.mjs');
  assert.equal(await next(), 'was 2');
  assert.equal(await was(), 'was 1');
  assert.equal(await old(), 1, 'it has not been changed since');
  assert.equal((await failure(changed)).code, 'ERR_MITOS_MODULE_CHANGED');
  const fresh = await caller.call(url, 'late', 'new.mjs');
  assert.equal(await fresh(), 2);
  folder.write('new.mjs', 'export const v = 3;');
  const again = await caller.call(url, 'late', 'new.mjs');
  assert.equal(await again(), 3, 'what a module has asked for makes it new, too');
});

/** Modules `m0` … that import each other in any way, and tell the versions of all that they reach. */
class Web {
  readonly folder = new Folder();
  readonly versions: number[];
  /** The versions on disk after each write. */
  readonly history: number[][] = [];
  readonly #needs: number[][];

  constructor(size: number, pick: (below: number) => number) {
    this.versions = Array.from({ length: size }, () => 0);
    this.#needs = this.versions.map((_, at) =>
      [...new Set(Array.from({ length: pick(4) }, () => pick(size)))].filter((one) => (one !== at && one % 5 !== 4) || one > at),
    );
    for (let at = 0; at < size; at++) this.write(at);
  }

  name(at: number): string {
    return `m${at}.${['mjs', 'cjs', 'ts', 'js', 'json'][at % 5] as string}`;
  }

  text(at: number): string {
    const version = this.versions[at] as number;
    if (at % 5 === 4) return JSON.stringify({ at, version });
    const needs = this.#needs[at] as number[];
    const body = `(seen) { if (seen[${at}] !== undefined) return seen; seen[${at}] = ${version}; ${needs.map((one) => (one % 5 === 4 ? `seen[${one}] = n${one}().version;` : `n${one}().versions(seen);`)).join(' ')} return seen; }`;
    if (at % 5 === 1) {
      // An ES module is not there yet while it is imported: it is required when it is needed.
      return `${needs.map((one) => `const n${one} = () => require('./${this.name(one)}');`).join('\n')}\nexports.versions = function ${body};`;
    }
    const type = at % 5 === 2 ? 'export type T = number;\n' : '';
    const imports = needs.map((one) =>
      one % 5 === 4
        ? `import j${one} from './${this.name(one)}' with { type: 'json' }; const n${one} = () => j${one};`
        : `import * as s${one} from './${this.name(one)}'; function n${one}() { return s${one}; }`,
    );
    return `${type}${imports.join('\n')}\nexport function versions${body}`;
  }

  write(at: number): void {
    (this.versions[at] as number)++;
    this.folder.write(this.name(at), this.text(at));
    this.history.push([...this.versions]);
  }
}

const agrees = (seen: Record<string, number>, snapshot: readonly number[]): boolean =>
  Object.entries(seen).every(([at, version]) => snapshot[Number(at)] === version);

test('with reload, a call after any edits sees the newest of everything', { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const chance = createRandom(seed);
    const pick = (below: number): number => chance.int(below);
    const web = new Web(12, pick);
    const caller = new Caller({ reload: true });
    const other = new Caller();
    const firsts = new Map<number, Record<string, number>>();
    for (let step = 0; step < 12; step++) {
      for (let edits = pick(4); edits > 0; edits--) web.write(pick(12));
      const root = [0, 1, 2, 3][pick(4)] as number;
      const url = web.folder.url(web.name(root));
      const seen = await caller.call(url, 'versions', {});
      assert.ok(agrees(seen, web.versions), `seed ${seed}, step ${step}: ${JSON.stringify(seen)} of ${JSON.stringify(web.versions)}`);
      // The other one either keeps what it had at first, or refuses to mix.
      let kept: Record<string, number>;
      try {
        kept = await other.call(url, 'versions', {});
      } catch (error) {
        assert.equal((error as MitosError).code, 'ERR_MITOS_MODULE_CHANGED');
        continue;
      }
      assert.deepEqual(kept, firsts.get(root) ?? kept);
      firsts.set(root, kept);
      assert.ok(
        web.history.some((snapshot) => agrees(kept, snapshot)),
        `seed ${seed}: a mixture ${JSON.stringify(kept)}`,
      );
    }
  }
});

test('with reload, calls while another process edits see what the disk had at one moment', { timeout: 60_000 }, async () => {
  const chance = createRandom(7);
  const web = new Web(10, (below) => chance.int(below));
  const steps: { at: number; text: string }[] = [];
  for (let step = 0; step < 40; step++) {
    const at = step % 10;
    (web.versions[at] as number)++;
    steps.push({ at, text: web.text(at) });
    web.history.push([...web.versions]);
  }
  // Not by renaming: files are cut and filled.
  const editor = new Worker(
    `const { workerData, parentPort } = require('worker_threads'); const fs = require('fs');
     let n = 0; const timer = setInterval(() => { const step = workerData.steps[n++]; if (!step) { clearInterval(timer); parentPort.close(); return; }
       fs.writeFileSync(step.path, step.text); }, 11);`,
    { eval: true, workerData: { steps: steps.map(({ at, text }) => ({ path: join(web.folder.path, web.name(at)), text })) } },
  );
  let isOver = false;
  const over = new Promise<void>((resolve) => editor.once('exit', () => resolve(void (isOver = true))));
  const caller = new Caller({ reload: true });
  const results: Record<string, number>[] = [];
  while (!isOver) {
    try {
      results.push(await caller.call(web.folder.url(web.name(0)), 'versions', {}));
    } catch (error) {
      assert.equal((error as MitosError).code, 'ERR_MITOS_MODULE_CHANGED', String(error));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await over;
  results.push(await caller.call(web.folder.url(web.name(0)), 'versions', {}));
  assert.ok(agrees(results.at(-1) as Record<string, number>, web.versions));
  for (const seen of results)
    assert.ok(
      web.history.some((snapshot) => agrees(seen, snapshot)),
      `a mixture: ${JSON.stringify(seen)}`,
    );
  assert.ok(new Set(results.map((seen) => JSON.stringify(seen))).size > 3, 'it saw several states');
});

test('with reload, edits leave nothing behind but those of late', async () => {
  const folder = new Folder({ ...CHAIN });
  const caller = new Caller({ reload: true });
  const ids: number[] = [];
  caller.graph.onModule = ({ id }) => ids.push(id);
  for (let edit = 0; edit < 60; edit++) {
    writeFileSync(join(folder.path, 'e.cjs'), `exports.e = ['e${edit}']?.[0];`);
    const known = ids.length;
    assert.equal(await caller.call(folder.url('a.mjs'), 'a'), `a1 b1 c1 e${edit} d1`);
    for (const id of ids.slice(known)) caller.graph.closureOf(id, 12);
  }
  const kept = ids.filter((id) => caller.graph.closureOf(id).length > 0);
  assert.ok(ids.length >= 240 && kept.length <= 4 * 34 + 2, `${kept.length} of ${ids.length} modules are kept`);
  const editions = ids.filter((id) => (caller.graph.itemOf(12 * EDITION + id)?.id ?? 0) >= EDITION);
  assert.ok(editions.length >= 30);
  assert.deepEqual(
    editions.filter((id) => !kept.includes(id)),
    [],
  );
});
