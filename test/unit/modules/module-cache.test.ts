/** What is kept on disk from one run to the next. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Importer } from '#src/core/importer.js';
import type { ModuleDef } from '#src/core/module-batch.js';
import { brotli } from '#src/core/module-pack.js';
import { ModuleCache, prune } from '#src/master/module-cache.js';
import { ModuleGraph } from '#src/master/module-graph.js';
import { API_CODE, overWire } from './zoo.ts';

const FOLDER = join(process.cwd(), 'test/fixtures/raw/editions');

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'kept-modules-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const entries = (directory: string): string[] => readdirSync(directory).filter((name) => name !== 'pruned');

/** Serves the fixture with a cache; returns what was sent. */
async function serve(directory: string | undefined, edition?: number): Promise<unknown[]> {
  const graph = new ModuleGraph({ apiModule: { code: API_CODE }, cache: new ModuleCache(directory) });
  const id = graph.addEntry(pathToFileURL(join(FOLDER, 'modern.js')), pathToFileURL(join(FOLDER, 'x.js')).href) as number;
  const defs = graph
    .closureOf(id, edition)
    .map(({ id: number, url, kind, code, deps, names, level, async: waits }) => ({ number, url, kind, code, deps, names, level, waits }));
  await graph.flush();
  return defs;
}

test('Notes on a text come back in the next run, and only for that text and what it depends on', async (t) => {
  const directory = temporary(t);
  const first = new ModuleCache(directory);
  const notes = first.open('text', 'a');
  assert.equal(notes.get('x'), undefined);
  notes.set('x', { list: [1, 'two', null] });
  notes.set('text', 'lines\nand \u{1F600}');
  await first.flush();
  const second = new ModuleCache(directory);
  assert.deepEqual(second.open('text', 'a').get('x'), { list: [1, 'two', null] });
  assert.equal(second.open('text', 'a').get('text'), 'lines\nand \u{1F600}');
  assert.equal(second.open('text', 'b').get('x'), undefined);
  assert.equal(second.open('other', 'a').get('x'), undefined);
  assert.equal(entries(directory).length, 1);
  assert.equal(statSync(join(directory, entries(directory)[0] as string)).mode & 0o777, 0o600);
});

test('What is served from the cache is what is served without', async (t) => {
  const directory = temporary(t);
  for (const edition of [undefined, 12]) {
    const without = await serve(undefined, edition);
    assert.deepEqual(await serve(directory, edition), without);
    const written = entries(directory).length;
    assert.ok(written > 0);
    assert.deepEqual(await serve(directory, edition), without);
    assert.equal(entries(directory).length, written);
  }
});

test('Bytes that were made of bytes once are not made again in the next run', async (t) => {
  const directory = temporary(t);
  const data = Buffer.from([0, 255, 128, 10, 13]);
  const first = new ModuleCache(directory);
  assert.deepEqual(
    first.bytes(data, 'a', () => Buffer.from([200, 0, 10])),
    Buffer.from([200, 0, 10]),
  );
  await first.flush();
  const second = new ModuleCache(directory);
  const again = (): Buffer => Buffer.from('made again');
  assert.deepEqual(second.bytes(data, 'a', again), Buffer.from([200, 0, 10]));
  assert.deepEqual(second.bytes(data, 'b', again), again(), 'made in another way');
  assert.deepEqual(second.bytes(Buffer.from([0, 255, 128, 10, 14]), 'a', again), again(), 'made of something else');
});

test('Batches of installed packages are compressed in one run only; those with modules of the user, or small ones, are not kept', async (t) => {
  const directory = temporary(t);
  const url = pathToFileURL(join(FOLDER, 'modern.js')).href;
  const run = async (): Promise<{ graph: ModuleGraph; defs: ModuleDef[]; ids: string[] }> => {
    const graph = new ModuleGraph({ apiModule: { code: API_CODE }, cache: new ModuleCache(directory) });
    const defs = graph.closureOf(graph.addEntry(url, url) as number);
    await graph.flush();
    return { graph, defs, ids: entries(directory) };
  };
  const { graph, defs, ids } = await run();
  const installed = defs.filter((def) => def.url.includes('/node_modules/'));
  assert.ok(installed.length > 0 && installed.length < defs.length);
  const large = Buffer.from('some text '.repeat(10_000));
  const packed = graph.compress(large, 5, installed);
  assert.deepEqual(packed, brotli(large, 5));
  graph.compress(large, 6, defs);
  graph.compress(large.subarray(0, 1000), 5, installed);
  await graph.flush();
  const [kept, ...others] = entries(directory).filter((name) => !ids.includes(name));
  assert.ok(kept);
  assert.deepEqual(others, []);
  assert.deepEqual((await run()).graph.compress(large, 5, installed), packed);
});

