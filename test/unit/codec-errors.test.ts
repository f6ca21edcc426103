import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { decode, type ErrorData, encode, errorFromData, errorToData } from '#src/core/codec.js';
import { ConnectError, MitosError } from '#src/core/errors.js';
import { Secret } from '#src/core/secret.js';

type Fields = Error & Record<string, unknown>;

function overWire<T>(value: T): T {
  return decode(encode(value, 'args', 0)) as T;
}

/** Through data and the codec, the way a reply goes. */
function revived(error: unknown): Fields {
  return errorFromData(overWire(errorToData(error))) as Fields;
}

describe('errors on the wire', () => {
  for (const Class of [Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError]) {
    test(`${Class.name} arrives as ${Class.name} with message and stack`, () => {
      const error = new Class('what');
      for (const copy of [revived(error), overWire(error)]) {
        assert.equal(Object.getPrototypeOf(copy), Class.prototype);
        assert.equal(copy.message, 'what');
        assert.equal(copy.stack, error.stack);
        assert.deepEqual(Object.keys(copy), []);
      }
    });
  }

  test('AggregateError keeps its errors', () => {
    const copy = revived(new AggregateError([new TypeError('a'), 5], 'all')) as unknown as AggregateError;
    assert.ok(copy instanceof AggregateError);
    assert.ok(copy.errors[0] instanceof TypeError);
    assert.equal(copy.errors[1], 5);
  });

  test('An error of a class unknown here is an Error with that name', () => {
    class DbError extends Error {
      override name = 'DbError';
    }
    const copy = revived(new DbError('x'));
    assert.equal(Object.getPrototypeOf(copy), Error.prototype);
    assert.equal(copy.name, 'DbError');
    assert.deepEqual(Object.keys(copy), []);
    assert.equal(String(copy), 'DbError: x');
  });

  test('Code, own data and the chain of causes are kept', () => {
    const error = Object.assign(new Error('a', { cause: new RangeError('b', { cause: 'c' }) }), {
      code: 'ENOENT',
      errno: -2,
      at: new Date(1),
      map: new Map([[1, 2n]]),
    });
    for (const copy of [revived(error), overWire(error) as unknown as Fields]) {
      assert.equal(copy['code'], 'ENOENT');
      assert.equal(copy['errno'], -2);
      assert.deepEqual(copy['at'], new Date(1));
      assert.deepEqual(copy['map'], new Map([[1, 2n]]));
      assert.ok(copy.cause instanceof RangeError);
      assert.equal(copy.cause.cause, 'c');
    }
  });

  test('An error of mitos keeps class, code, hint, via and data', () => {
    const error = new ConnectError('ERR_MITOS_AUTH', 'Cannot connect', {
      hint: 'Add a key',
      via: ['web', 'db'],
      data: { stage: 'auth', exitCode: 255 },
      cause: new Error('x'),
    });
    const copy = revived(error);
    assert.ok(copy instanceof ConnectError && MitosError.is(copy));
    assert.equal(copy.code, 'ERR_MITOS_AUTH');
    assert.equal(copy.hint, 'Add a key');
    assert.deepEqual(copy.via, ['web', 'db']);
    assert.equal((copy as unknown as Fields)['stage'], 'auth');
    assert.equal((copy as unknown as Fields)['exitCode'], 255);
    assert.equal((copy.cause as Error).message, 'x');
  });

  test('What was thrown but is no error arrives as it was', () => {
    for (const value of [5, undefined, null, 'text', { a: [1] }, NaN]) assert.deepEqual(revived(value), value);
    assert.equal(revived(() => 1).message, 'A value that cannot be sent was thrown: a function');
  });

  test('Own data that cannot be sent is left out and the rest stays', () => {
    const error = Object.assign(new Error('a'), { socket: new (class Socket {})(), fn: () => 1, path: '/x' });
    for (const copy of [revived(error), overWire(error) as unknown as Fields]) assert.deepEqual(Object.keys(copy), ['path']);
  });

  test('Errors that contain themselves end', () => {
    const error = Object.assign(new Error('a'), { self: {} });
    error.self = error;
    error.cause = Object.assign(new Error('b', { cause: error }), { list: [error, error] });
    assert.equal((revived(error).cause as Error).message, 'b');
    assert.equal((overWire(error).cause as Error).message, 'b');
  });

  test('Reading an error never throws, whatever its getters and traps do', () => {
    const fail = (): never => {
      throw new Error('trap');
    };
    const formatted = new Error('a');
    assert.ok(formatted.stack); // V8 formats it on first use, with the name at that time
    const getters = Object.defineProperties(formatted, {
      name: { get: fail },
      stack: { get: fail },
      cause: { get: fail },
      data: { get: fail, enumerable: true },
    });
    assert.equal(revived(getters).message, 'a');
    const traps = new Proxy(new Error('a'), { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail });
    assert.equal(revived(traps).message, 'A value that cannot be sent was thrown: a object');
    const { proxy, revoke } = Proxy.revocable(new Error('a'), {});
    revoke();
    assert.ok(revived(proxy) instanceof Error);
  });

  test('Long texts and long chains are cut', () => {
    let error = new Error('x'.repeat(1e6));
    assert.equal(errorToData(error).message?.length, 0x10000);
    for (let level = 0; level < 1000; level++) error = new Error('y', { cause: error });
    let depth = 0;
    for (let data: ErrorData | undefined = errorToData(error); data; data = data.cause) depth++;
    assert.equal(depth, 8);
  });

  test('Hostile error data makes a harmless error', () => {
    const cyclic: Record<string, unknown> = { name: 'AggregateError', errors: [] };
    cyclic['cause'] = cyclic;
    cyclic['errors'] = Array.from({ length: 100 }, () => cyclic);
    const copy = errorFromData(overWire(cyclic)) as Fields;
    assert.equal(copy.cause, copy);
    const data: unknown = JSON.parse(
      '{"name":"constructor","message":5,"stack":{},"code":{},"data":{"__proto__":{"x":1},"toString":1,"constructor":2,"message":3,"ok":4}}',
    );
    const plain = errorFromData(data) as Fields;
    assert.equal(Object.getPrototypeOf(plain), Error.prototype);
    assert.deepEqual(Object.keys(plain), ['ok']);
    assert.equal(plain.stack, 'constructor: ');
    for (const name of ['Function', 'Object', '__proto__', 'process']) {
      assert.equal(Object.getPrototypeOf(errorFromData({ name })), Error.prototype);
    }
    for (const odd of [5, null, undefined, 'x', [], { data: 5, errors: {} }, { name: 'Error', data: 'text', errors: 'text', cause: 1 }])
      errorFromData(odd);
  });
});

