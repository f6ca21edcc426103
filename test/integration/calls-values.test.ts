/** Values that cross, and those that do not. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { Secret } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

class Profile {
  readonly name = 'somebody';
}

function echo<T>(value: T): T {
  return value;
}

function describe(value: unknown): string {
  return Object.prototype.toString.call(value);
}

inEveryMode('every kind of data crosses both ways unchanged', async ({ open }) => {
  const context = await open();
  const values: unknown[] = [
    undefined,
    null,
    true,
    0,
    -0,
    1.5,
    Number.NaN,
    Infinity,
    -Infinity,
    123456789012345678901234567890n,
    -1n,
    '',
    'text',
    '\ud800 lone',
    'ü€😀\0',
    new Date(0),
    new Date(8.64e15),
    new URL('https://example.org/a?b#c'),
    new Map<unknown, unknown>([
      ['a', 1],
      [{ k: 1 }, new Set([1, 'x'])],
    ]),
    new Set([1, [2]]),
    new Uint8Array([1, 2, 3]),
    new Float64Array([1.5, Number.NaN]),
    new BigInt64Array([1n, -1n]),
    new Uint8Array([9, 8]).buffer,
    [1, [2, [3]]],
    { a: { b: undefined, c: [null] } },
    JSON.parse('{"__proto__": 1, "toString": 2}'),
    { $: 1, t: 'context', i: 0 },
    new Uint8Array(300_000).fill(7),
    'y'.repeat(200_000),
  ];
  const back = (await context.call(echo, values)) as unknown[];
  for (const [i, value] of values.entries()) assert.deepStrictEqual(back[i], value, `${i}: ${inspect(value).slice(0, 80)}`);
  for (const value of values.slice(0, 25)) assert.deepStrictEqual(await context.call(echo, value), value);
  assert.equal(await context.call(describe, values[15]), '[object Date]');
});

inEveryMode('cycles and shared references keep their shape', async ({ open }) => {
  const context = await open();
  interface Node {
    self?: Node;
    list: unknown[];
    map: Map<string, unknown>;
  }
  const shared = { n: 1 };
  const node: Node = { list: [shared, shared], map: new Map([['s', shared]]) };
  node.self = node;
  const back = await context.call((value: Node) => value, node);
  assert.equal(back.self, back);
  assert.equal(back.list[0], back.list[1]);
  assert.equal(back.map.get('s'), back.list[0]);
});

inEveryMode('a Secret crosses and shows itself nowhere', async ({ open }) => {
  const context = await open();
  const back = await context.call((secret: Secret) => [secret, String(secret), JSON.stringify({ secret })] as const, new Secret('hunter2'));
  assert.ok(back[0] instanceof Secret);
  assert.doesNotMatch(inspect(back, { depth: 9, showHidden: true }) + back.slice(1).join(), /hunter2/);
  assert.equal(await context.call((secret: Secret) => secret.reveal().length, back[0]), 7);
});

inEveryMode('an error is a value too', async ({ open }) => {
  const context = await open();
  const error = Object.assign(new RangeError('told', { cause: new Error('why') }), { code: 'E_TOLD', list: [1] });
  const back = await context.call((value: typeof error) => value, error);
  assert.equal(Object.getPrototypeOf(back), RangeError.prototype);
  assert.deepEqual([back.message, back.code, back.list, (back.cause as Error).message], ['told', 'E_TOLD', [1], 'why']);
});

inEveryMode('what cannot be sent is refused here, with its path', async ({ open }) => {
  const context = await open();
  const cases: [unknown, RegExp][] = [
    [{ user: { profile: new Profile() } }, /args\[0\]\.user\.profile.*Profile/],
    [[1, () => 1], /args\[0\]\[1\].*function/],
    [Symbol('s'), /args\[0\].*symbol/i],
    [new Map([['k', new WeakMap()]]), /args\[0\].*WeakMap/],
    [/x/, /args\[0\].*RegExp/],
    [Promise.resolve(1), /args\[0\].*Promise/],
  ];
  for (const [value, pattern] of cases) {
    const error = await rejection(context.call(echo, value));
    assert.equal(error.code, 'ERR_MITOS_NOT_SENDABLE');
    assert.match(error.message, pattern);
  }
  const result = await rejection(context.call(() => ({ deep: [new WeakSet()] })));
  assert.equal(result.code, 'ERR_MITOS_NOT_SENDABLE');
  assert.match(result.message, /result\.deep\[0\].*WeakSet/);
});

withRouter(
  'what is too deep or has too many parts is refused at the sender',
  async ({ router }) => {
    const context = await router.local();
    let deep: unknown = 1;
    for (let i = 0; i < 200; i++) deep = [deep];
    assert.match(String((await rejection(context.call(echo, deep))).code), /^ERR_MITOS_(LIMIT|TOO_LARGE|NOT_SENDABLE)$/);
    assert.match(
      String(
        (
          await rejection(
            context.call(() => {
              let value: unknown = 1;
              for (let i = 0; i < 200; i++) value = { value };
              return value;
            }),
          )
        ).code,
      ),
      /^ERR_MITOS_(LIMIT|TOO_LARGE|NOT_SENDABLE)$/,
    );
  },
  { router: {} },
);

withRouter('a large result does not hold up small calls', async ({ router }) => {
  const context = await router.local();
  let isDone = false;
  const large = context
    .call((size: number) => new Uint8Array(size), 50_000_000)
    .then((bytes) => {
      isDone = true;
      return bytes.length;
    });
  await context.call(echo, 1);
  assert.equal(isDone, false);
  assert.equal(await large, 50_000_000);
});