test('Entries that are damaged, cut short, or not of the user alone count for nothing', async (t) => {
  const directory = temporary(t);
  const expected = await serve(directory);
  const spoil: ((file: string) => void)[] = [
    (file) => {
      const data = readFileSync(file);
      data[data.length - 1] = (data[data.length - 1] as number) ^ 1;
      writeFileSync(file, data);
    },
    (file) => writeFileSync(file, readFileSync(file).subarray(0, 40)),
    (file) => writeFileSync(file, ''),
    (file) => writeFileSync(file, 'junk'.repeat(100)),
    (file) => chmodSync(file, 0o666),
    (file) => {
      writeFileSync(`${file}.real`, readFileSync(file), { mode: 0o600 });
      rmSync(file);
      symlinkSync(`${file}.real`, file);
    },
    (file) => {
      rmSync(file);
      mkdirSync(file);
    },
  ];
  for (const [index, one] of spoil.entries()) {
    for (const name of entries(directory)) one(join(directory, name));
    const cache = new ModuleCache(directory);
    assert.equal(
      cache.open(readFileSync(join(FOLDER, 'node_modules/plainly/index.js'), 'utf8'), '.js undefined').get('kind'),
      undefined,
      `${index}`,
    );
    assert.deepEqual(await serve(directory), expected, `${index}`);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    await serve(directory);
  }
});

test('What was kept of a package holds when a function is called that it does not export', async (t) => {
  const directory = temporary(t);
  const folder = temporary(t);
  mkdirSync(join(folder, 'node_modules/hidden'), { recursive: true });
  const file = join(folder, 'node_modules/hidden/index.mjs');
  writeFileSync(file, 'function inner() { return "it" }\nexport function give() { return inner }\n');
  const open = (): ModuleGraph => new ModuleGraph({ apiModule: { code: API_CODE }, cache: new ModuleCache(directory) });
  const first = open();
  first.closureOf(first.addEntry(pathToFileURL(file), pathToFileURL(file).href) as number);
  await first.flush();
  assert.notDeepEqual(entries(directory), []);
  const { give } = (await import(pathToFileURL(file).href)) as { give(): () => string };
  const second = open();
  const ref = second.identify(give());
  const none = (): never => assert.fail('nothing is asked');
  const importer = new Importer({ core: {}, request: none, requestSync: none });
  importer.define(overWire(second.closureOf(ref)));
  assert.equal((importer.resolveRef(ref) as () => string)(), 'it');
});

test('Entries that another version of Node made count for nothing', async (t) => {
  const directory = temporary(t);
  const cacheModule = pathToFileURL(join(process.cwd(), 'dist/master/module-cache.js')).href;
  const cache = new ModuleCache(directory);
  cache.open('text', '').set('x', 1);
  await cache.flush();
  for (const [version, known] of [
    [process.version, '1'],
    ['v99.0.0', 'undefined'],
  ] as const) {
    const program = `Object.defineProperty(process, 'version', { value: '${version}' });
      const { ModuleCache } = await import(${JSON.stringify(cacheModule)});
      console.log(String(new ModuleCache(${JSON.stringify(directory)}).open('text', '').get('x')));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.equal(stdout.trim(), known);
  }
});

test('Entries that another user wrote count for nothing', async (t) => {
  const directory = temporary(t);
  const cache = new ModuleCache(directory);
  cache.open('text', '').set('x', 1);
  await cache.flush();
  const { geteuid } = process;
  const other = (geteuid?.() ?? 0) + 1;
  try {
    process.geteuid = () => other;
    assert.equal(new ModuleCache(directory).open('text', '').get('x'), undefined);
  } finally {
    Object.assign(process, { geteuid });
  }
  assert.equal(new ModuleCache(directory).open('text', '').get('x'), 1);
});

test('Where nothing can be written, nothing fails', async (t) => {
  const directory = temporary(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const expected = await serve(undefined);
  assert.deepEqual(await serve(file), expected);
  assert.deepEqual(await serve(join(directory, 'missing')), expected);
  assert.deepEqual(entries(directory), ['file']);
});

test('Processes that write the same entries at the same time leave whole ones and nothing else', async (t) => {
  const directory = temporary(t);
  const cacheModule = pathToFileURL(join(process.cwd(), 'dist/master/module-cache.js')).href;
  const program = `import { ModuleCache } from ${JSON.stringify(cacheModule)};
    for (let round = 0; round < 20; round++) {
      const cache = new ModuleCache(${JSON.stringify(directory)});
      for (let one = 0; one < 20; one++) { const notes = cache.open('text ' + one, ''); const known = notes.get('value');
        if (known !== undefined && known !== 'value '.repeat(1000 * one)) process.exit(3);
        notes.set('value', 'value '.repeat(1000 * one)); }
      await cache.flush();
    }`;
  const writers = Array.from({ length: 3 }, () => spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }));
  for (const [code] of await Promise.all(writers.map((writer) => once(writer, 'exit')))) assert.equal(code, 0);
  assert.equal(entries(directory).length, 20);
  const cache = new ModuleCache(directory);
  for (let one = 0; one < 20; one++) assert.equal(cache.open(`text ${one}`, '').get('value'), 'value '.repeat(1000 * one));
});

test('The cache is bounded: what was not used for longest goes first, and what was left half written', (t) => {
  const directory = temporary(t);
  for (let one = 0; one < 10; one++) {
    const file = join(directory, `entry${one}`);
    writeFileSync(file, Buffer.alloc(1000));
    utimesSync(file, 1e9 + one, 1e9 + one);
  }
  writeFileSync(join(directory, 'x.1.tmp'), '');
  utimesSync(join(directory, 'x.1.tmp'), 1e9 + 100, 1e9 + 100);
  prune(directory, 20_000);
  assert.equal(entries(directory).length, 10);
  prune(directory, 5000);
  assert.equal(entries(directory).length, 10, 'once a day');
  rmSync(join(directory, 'pruned'));
  prune(directory, 5000);
  assert.deepEqual(entries(directory).sort(), ['entry7', 'entry8', 'entry9']);
});