/** The live bytes of a secret: internal, so not in the published types. */
function bytesOf(secret: Secret): Buffer {
  return (secret as unknown as { bytes(): Buffer }).bytes();
}

describe('Secret', () => {
  test('A secret shows itself to reveal only', () => {
    const secret = new Secret('hunter2');
    assert.equal(secret.reveal(), 'hunter2');
    for (const shown of [
      String(secret),
      String([secret]),
      JSON.stringify({ secret }),
      inspect(secret, { showHidden: true, depth: 9 }),
      inspect([secret]),
    ]) {
      assert.ok(shown.includes('[secret]') && !shown.includes('hunter2'), shown);
    }
    assert.deepEqual(Object.keys(secret), []);
  });

  test('A secret copies the bytes it is made of and keeps them exactly', () => {
    const source = Buffer.from([0xff, 0x00, 0x80]);
    const secret = new Secret(source);
    source.fill(0);
    assert.deepEqual([...bytesOf(overWire(secret))], [0xff, 0x00, 0x80]);
  });

  test('A disposed secret has zeroed its bytes and reveals nothing', () => {
    const secret = new Secret('hunter2');
    const live = bytesOf(secret);
    secret.dispose();
    secret.dispose();
    assert.deepEqual(live, Buffer.alloc(7));
    assert.throws(() => secret.reveal(), TypeError);
  });

  test('A secret is made of text or bytes only', () => {
    for (const value of [undefined, null, 5, {}, ['a']]) assert.throws(() => new Secret(value as never), TypeError);
    assert.ok(!Secret.is('x') && !Secret.is(null) && !Secret.is({}));
  });
});
