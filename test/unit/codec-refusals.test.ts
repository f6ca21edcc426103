import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, encode } from '#src/core/codec.js';
import { MitosError } from '#src/core/errors.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { Secret } from '#src/core/secret.js';

class Profile {
  name = 'x';
}

function errorOf(action: () => unknown): MitosError {
  try {
    action();
  } catch (error) {
    assert.ok(MitosError.is(error), `not an error of mitos: ${String(error)}`);
    return error;
  }
  return assert.fail('nothing was thrown');
}

function refusal(value: unknown): string {
  const error = errorOf(() => encode(value, 'args', 28));
  assert.equal(error.code, 'ERR_MITOS_NOT_SENDABLE');
  assert.equal(error.name, 'SerializationError');
  return error.message;
}

function protocolError(payload: string | Buffer): string {
  return errorOf(() => decode(Buffer.from(payload as string))).code;
}

function nested(depth: number): unknown {
  let value: unknown[] = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}

const throwing = {
  get a(): never {
    throw new Error('no');
  },
};
const hostile = new Proxy(
  {},
  {
    ownKeys() {
      throw new Error('no');
    },
  },
);
const disposed = new Secret('x');
disposed.dispose();

const REFUSED: [string, unknown, string][] = [
  [
    'class instance',
    [0, { user: { profile: new Profile() } }],
    'Cannot send args[1].user.profile: an instance of class Profile cannot be sent; send a plain object',
  ],
  ['function', [() => 1], 'Cannot send args[0]: a function cannot be sent'],
  ['symbol', { a: Symbol('s') }, 'Cannot send args.a: a symbol cannot be sent'],
  ['RegExp', [/x/], 'Cannot send args[0]: an instance of class RegExp cannot be sent; send a plain object'],
  ['Promise', [Promise.resolve()], 'Cannot send args[0]: an instance of class Promise cannot be sent; await it first'],
  ['boxed number', [Object(1)], 'Cannot send args[0]: an instance of class Number cannot be sent; send a plain object'],
  ['boxed string', [Object('a')], 'Cannot send args[0]: an instance of class String cannot be sent; send a plain object'],
  ['WeakMap', new WeakMap(), 'Cannot send args: an instance of class WeakMap cannot be sent; send a plain object'],
  [
    'SharedArrayBuffer',
    [new SharedArrayBuffer(1)],
    'Cannot send args[0]: an instance of class SharedArrayBuffer cannot be sent; send a plain object',
  ],
  [
    'subclass of Map',
    [new (class Cache extends Map {})()],
    'Cannot send args[0]: an instance of class Cache cannot be sent; send a plain object',
  ],
  [
    'class that calls itself Date',
    [new (class Date {})()],
    'Cannot send args[0]: an instance of class Date cannot be sent; send a plain object',
  ],
  [
    'object that only inherits from Date',
    [Object.create(Date.prototype)],
    'Cannot send args[0]: an instance of class Date cannot be sent; send a plain object',
  ],
  [
    'async iterable without hooks',
    [{ [Symbol.asyncIterator]: null }],
    'Cannot send args[0]: an instance of class Object cannot be sent; send a plain object',
  ],
  ['throwing getter', [{ b: throwing }], 'Cannot send args[0].b.a: reading it threw an error'],
  ['throwing proxy', [{ b: [hostile] }], 'Cannot send args[0].b[0]: reading it threw an error'],
  ['disposed secret', { s: disposed }, 'Cannot send args.s: reading it threw an error'],
  ['value in a Map', [new Map<unknown, unknown>([['k', { f: () => 1 }]])], 'Cannot send args[0][1].f: a function cannot be sent'],
  ['key that is no name', { 'a b': { '0': { é: Symbol.iterator } } }, 'Cannot send args["a b"]["0"]["é"]: a symbol cannot be sent'],
];

