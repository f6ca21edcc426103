import assert from 'node:assert/strict';
import test from 'node:test';
import { FIRST_PAGED_ID, holds, PAGE, RouteTable } from '#src/core/route-table.js';
import type { Stream } from '#src/core/stream.js';

const a = { name: 'a' } as Stream;
const b = { name: 'b' } as Stream;

test('RouteTable finds single ids, and every id of a page', () => {
  const table = new RouteTable();
  table.grant(7, 1, a);
  table.grant(FIRST_PAGED_ID + 2 * PAGE, PAGE, b);
  assert.equal(table.lookup(7), a);
  assert.equal(table.lookup(8), undefined);
  assert.equal(table.lookup(FIRST_PAGED_ID + 2 * PAGE), b);
  assert.equal(table.lookup(FIRST_PAGED_ID + 3 * PAGE - 1), b);
  assert.equal(table.lookup(FIRST_PAGED_ID + 2 * PAGE - 1), undefined);
  assert.equal(table.lookup(FIRST_PAGED_ID + 3 * PAGE), undefined);
  assert.equal(table.lookup(Number.NaN), undefined);
  assert.equal(table.size, 2);
});

test('RouteTable prefers a single id to the page around it', () => {
  const table = new RouteTable();
  table.grant(FIRST_PAGED_ID, PAGE, a);
  table.grant(FIRST_PAGED_ID + 5, 1, b);
  assert.equal(table.lookup(FIRST_PAGED_ID + 5), b);
  assert.equal(table.lookup(FIRST_PAGED_ID + 6), a);
});

test('RouteTable takes back what was granted to a stream, and nothing of another', () => {
  const table = new RouteTable();
  table.grant(1, 1, a);
  table.grant(2, 1, b);
  table.grant(FIRST_PAGED_ID, PAGE, a);
  table.grant(FIRST_PAGED_ID + PAGE, PAGE, b);
  assert.deepEqual(table.revoke({ ids: [1, 2, 3, FIRST_PAGED_ID + 9], pages: [65536, 65537, 9] }, a), {
    ids: [1, FIRST_PAGED_ID + 9],
    pages: [65536],
  });
  assert.equal(table.lookup(2), b);
  assert.deepEqual(table.revokeAll(b), { ids: [2], pages: [65537] });
  assert.equal(table.size, 0);
});

test('A set of ids holds its single ids and the ids of its pages', () => {
  const set = { ids: [3], pages: [65536] };
  assert.deepEqual(
    [3, 4, FIRST_PAGED_ID, FIRST_PAGED_ID + 255, FIRST_PAGED_ID + 256, 256].map((id) => holds(set, id)),
    [true, false, true, true, false, false],
  );
});
