import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { type CodecHooks, decode, encode } from '#src/core/codec.js';
import { MitosError } from '#src/core/errors.js';
import { Secret } from '#src/core/secret.js';

const HEADROOM = 28;

function encoded(value: unknown, hooks?: CodecHooks): Buffer {
  return encode(value, 'args', HEADROOM, hooks).subarray(HEADROOM);
}

function roundTrip<T>(value: T, hooks?: CodecHooks): T {
  return decode(encoded(value, hooks), hooks) as T;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(MitosError.is(error), `not an error of mitos: ${String(error)}`);
    return error.code;
  }
  return 'no error';
}

const bytes = Uint8Array.from({ length: 300 }, (_, index) => index);

const KEPT: Record<string, unknown> = {
  null: null,
  undefined: undefined,
  booleans: [true, false],
  numbers: [0, -0, 1, -1.5, 1e21, 5e-324, Number.MAX_VALUE, NaN, Infinity, -Infinity],
  'undefined in arrays and objects': [undefined, { a: undefined }],
  bigints: [0n, -1n, 2n ** 4096n - 1n, -(2n ** 4095n)],
  strings: ['', 'a"b\\c\n\u0000\u2028', 'é€😀', '\ud800', 'x\udc00y', '$', '"$":', '__proto__', 'x'.repeat(100_000)],
  dates: [new Date(0), new Date(-1), new Date(8.64e15)],
  urls: [new URL('https://user:pw@example.com:8080/a%20b?c=d#e')],
  maps: new Map<unknown, unknown>([
    ['a', 1],
    [{ k: 1 }, new Map([[NaN, undefined]])],
    [-0, 'zero'],
  ]),
  sets: new Set([1, 'a', undefined, new Set([null])]),
  'byte arrays': [bytes, new Uint8Array(), Buffer.from('abc'), bytes.subarray(10, 20)],
  'other views': [
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-2, 3]),
    new Uint16Array([65535]),
    new Int32Array([-(2 ** 31)]),
    new Uint32Array([2 ** 32 - 1]),
    new Float32Array([1.5, NaN]),
    new Float64Array([Math.PI, -0]),
    new BigInt64Array([-(2n ** 63n)]),
    new BigUint64Array([2n ** 64n - 1n]),
    new DataView(new Uint8Array([1, 2, 3]).buffer, 1),
  ],
  'array buffers': new Uint8Array([1, 2, 3]).buffer,
  'plain objects': { a: 1, 'b c': { d: [] }, 3: 'three', '': {} },
  'objects with the key that marks types': [
    { $: 1 },
    { $: 'Date', v: 0 },
    { $: { $: 'ref', v: 0 } },
    { $: undefined, a: [{ $: new Date(5) }] },
  ],
  'objects with keys of Object.prototype': [{ constructor: 1, toString: 'x', hasOwnProperty: null, toJSON: 3, then: 4 }],
  errors: [
    new Error('a'),
    new TypeError('b', { cause: new RangeError('c') }),
    Object.assign(new Error('d'), { code: 'E', detail: { e: 1n } }),
  ],
};

