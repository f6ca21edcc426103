/** How much contexts may read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Endpoint } from '#src/core/endpoint.js';
import { MASTER, writeHeader } from '#src/core/wire.js';
import type { ModuleGraph } from '#src/master/module-graph.js';
import { MAX_RESOURCE_TOTAL_BYTES, ResourceResponder } from '#src/master/resource-responder.js';
import { MAX_RESOURCE_BYTES, Resources } from '#src/master/resources.js';
import type { Responder } from '#src/master/responder.js';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'resource-limits-')));
const pkg = join(base, 'node_modules/pkg');
mkdirSync(join(pkg, 'many'), { recursive: true });
writeFileSync(join(pkg, 'large.bin'), '');
truncateSync(join(pkg, 'large.bin'), MAX_RESOURCE_BYTES + 1);
writeFileSync(join(pkg, 'text.txt'), 'x'.repeat(50_000));
for (let n = 0; n < 10_001; n++) writeFileSync(join(pkg, 'many', String(n)), '');
after(() => rmSync(base, { recursive: true, force: true }));

const resources = new Resources();
const root = resources.rootOf(join(pkg, 'index.js')).id;

test('A file or directory that is too large is refused, and says what the limit is', async () => {
  const large = await resources.answer({ root, path: 'large.bin', want: 'read' });
  assert.deepEqual([large.head.kind, large.head.code, large.data], ['refused', 'ERR_MITOS_TOO_LARGE', undefined]);
  assert.match(String(large.head.message), /67108865 bytes, the limit is 67108864/);
  assert.equal((await resources.answer({ root, path: 'large.bin', want: 'stat' })).head.size, MAX_RESOURCE_BYTES + 1);
  const many = await resources.answer({ root, path: 'many', want: 'list' });
  assert.deepEqual([many.head.kind, many.head.code], ['refused', 'ERR_MITOS_TOO_LARGE']);
});

test('What is compressed well is sent compressed, made once, and made again when the file changes', async () => {
  const ask = () => resources.answer({ root, path: 'text.txt', want: 'read' });
  const first = await ask();
  assert.equal(first.head.data, 'brotli');
  assert.ok((first.data?.length ?? 0) < 1000);
  assert.equal((await ask()).data, first.data, 'the same bytes');
  writeFileSync(join(pkg, 'text.txt'), 'y'.repeat(50_000));
  utimesSync(join(pkg, 'text.txt'), 1, 1);
  assert.notEqual((await ask()).head.sha256, first.head.sha256);
});

test('A file that is small comes with the answer to whether it is there', async () => {
  writeFileSync(join(pkg, 'small.txt'), 'small');
  const { head, data } = await resources.answer({ root, path: 'small.txt', want: 'stat' });
  assert.deepEqual([head.size, String(data)], [5, 'small']);
  assert.equal((await resources.answer({ root, path: 'text.txt', want: 'stat' })).data, undefined);
});

test('One context is sent so many bytes and no more; others go on, and the count ends with it', async () => {
  const size = MAX_RESOURCE_TOTAL_BYTES / 8;
  const data = Buffer.alloc(size);
  const heads: string[] = [];
  let onAsked: (message: Buffer) => void = () => {};
  const endpoint = {
    on: (_handle: number, handler: (message: Buffer) => void) => (onAsked = handler),
    send: (dst: number, _handle: number, _replyTo: number, message: Buffer) => {
      const { kind, code } = JSON.parse(message.toString('utf8', 32, 32 + message.readUInt32BE(28))) as { kind: string; code?: string };
      heads.push(`${dst} ${code ?? kind}`);
    },
  } as unknown as Endpoint;
  const graph = { resources: { answer: () => Promise.resolve({ head: { kind: 'file', data: 'plain' }, data }) } } as unknown as ModuleGraph;
  const responder = { mayAsk: () => true, prepare: () => {}, stats: { requests: 0 } } as unknown as Responder;
  const limited = new ResourceResponder(endpoint, graph, responder);
  const ask = async (src: number): Promise<void> => {
    const message = Buffer.alloc(28 + 2, '{}');
    writeHeader(message, 0, MASTER, src, 76, 70000);
    const count = heads.length;
    onAsked(message);
    while (heads.length === count) await Promise.resolve();
  };
  for (let n = 0; n < 9; n++) await ask(1);
  await ask(2);
  limited.forget({ ids: [1], pages: [], all: false } as never);
  await ask(1);
  assert.deepEqual(heads, [...Array.from({ length: 8 }, () => '1 file'), '1 ERR_MITOS_LIMIT', '2 file', '1 file']);
});
