import assert from 'node:assert/strict';
import test from 'node:test';
import { createRandom, VirtualClock } from '#src/testing/index.js';

test('VirtualClock runs timers by due time, and those due together in the order they were set', () => {
  const clock = new VirtualClock();
  const order: string[] = [];
  clock.setTimeout(() => order.push(`c@${clock.now()}`), 20);
  clock.setTimeout(() => order.push(`a@${clock.now()}`), 10);
  clock.setTimeout(() => order.push(`b@${clock.now()}`), 10);
  clock.setTimeout(() => order.push(`0@${clock.now()}`), -5);
  clock.advance(20);
  assert.deepEqual(order, ['0@0', 'a@10', 'b@10', 'c@20']);
});

test('VirtualClock runs a thousand random timers in the order of a stable sort', () => {
  const random = createRandom(11);
  const clock = new VirtualClock();
  const ran: number[] = [];
  const due = Array.from({ length: 1000 }, () => random.int(100));
  const handles = due.map((ms, index) => clock.setTimeout(() => ran.push(index), ms));
  const cleared = new Set(due.map((_, index) => index).filter(() => random.bool(0.3)));
  for (const index of cleared) clock.clearTimeout(handles[index]);
  assert.equal(clock.pending, 1000 - cleared.size);
  assert.equal(clock.runUntilIdle(), 1000 - cleared.size);
  const expected = due
    .map((ms, index) => ({ ms, index }))
    .filter(({ index }) => !cleared.has(index))
    .sort((a, b) => a.ms - b.ms)
    .map(({ index }) => index);
  assert.deepEqual(ran, expected);
});

test('VirtualClock.advance runs timers that were set on the way, and no later ones', () => {
  const clock = new VirtualClock();
  const times: number[] = [];
  const tick = (): void => {
    times.push(clock.now());
    clock.setTimeout(tick, 10);
  };
  clock.setTimeout(tick, 10);
  clock.advance(35);
  assert.deepEqual(times, [10, 20, 30]);
  assert.equal(clock.now(), 35);
  assert.equal(clock.nextAt, 40);
  assert.equal(clock.pending, 1);
});

test('VirtualClock.clearTimeout is harmless for a timer that fired, was cleared, or is none', () => {
  const clock = new VirtualClock();
  const fired = clock.setTimeout(() => {}, 1);
  const cleared = clock.setTimeout(() => assert.fail('a cleared timer ran'), 1);
  clock.clearTimeout(cleared);
  clock.clearTimeout(cleared);
  clock.advance(1);
  clock.clearTimeout(fired);
  clock.clearTimeout(undefined);
  clock.clearTimeout(12);
  assert.equal(clock.pending, 0);
});

test('VirtualClock.runUntilIdle refuses to run for ever', () => {
  const clock = new VirtualClock();
  const again = (): void => {
    clock.setTimeout(again, 1000);
  };
  again();
  assert.throws(() => clock.runUntilIdle({ maxSteps: 50 }), { name: 'RangeError', message: /after 50 timers, at 50000 ms, 1 still wait/ });
});

test('VirtualClock lets the error of a timer out and keeps the other timers', () => {
  const clock = new VirtualClock();
  let ran = 0;
  clock.setTimeout(() => {
    throw new Error('timer broke');
  }, 1);
  clock.setTimeout(() => ran++, 1);
  assert.throws(() => clock.advance(5), /timer broke/);
  clock.advance(5);
  assert.equal(ran, 1);
});

test('VirtualClock refuses a delay that a real timer would cut to nothing', () => {
  const clock = new VirtualClock();
  for (const ms of [2 ** 31, Infinity, Number.NaN]) assert.throws(() => clock.setTimeout(() => {}, ms), RangeError);
});

test('VirtualClock.advanceAsync lets promises settle between timers', async () => {
  const clock = new VirtualClock();
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimeout(resolve, ms);
    });
  const times: number[] = [];
  const done = (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(10);
      times.push(clock.now());
    }
  })();
  await clock.advanceAsync(25);
  assert.deepEqual(times, [10, 20]);
  assert.equal(clock.now(), 25);
  assert.equal(await clock.runUntilIdleAsync(), 1);
  await done;
  assert.deepEqual(times, [10, 20, 30]);
});
