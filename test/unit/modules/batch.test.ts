import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { brotliCompressSync, constants } from 'node:zlib';
import { LOAD } from '#src/core/handles.js';
import { checksumOf, type ModuleDef, Parts, unpackModules } from '#src/core/module-batch.js';
import { cut, packModules } from '#src/core/module-pack.js';
import { HEADER, MAX_FRAME_DATA, NORMAL, writeHeader } from '#src/core/wire.js';
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
  const bomb = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 1, 0]), brotliCompressSync(Buffer.alloc(1 << 26))]);
  bomb.writeUInt32BE(checksumOf(bomb), 0);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) assert.throws(() => unpackModules(bomb, 1 << 20), { code: 'ERR_MITOS_PROTOCOL' });
  assert.ok(process.memoryUsage().rss - before < 64 << 20);
});

test('A batch of which a byte is changed or missing is refused, whichever it is', () => {
  const good = packModules(defs);
  for (let at = 0; at < good.length; at++) {
    for (const change of [1, 0x55, 0x80]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ change;
      for (const data of [bad, good.subarray(0, at)]) {
        assert.throws(
          () => unpackModules(data, 1 << 20),
          ({ code, hint }: Loose) => /^ERR_MITOS_(MODULE_DAMAGED|LIMIT)$/.test(code) && Boolean(hint),
        );
      }
    }
  }
});

test('Junk with a true checksum is refused as a batch', () => {
  for (const text of ['', 'x'.repeat(50), '\0\0\0\x02[]', '\0\0\0\x04null', '\0\0\0\x02{}']) {
    const plain = Buffer.from(text, 'latin1');
    const batch = Buffer.concat([Buffer.alloc(8), brotliCompressSync(plain)]);
    batch.writeUInt32BE(plain.length, 4);
    batch.writeUInt32BE(checksumOf(batch), 0);
    if (text.endsWith('[]') && text.length === 6 && text[0] === '\0') assert.deepEqual(unpackModules(batch, 4096), []);
    else assert.throws(() => unpackModules(batch, 4096), { code: text ? 'ERR_MITOS_PROTOCOL' : 'ERR_MITOS_MODULE_DAMAGED' }, text);
  }
});

test('What comes in parts is put together, for each source by itself', () => {
  const parts = new Parts();
  const data = (marks: number): Buffer => Buffer.alloc(200_000, marks);
  const frames = (src: number, marks: number): Buffer[] => cut(data(marks)).map((message) => writeHeader(message, NORMAL, 9, src, LOAD, 0));
  const [one, two] = [frames(1, 1), frames(2, 2)];
  assert.equal(one.length, 4);
  for (const frame of [...one, ...two]) assert.ok(frame.length <= HEADER + MAX_FRAME_DATA);
  const whole: Buffer[] = [];
  for (let at = 0; at < 4; at++) {
    for (const frame of [one[at], two[at]]) {
      const message = parts.add(frame as Buffer);
      if (message) whole.push(message);
    }
  }
  assert.deepEqual(whole, [data(1), data(2)]);
  assert.deepEqual(
    cut(Buffer.alloc(0)).map((message) => parts.add(writeHeader(message, NORMAL, 9, 1, LOAD, 0))),
    [Buffer.alloc(0)],
  );
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
