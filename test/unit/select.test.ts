import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { select } from '#src/api/select.js';

async function* count(to: number, onEnd?: () => void): AsyncGenerator<number> {
  try {
    for (let i = 1; i <= to; i++) yield i;
  } finally {
    onEnd?.();
  }
}

const never = <T>(): Promise<T> => new Promise(() => {});

test('select gives all items of iterables in their order, and the value of a promise once', async () => {
  const items: Record<string, number[]> = { a: [], b: [], c: [] };
  for await (const { source, value } of select({ a: count(3), b: count(2), c: Promise.resolve(9) })) items[source]?.push(value as number);
  assert.deepEqual(items, { a: [1, 2, 3], b: [1, 2], c: [9] });
});

test('select names the members of a list by themselves', async () => {
  const one = count(1);
  const two = Promise.resolve('x');
  const seen = new Map<unknown, unknown>();
  for await (const { source, value } of select([one, two])) seen.set(source, value);
  assert.deepEqual([...seen.keys()].length, 2);
  assert.equal(seen.get(one), 1);
  assert.equal(seen.get(two), 'x');
});

test('select takes turns: a source that is always ready does not hide another', async () => {
  const order: string[] = [];
  for await (const { source } of select({ busy: count(50), other: count(5) })) order.push(source);
  assert.equal(order.length, 55);
  assert.ok(order.lastIndexOf('other') <= 12, `the last item of the other came as number ${order.lastIndexOf('other')}`);
});

test('An error ends its own source only, and items before it are not lost', async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    yield 2;
    throw new Error('broken');
  }
  const seen: unknown[] = [];
  const sources = { bad: failing(), rejected: Promise.reject(new Error('no')), good: count(4) };
  for await (const { source, value, error } of select(sources)) seen.push([source, error === undefined ? value : (error as Error).message]);
  const of = (name: string): unknown[] => seen.filter((item) => (item as unknown[])[0] === name).map((item) => (item as unknown[])[1]);
  assert.deepEqual(of('bad'), [1, 2, 'broken']);
  assert.deepEqual(of('rejected'), ['no']);
  assert.deepEqual(of('good'), [1, 2, 3, 4]);
});

test('Leaving the loop closes the remaining sources, and what they do afterwards disturbs nobody', async () => {
  let closed = 0;
  let fail = (): void => {};
  const late = new Promise<never>((_, reject) => (fail = () => reject(new Error('too late'))));
  const rude: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => never(), return: () => Promise.reject(new Error('rude')) }),
  };
  for await (const { source } of select({ a: count(9, () => closed++), b: count(9, () => closed++), late, rude }))
    if (source === 'b') break;
  await turn();
  fail();
  await turn();
  assert.equal(closed, 2);
});

test('Leaving the loop does not wait for a source that gives nothing', async () => {
  async function* silent(): AsyncGenerator<number> {
    yield await never<number>();
  }
  for await (const { source } of select({ silent: silent(), one: count(1) })) {
    assert.equal(source, 'one');
    break;
  }
});

test('A pending next ends when the loop is left from elsewhere', async () => {
  const merged = select({ nothing: never() });
  const pending = merged.next();
  await merged.return?.();
  assert.deepEqual(await pending, { done: true, value: undefined });
  assert.deepEqual(await merged.next(), { done: true, value: undefined });
});

test('A source is not read ahead by more than one item', async () => {
  let given = 0;
  async function* eager(): AsyncGenerator<number> {
    for (;;) yield ++given;
  }
  const merged = select([eager()]);
  await merged.next();
  await sleep(5);
  assert.ok(given <= 2, `${given} items were made`);
  await merged.return?.();
});

test('select without sources ends at once', async () => {
  assert.deepEqual(await select([]).next(), { done: true, value: undefined });
  assert.deepEqual(await select({}).next(), { done: true, value: undefined });
});

test('select refuses at once what gives no items', () => {
  for (const sources of [null, 5, [1], { a: {} }, [null], 'text']) assert.throws(() => select(sources as never), TypeError);
});
