import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { brotliCompressSync, constants } from 'node:zlib';
import { type ModuleDef, unpackModules } from '#src/core/module-batch.js';
import { packModules } from '#src/core/module-pack.js';
import { FakeContext, type Loose } from './zoo.ts';

const defs: ModuleDef[] = [
  {
    id: 1,
    url: 'file:///a.js',
    kind: 'esm',
    code: 'é\u{1F600}',
    deps: { './b.js': 2, x: { code: 'ERR_MITOS_MODULE_NOT_FOUND', message: 'no' } },
    async: true,
  },
  { id: 2, url: 'file:///b.js', kind: 'cjs', code: 'exports.x=1', deps: {}, names: ['x'] },
  { id: 3, url: 'file:///c.json', kind: 'json', code: '{}', deps: {} },
  { id: 4, url: 'file:///a.js', kind: 'inline', code: '(()=>1)', deps: { '': 1 } },
];

test('A batch gives back what was packed', () => {
  assert.deepEqual(unpackModules(packModules(defs), 4096), defs);
  assert.deepEqual(unpackModules(packModules([]), 4096), []);
});

test('A batch that declares more than the limit is refused before it is inflated', () => {
  assert.throws(() => unpackModules(packModules(defs), 64), { code: 'ERR_MITOS_LIMIT' });
});

test('A batch that inflates to more than it declares is refused', () => {
  const bomb = Buffer.concat([Buffer.from([0, 0, 1, 0]), brotliCompressSync(Buffer.alloc(1 << 26))]);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) assert.throws(() => unpackModules(bomb, 1 << 20), { code: 'ERR_MITOS_PROTOCOL' });
  assert.ok(process.memoryUsage().rss - before < 64 << 20);
});

test('Junk is refused as a batch, whatever it is', () => {
  const good = packModules(defs);
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] as number) ^ 0x55;
    for (const data of [bad, good.subarray(0, at)]) {
      try {
        unpackModules(data, 1 << 20);
      } catch (error) {
        assert.match((error as Loose).code, /^ERR_MITOS_(PROTOCOL|LIMIT)$/);
      }
    }
  }
});

test('A batch has at most 1.1 times the bytes of its sources compressed as one stream', (context) => {
  const { graph } = new FakeContext();
  const require = createRequire(import.meta.url);
  const root = graph.addEntry('fast-check', import.meta.url);
  const modules = graph.closureOf(root as number);
  assert.ok(modules.length > 5);
  const sources = modules.map((def) => readFileSync(new URL(def.url)));
  const plain = brotliCompressSync(Buffer.concat(sources), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length;
  const packed = packModules(modules).length;
  context.diagnostic(
    `${modules.length} modules, ${Buffer.concat(sources).length} bytes, ${plain} compressed, ${packed} packed: ${(packed / plain).toFixed(3)}`,
  );
  assert.ok(packed <= plain * 1.1, `${packed} of ${plain}`);
  assert.ok(require.resolve('fast-check'));
});