describe('codec', () => {
  for (const [name, value] of Object.entries(KEPT)) {
    test(`A message keeps ${name}`, () => {
      assert.deepEqual(roundTrip(value), value);
    });
  }

  test('An invalid date arrives as an invalid date', () => {
    const copy = roundTrip(new Date(NaN));
    assert.ok(copy instanceof Date && Number.isNaN(copy.getTime()));
  });

  test('Each view arrives with the class it had', () => {
    for (const view of KEPT['byte arrays'] as object[]) assert.equal(roundTrip(view).constructor, view.constructor);
    for (const view of KEPT['other views'] as object[]) assert.equal(roundTrip(view).constructor, view.constructor);
  });

  test('A view takes only its own bytes along', () => {
    assert.equal(roundTrip({ view: new Uint16Array(new ArrayBuffer(1000), 2, 3) }).view.buffer.byteLength, 6);
  });

  test('Byte arrays of 64 KiB are views on the payload and smaller ones are copies', () => {
    const payload = encoded([new Uint8Array(0x10000), new Uint8Array(0xffff), Buffer.alloc(0x10000)]);
    const [large, small, buffer] = decode(payload) as [Uint8Array, Uint8Array, Buffer];
    assert.equal(large.buffer, payload.buffer);
    assert.notEqual(small.buffer, payload.buffer);
    assert.equal(buffer.buffer, payload.buffer);
  });

  test('An empty payload is undefined, and only undefined has one', () => {
    assert.equal(encode(undefined, 'args', HEADROOM).length, HEADROOM);
    assert.equal(decode(Buffer.alloc(0)), undefined);
    assert.ok(encoded(null).length > 0);
  });

  test('Payloads have the documented bytes', () => {
    const golden: [unknown, string][] = [
      [[1, 'a'], '[1,"a"]'],
      [{ a: 1, b: [1, 2, 3], c: 'é' }, '{"a":1,"b":[1,2,3],"c":"é"}'],
      [[undefined, NaN, -0, 5n], '[{"$":"undefined","v":0},{"$":"number","v":"NaN"},{"$":"number","v":"-0"},{"$":"bigint","v":"5"}]'],
      [[new Date(0), new Map([['a', new Set([1])]])], '[{"$":"Date","v":0},{"$":"Map","v":["a",{"$":"Set","v":[1]}]}]'],
      [{ $: 1 }, '{"$":"object","v":{"$":1}}'],
      [new Uint8Array([1, 2, 3]), '\0\0\0\0\x18{"$":"Uint8Array","v":3}\x01\x02\x03'],
      [[new Secret('pw'), Buffer.from('!')], '\0\0\0\0\x2b[{"$":"Secret","v":2},{"$":"Buffer","v":1}]pw!'],
    ];
    for (const [value, text] of golden) assert.equal(encoded(value).toString(), text);
    const object = {};
    assert.equal(encoded([object, [object]]).toString(), '[{},[{"$":"ref","v":1}]]');
  });

  test('The payload starts after the headroom', () => {
    assert.equal(encode([1], 'args', 5).subarray(5).toString(), '[1]');
    assert.equal(encode('é', 'args', 0).toString(), '"é"');
  });

  test('Shared references stay shared within one message', () => {
    const shared = { list: [new Date(1), bytes] };
    const many = Array.from({ length: 50 }, () => ({ shared, list: shared.list }));
    const copy = roundTrip(many);
    for (const item of copy) {
      assert.equal(item.shared, copy[0]?.shared);
      assert.equal(item.list, copy[0]?.shared.list);
    }
    assert.deepEqual(copy, many);
  });

  test('Cycles through arrays, objects, maps and sets are kept', () => {
    const map = new Map<unknown, unknown>();
    const set = new Set<unknown>([map]);
    const root: unknown[] = [{ map }, set];
    map.set('root', root).set(map, set);
    const copy = roundTrip(root) as [{ map: Map<unknown, unknown> }, Set<unknown>];
    assert.equal(copy[0].map.get('root'), copy);
    assert.equal(copy[0].map.get(copy[0].map), copy[1]);
    assert.ok(copy[1].has(copy[0].map));
  });

  test('Plain objects of another realm and without prototype arrive as plain objects', () => {
    const foreign: unknown = runInNewContext('({ a: [1, new Map([[1, new Date(3)]])], b: new Uint8Array(2), e: new RangeError("far") })');
    const copy = roundTrip(foreign) as Record<string, unknown>;
    assert.deepEqual(copy['a'], [1, new Map([[1, new Date(3)]])]);
    assert.deepEqual(copy['b'], new Uint8Array(2));
    assert.ok(copy['e'] instanceof RangeError);
    assert.deepEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
  });

  test('A key __proto__ stays an own property and changes no prototype', () => {
    for (const text of ['{"__proto__":{"polluted":1}}', '{"__proto__":{"polluted":1},"d":{"$":"Date","v":0}}']) {
      const value = decode(Buffer.from(text)) as object;
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
      assert.deepEqual(Object.getOwnPropertyDescriptor(value, '__proto__')?.value, { polluted: 1 });
      assert.deepEqual(roundTrip(value), value);
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  test('Holes arrive as undefined, and named properties of arrays, symbol keys and hidden properties stay behind', () => {
    const array = Object.assign([1, , 3], { extra: 1 }); // oxlint-disable-line no-sparse-arrays
    assert.deepEqual(roundTrip(array), [1, undefined, 3]);
    const object = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 });
    assert.deepEqual(roundTrip(object), { a: 1 });
  });

  test('A getter is read once and toJSON is never called', () => {
    let reads = 0;
    const value = {
      get a() {
        return ++reads;
      },
    };
    Object.defineProperty(value, 'toJSON', { value: () => assert.fail('toJSON was called') });
    assert.deepEqual(roundTrip([value]), [{ a: 1 }]);
    const polluted = Object.prototype as { toJSON?: unknown };
    polluted.toJSON = () => assert.fail('toJSON was called');
    try {
      assert.equal(encoded([{ a: 'é' }, new Date(0)]).toString(), '[{"a":"é"},{"$":"Date","v":0}]');
    } finally {
      delete polluted.toJSON;
    }
  });

  test('A secret arrives as a secret and its bytes in the payload are zeroed', () => {
    const payload = encoded({ password: new Secret('hunter2') });
    const { password } = decode(payload) as { password: Secret };
    assert.ok(Secret.is(password));
    assert.equal(password.reveal(), 'hunter2');
    assert.ok(!payload.includes('hunter2'));
  });

  test('Live values cross through the hooks, with the path at hand', () => {
    const live = new Proxy(new (class Sender {})(), {});
    const iterable = { [Symbol.asyncIterator]: () => assert.fail('it was iterated') };
    const paths: string[] = [];
    const hooks: CodecHooks = {
      encodeLive: (value, path) => (
        paths.push(path), value === live || value === iterable ? { handle: paths.length, $: 'ref' } : undefined
      ),
      decodeLive: (descriptor) => ({ got: descriptor }),
    };
    const date = new Date(0);
    const copy = roundTrip([live, { to: [live, iterable], date, again: date }], hooks) as [
      object,
      { to: object[]; date: Date; again: Date },
    ];
    assert.deepEqual(paths, ['args[0]', 'args[1].to[1]']);
    assert.deepEqual(copy[0], { got: { handle: 1, $: 'ref' } });
    assert.equal(copy[1].to[0], copy[0]);
    assert.equal(copy[1].date, copy[1].again);
    assert.equal(
      codeOf(() => roundTrip([new (class Other {})()], hooks)),
      'ERR_MITOS_NOT_SENDABLE',
    );
    assert.equal(
      codeOf(() => decode(encoded([live], hooks))),
      'ERR_MITOS_PROTOCOL',
    );
  });
});
