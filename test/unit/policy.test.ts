import assert from 'node:assert/strict';
import test from 'node:test';
import { BULK_CREDIT, CALL, FIRST_CHANNEL, FIRST_REPLY } from '#src/core/handles.js';
import { Policy } from '#src/core/policy.js';

test('Policy lets through what was opened, on the authority of who opened it', () => {
  const policy = new Policy();
  assert.equal(policy.authority(1, 2, CALL), undefined);
  policy.open(1, 2, 0);
  assert.equal(policy.authority(1, 2, CALL), 0);
  assert.equal(policy.authority(1, 3, CALL), undefined);
});

test('Policy lets whoever was sent something answer, as itself, and order nothing', () => {
  const policy = new Policy();
  policy.open(1, 2, 0);
  assert.equal(policy.authority(2, 1, CALL), undefined);
  assert.equal(policy.authority(2, 1, FIRST_REPLY), 2);
  assert.equal(policy.authority(2, 1, FIRST_CHANNEL + 5), 2);
  assert.equal(policy.authority(2, 1, BULK_CREDIT), 2);
});

test('Policy does not take a right away by giving a smaller one', () => {
  const policy = new Policy();
  policy.open(1, 2, 1);
  assert.equal(policy.authority(1, 2, FIRST_CHANNEL), 1);
  policy.open(1, 2, 0);
  policy.open(1, 2, 1);
  assert.equal(policy.authority(1, 2, FIRST_CHANNEL), 0);
  assert.equal(policy.size, 1);
});

test('Policy forgets the pairs of a context that is gone, and names those who could talk to it', () => {
  const policy = new Policy();
  policy.open(1, 2, 0);
  policy.open(3, 1, 0);
  policy.open(4, 5, 0);
  assert.deepEqual(new Set(policy.forget({ ids: [1], pages: [] })), new Set([2, 3]));
  assert.equal(policy.size, 1);
  assert.deepEqual(policy.forget({ ids: [4, 5], pages: [] }), []);
  assert.equal(policy.size, 0);
});

test('Policy keeps no more than 100,000 pairs', () => {
  const policy = new Policy();
  for (let id = 1; id <= 100_000; id++) assert.equal(policy.open(0, id, 0), true);
  assert.equal(policy.open(0, 100_001, 0), false);
  assert.equal(policy.size, 100_000);
});
