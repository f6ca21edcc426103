import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModuleDef, unpackModules } from '#src/core/module-batch.js';
import { type Batch, packBatches } from '#src/core/module-pack.js';
import { RelayStore } from '#src/parent/relay-store.js';

const def = (id: number): ModuleDef => ({ id, url: `file:///${id}.js`, kind: 'cjs', code: `exports.id=${id}`, deps: {} });
const batchOf = (...ids: number[]): Batch => packBatches(ids.map(def))[0] as Batch;
const idsIn = (batches: readonly Batch[]): number[][] =>
  batches.map(({ ids, data }) => {
    const defs = unpackModules(data, 1 << 20);
    assert.deepEqual(
      defs,
      ids.map((id) => def(id)),
    );
    return [...ids];
  });

function find(store: RelayStore, ...ids: number[]): { found: number[][]; missing: number[]; batches: readonly Batch[] } {
  const missing: number[] = [];
  const batches = store.find(ids, missing);
  return { found: idsIn(batches), missing, batches };
}

function filled(...batches: Batch[]): RelayStore {
  const store = new RelayStore(1 << 20);
  for (const { ids, data } of batches) store.add(ids, data);
  return store;
}

test('A batch of which everything is wanted is passed on as it came, in the order in which batches came', () => {
  const [one, two] = [batchOf(3, 1), batchOf(2)];
  const { batches, missing } = find(filled(one, two), 1, 2, 3);
  assert.equal(batches[0]?.data, one.data);
  assert.equal(batches[1]?.data, two.data);
  assert.deepEqual(missing, []);
});

test('Of a batch of which not everything is wanted, only that is sent, and packed once for all who want the same', () => {
  const store = filled(batchOf(1, 2, 3), batchOf(4, 5));
  const first = find(store, 2, 4, 5, 3);
  assert.deepEqual(first.found, [
    [4, 5],
    [2, 3],
  ]);
  assert.equal(find(store, 2, 3).batches[0], first.batches[1]);
});

test('What is not there is named', () => {
  assert.deepEqual(find(filled(batchOf(1)), 1, 7, 8), { found: [[1]], missing: [7, 8], batches: find(filled(batchOf(1)), 1).batches });
});

test('The oldest batches go when there are too many bytes; the newest stays, however large it is', () => {
  const batches = [batchOf(1), batchOf(2), batchOf(3)];
  const size = batches[0]?.data.length as number;
  const store = new RelayStore(2 * size + 2);
  for (const { ids, data } of batches) store.add(ids, data);
  assert.deepEqual(find(store, 1, 2, 3).missing, [1]);
  assert.ok(store.bytes <= 2 * size + 2);
  const tiny = new RelayStore(1);
  for (const { ids, data } of batches) tiny.add(ids, data);
  assert.deepEqual(find(tiny, 1, 2, 3).missing, [1, 2]);
  assert.equal(tiny.bytes, batches[2]?.data.length);
});

test('A module that came again is sent once', () => {
  assert.deepEqual(find(filled(batchOf(1, 2), batchOf(2, 3)), 1, 2, 3).found, [[2, 3], [1]]);
});

test('A batch in which a byte has changed is not packed again but forgotten and said to be missing', () => {
  const batch = batchOf(1, 2, 3);
  const store = filled(batch);
  assert.equal(store.read(2)?.code, 'exports.id=2');
  batch.data[20] = (batch.data[20] as number) ^ 1;
  assert.deepEqual(find(store, 1, 3), { found: [], missing: [1, 3], batches: [] });
  assert.equal(store.read(2), undefined);
  assert.equal(store.bytes, 0);
});
