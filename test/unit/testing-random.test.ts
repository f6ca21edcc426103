import assert from 'node:assert/strict';
import test from 'node:test';
import { createRandom, seedFromEnv, withSeed } from '#src/testing/index.js';

/** Runs `fn` with an environment variable set, then restores it. */
function withEnv(name: string, value: string | undefined, fn: () => void): void {
  const former = process.env[name];
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
  try {
    fn();
  } finally {
    if (former === undefined) delete process.env[name];
    else process.env[name] = former;
  }
}

test('Random gives the same values for the same seed and others for another seed', () => {
  const draw = (seed: number): number[] => {
    const random = createRandom(seed);
    return Array.from({ length: 20 }, () => random.int(1_000_000));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(0), draw(1));
});

test('Random keeps the values it gave in earlier releases, so that old seeds replay', () => {
  const random = createRandom(1);
  assert.deepEqual([random.int(1000), random.int(1000), random.int(1000), random.bytes(5).toString('hex')], [158, 751, 871, '05fb717dc2']);
});

test('Random.int stays in its range and reaches every value about equally often', () => {
  const random = createRandom(3);
  const counts = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 60_000; i++) {
    const value = random.int(6);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  assert.equal(counts.length, 6);
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `counts ${counts.join(' ')}`);
  assert.equal(createRandom(3).int(1), 0);
});

test('Random.int refuses a range that is empty, broken or above 2^32', () => {
  const random = createRandom(3);
  for (const n of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) assert.throws(() => random.int(n), RangeError);
  assert.ok(random.int(2 ** 32) < 2 ** 32);
});

test('Random.bool follows its probability', () => {
  const random = createRandom(4);
  let hits = 0;
  for (let i = 0; i < 10_000; i++) if (random.bool(0.2)) hits++;
  assert.ok(hits > 1800 && hits < 2200, `${hits}`);
  assert.equal(random.bool(0), false);
  assert.equal(random.bool(1), true);
});

test('Random.shuffle keeps the items and leaves its argument alone', () => {
  const items = Object.freeze([1, 2, 3, 4, 5, 6, 7, 8]);
  const shuffled = createRandom(5).shuffle(items);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(
    [...shuffled].sort((a, b) => a - b),
    items,
  );
});

test('Random.pick refuses an empty array', () => {
  assert.throws(() => createRandom(1).pick([]), { name: 'RangeError', message: 'Cannot pick from an empty array' });
});

test('Random.fork with a label does not depend on what was drawn before', () => {
  const one = createRandom(9);
  const other = createRandom(9);
  other.bytes(100);
  assert.equal(one.fork('net').int(1e9), other.fork('net').int(1e9));
  assert.notEqual(one.fork('net').int(1e9), one.fork('disk').int(1e9));
  assert.notEqual(one.fork().seed, one.fork().seed);
});

test('seedFromEnv takes MITOS_SEED, and a fresh seed when it is unset', () => {
  withEnv('MITOS_SEED', '12345', () => assert.equal(seedFromEnv(), 12345));
  withEnv('MITOS_SEED', '0xff', () => assert.equal(seedFromEnv(), 255));
  withEnv('MITOS_SEED', undefined, () => {
    const seeds = new Set(Array.from({ length: 5 }, () => seedFromEnv()));
    assert.ok(seeds.size > 1);
    for (const seed of seeds) assert.doesNotThrow(() => createRandom(seed));
  });
});

test('seedFromEnv refuses a MITOS_SEED that is no seed', () => {
  for (const text of ['x', '-1', '1.5', '4294967296']) withEnv('MITOS_SEED', text, () => assert.throws(seedFromEnv, RangeError));
});

test('withSeed adds the seed and the command to replay to the error, and prints them', async (t) => {
  const printed = t.mock.method(console, 'error', () => {});
  const original = new TypeError('it broke');
  const run = withSeed('Codec (fast) keeps "all" values', () => Promise.reject(original), { seed: 77 });
  await assert.rejects(run, (error) => error === original);
  assert.match(
    original.message,
    /^it broke\n\(seed 77; replay: MITOS_SEED=77 node --test-name-pattern='Codec \\\(fast\\\) keeps "all" values' \S+\)$/,
  );
  assert.match(original.stack ?? '', /it broke\n\(seed 77; .*\)\n\s+at /s);
  assert.equal(printed.mock.callCount(), 1);
  assert.match(String(printed.mock.calls[0]?.arguments[0]), /failed with seed 77; replay: MITOS_SEED=77 /);
});

test('withSeed makes an error of a thrown value that is none', async (t) => {
  t.mock.method(console, 'error', () => {});
  const run = withSeed(
    'x',
    () => {
      throw 'a string';
    },
    { seed: 1, command: 'npm test' },
  );
  await assert.rejects(run, { cause: 'a string', message: /\(seed 1; replay: MITOS_SEED=1 npm test\)$/ });
});

test('withSeed returns what the function returns and hands it a source with that seed', async () => {
  assert.equal(await withSeed('x', (random, seed) => random.seed + seed, { seed: 21 }), 42);
});
