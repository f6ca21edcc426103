/** How hard to compress, by how fast a link has been seen to be. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ModuleDef } from '#src/core/module-batch.js';
import { unpackModules } from '#src/core/module-batch.js';
import { packModules } from '#src/core/module-pack.js';
import { isLocalMethod, LinkSpeeds, levelFor } from '#src/master/link-speed.js';

test('A link is as fast as what it took while it had more to write', () => {
  let now = 1000;
  const link = { id: 3, queuedBytes: 1_000_000, bytesOut: 500 };
  const speeds = new LinkSpeeds(
    () => [link],
    () => now,
  );
  assert.equal(speeds.of(3), undefined);
  speeds.watch();
  now += 5000;
  speeds.look();
  assert.equal(speeds.of(3), undefined, 'a link that is not up yet says nothing');
  now += 2000;
  Object.assign(link, { queuedBytes: 600_000, bytesOut: 400_500 });
  speeds.look();
  assert.equal(speeds.of(3), 200_000);
  now += 1000;
  Object.assign(link, { queuedBytes: 0, bytesOut: 1_000_500 });
  speeds.look();
  assert.equal(Math.round(speeds.of(3) as number), 333_333);
  now += 60_000;
  link.bytesOut += 1_000_000;
  speeds.look();
  assert.equal(Math.round(speeds.of(3) as number), 333_333, 'a link with nothing to write is not watched');
  speeds.forget({ ids: [3], pages: [], all: false } as never);
  assert.equal(speeds.of(3), undefined);
});

test('Little that is written says nothing of a link', () => {
  const link = { id: 3, queuedBytes: 100_000, bytesOut: 0 };
  const speeds = new LinkSpeeds(
    () => [link],
    () => 0,
  );
  speeds.watch();
  Object.assign(link, { queuedBytes: 0, bytesOut: 100_000 });
  speeds.look();
  assert.equal(speeds.of(3), undefined);
});

test('Slow links get fewer bytes, fast and local ones what is made soonest, unknown ones what is between', () => {
  assert.deepEqual(
    [undefined, 10_000, 100_000, 1_000_000, 1e9].map((speed) => levelFor(speed)),
    ['usual', 'dense', 'usual', 'quick', 'quick'],
  );
  assert.deepEqual(
    ['local', 'sudo', 'ssh', 'docker'].map((method) => isLocalMethod(method)),
    [true, true, false, false],
  );
  const folder = new URL('../../../src/master/', import.meta.url);
  const code = readdirSync(folder)
    .map((name) => (name.endsWith('.ts') ? readFileSync(new URL(name, folder), 'utf8') : ''))
    .join('');
  const def: ModuleDef = { id: 1, url: 'file:///a.js', kind: 'esm', code, deps: {} };
  const [quick, usual, dense] = (['quick', 'usual', 'dense'] as const).map((level) => packModules([def], level));
  for (const batch of [quick, usual, dense]) assert.equal(unpackModules(batch as Buffer, 1 << 24)[0]?.code, code);
  assert.ok((dense as Buffer).length <= (usual as Buffer).length && (usual as Buffer).length < (quick as Buffer).length);
  assert.ok((quick as Buffer).length < (usual as Buffer).length * 1.1, 'within a tenth');
});