describe('codec at its limits', () => {
  for (const [name, value, message] of REFUSED) {
    test(`The sender refuses a ${name} and names its path`, () => {
      assert.equal(refusal(value), message);
    });
  }

  test('What a getter threw is the cause of the refusal', () => {
    assert.equal((errorOf(() => encode(throwing, 'args', 0)).cause as Error).message, 'no');
  });

  test('A very long path is shortened', () => {
    const message = refusal({ ['k'.repeat(1000)]: { z: () => 1 } });
    assert.ok(message.length < 260 && message.endsWith('kk.z: a function cannot be sent'), message);
  });

  test('128 levels of nesting pass both sides, one more neither', () => {
    assert.deepEqual(decode(encode(nested(128), 'args', 0)), nested(128));
    assert.equal(errorOf(() => encode(nested(129), 'args', 0)).code, 'ERR_MITOS_LIMIT');
    assert.equal(errorOf(() => decode(Buffer.from('['.repeat(129) + ']'.repeat(129)))).code, 'ERR_MITOS_LIMIT');
    assert.equal(errorOf(() => decode(Buffer.from(`${'['.repeat(1e6)}`))).code, 'ERR_MITOS_LIMIT');
  });

  test('Nesting of tagged values has the same limit', () => {
    let map: unknown = new Map();
    for (let level = 1; level < 128; level++) map = new Map([[level, map]]);
    assert.deepEqual(decode(encode(map, 'args', 0)), map);
    assert.equal(errorOf(() => encode([map], 'args', 0)).code, 'ERR_MITOS_LIMIT');
    const text = '{"$":"Map","v":[1,'.repeat(129) + '1' + ']}'.repeat(129);
    assert.equal(errorOf(() => decode(Buffer.from(text))).code, 'ERR_MITOS_LIMIT');
  });

  test('The number of values has a limit on both sides', () => {
    const limits = { ...DEFAULT_LIMITS, maxNodes: 100 };
    const fits = Array.from({ length: 99 }, (_, index) => index);
    assert.deepEqual(decode(encode(fits, 'args', 0, {}, limits), {}, limits), fits);
    assert.equal(
      errorOf(() => encode([...fits, 1], 'args', 0, {}, limits)).message,
      'Cannot send args: it has more than 100 values (maxNodes)',
    );
    assert.equal(errorOf(() => decode(encode([...fits, 1], 'args', 0), {}, limits)).code, 'ERR_MITOS_LIMIT');
    const lists = Array.from({ length: 30 }, () => [{}, 'a,b[']);
    assert.deepEqual(decode(encode(lists, 'args', 0, {}, limits), {}, limits), lists);
  });

  test('A sparse array of any length is refused in bounded time', () => {
    const limits = { ...DEFAULT_LIMITS, maxNodes: 1e4 };
    assert.equal(errorOf(() => encode(Object.assign([], { length: 2 ** 32 - 1 }), 'args', 0, {}, limits)).code, 'ERR_MITOS_LIMIT');
  });

  test('The size of a message has a limit on both sides', () => {
    const limits = { ...DEFAULT_LIMITS, maxMessageBytes: 100 };
    assert.equal(encode('x'.repeat(98), 'args', 0, {}, limits).length, 100);
    for (const value of ['x'.repeat(99), 'é'.repeat(50), new Uint8Array(100), [['x'.repeat(200)]]]) {
      const error = errorOf(() => encode(value, 'args', 0, {}, limits));
      assert.equal(error.code, 'ERR_MITOS_TOO_LARGE');
      assert.match(error.message, /^Cannot send args: it takes \d+ bytes or more, the limit is 100 \(maxMessageBytes\)$/);
    }
    assert.equal(errorOf(() => decode(Buffer.alloc(101, ' '), {}, limits)).code, 'ERR_MITOS_TOO_LARGE');
  });

  test('A bigint of more than 4096 bits is refused by the sender and cut by the receiver', () => {
    assert.equal(errorOf(() => encode([2n ** 4096n], 'args', 0)).message, 'Cannot send args[0]: it is a bigint of more than 4096 bits');
    assert.ok((decode(Buffer.from(`{"$":"bigint","v":"${'9'.repeat(1e6)}"}`)) as bigint) < 10n ** 1236n);
  });

  test('The receiver refuses malformed payloads with a protocol error', () => {
    const text = '{"$":"Uint8Array","v":3}';
    const header = (length: number) => Buffer.from([0, 0, 0, 0, length]);
    const malformed: (string | Buffer)[] = [
      '{',
      '\x01',
      '\0',
      '\0\0\0\0\0',
      '\0\xff\xff\xff\xff{}',
      '[1]garbage',
      '{"$":"Profile","v":1}',
      '{"$":5}',
      '{"$":"ref","v":0}',
      '[{"$":"ref","v":-1}]',
      '[{"$":"ref","v":"__proto__"}]',
      '[{"$":"ref","v":"length"}]',
      '{"$":"URL","v":"nonsense"}',
      '{"$":"bigint","v":"x"}',
      '{"$":"object","v":null}',
      '{"$":"live","v":1}',
      '{"$":"Function","v":0}',
      '{"$":"Uint8Array","v":1}',
      '{"$":"Uint8Array","v":-1}',
      '{"$":"Uint8Array","v":{"valueOf":1}}',
      Buffer.concat([header(24), Buffer.from(text), Buffer.alloc(2)]),
      Buffer.concat([header(24), Buffer.from(text), Buffer.alloc(4)]),
      Buffer.concat([header(2), Buffer.from('[]'), Buffer.alloc(1)]),
      Buffer.concat([header(25), Buffer.from('{"$":"Int16Array","v":3}'), Buffer.alloc(3)]),
    ];
    for (const payload of malformed) assert.equal(protocolError(payload), 'ERR_MITOS_PROTOCOL', String(payload));
  });

  test('A protocol error does not repeat the payload', () => {
    const error = errorOf(() => decode(Buffer.from('hunter2')));
    assert.ok(!JSON.stringify([error.message, error.stack, String(error.cause)]).includes('hunter2'));
  });
});
