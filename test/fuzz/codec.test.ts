/** Values and payloads by chance. Each run has a fresh seed, printed here; `MITOS_SEED=<seed>` replays one and `MITOS_FUZZ_RUNS` makes it longer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decode, encode, errorFromData, errorToData } from '#src/core/codec.js';
import { MitosError } from '#src/core/errors.js';
import { seedFromEnv } from '#src/testing/random.js';

const seed = seedFromEnv();
const numRuns = Number(process.env['MITOS_FUZZ_RUNS'] ?? 1000);
console.log(`codec fuzz: MITOS_SEED=${seed}, ${numRuns} runs`);

const key = fc.oneof(fc.string(), fc.constantFrom('$', 'v', '__proto__', 'constructor', 'toString', 'toJSON', 'then', 'length', '0', '17'));
const view = fc.uint8Array({ maxLength: 64 }).chain((bytes) => {
  const { buffer } = new Uint8Array((bytes.length + 7) & ~7); // whole elements of every size
  new Uint8Array(buffer).set(bytes);
  return fc.constantFrom<unknown>(
    bytes,
    Buffer.from(bytes),
    buffer,
    new DataView(buffer),
    new Int16Array(buffer),
    new Float32Array(buffer),
    new Float64Array(buffer),
    new BigUint64Array(buffer),
  );
});
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom<unknown>(undefined, null, NaN, -0, Infinity, -Infinity, '\ud800', '"$":', '{"$":"ref","v":0}'),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 4096n) + 1n, max: 2n ** 4096n - 1n }),
  fc.date({ noInvalidDate: true }),
  fc.webUrl().map((text) => new URL(text)),
  view,
);

/** An object whose keys are all own properties, `__proto__` too. */
function ownObject(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of entries) Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  return object;
}

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 8 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 8 }).map(ownObject),
    fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => new Set(items)),
    fc.tuple(fc.string(), fc.constantFrom(Error, TypeError, RangeError), fc.array(leaf)).map(([message, Class, data]) => {
      return Object.assign(new Class(message), { data, code: message });
    }),
    // The same object in several places, and one that contains itself.
    tie('tree').map((item) => [item, { item }, new Map([[item, [item]]])]),
    tie('tree').map((item) => {
      const list: unknown[] = [item];
      list.push(list, new Map([['list', list]]));
      return list;
    }),
  ),
}));

const prototypes = [Object.prototype, Array.prototype, Map.prototype, Error.prototype, Function.prototype];
const ownKeys = prototypes.map((prototype) => Reflect.ownKeys(prototype));

/** Decodes: gives whether it went well; fails on anything but a value or an error of mitos. */
function tryDecode(payload: Buffer): boolean {
  let isFine = true;
  try {
    errorFromData(decode(payload));
  } catch (error) {
    if (!MitosError.is(error)) throw error;
    assert.match(error.code, /^ERR_MITOS_(PROTOCOL|LIMIT|TOO_LARGE)$/);
    isFine = false;
  }
  assert.deepEqual(
    prototypes.map((prototype) => Reflect.ownKeys(prototype)),
    ownKeys,
  );
  return isFine;
}

/** Text that looks like what the codec writes, with any of its parts replaced. */
const tag = fc.constantFrom(
  'undefined',
  'number',
  'bigint',
  'Date',
  'URL',
  'Map',
  'Set',
  'Uint8Array',
  'ArrayBuffer',
  'Float64Array',
  'Buffer',
);
const otherTag = fc.constantFrom<unknown>('Error', 'object', 'ref', 'live', 'Secret', 'Function', '__proto__', 'constructor', 5, null);
const { forged } = fc.letrec<{ forged: unknown }>((tie) => ({
  forged: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom<unknown>(0, 1, 2, -1, 0.5, 1e9, null, '', '__proto__', 'length', '9', true),
    fc.array(tie('forged'), { maxLength: 6 }),
    fc
      .array(fc.tuple(fc.oneof(key, fc.constantFrom('name', 'message', 'cause', 'errors', 'data', 'code')), tie('forged')), {
        maxLength: 6,
      })
      .map(ownObject),
    fc.tuple(fc.oneof(tag, otherTag), tie('forged')).map(([$, v]) => ({ $, v })),
    fc.tuple(fc.constantFrom('Error', 'AggregateError', 'ConnectError'), tie('forged')).map(([name, v]) => ({
      $: 'Error',
      v: { name, code: 'ERR_MITOS_AUTH', cause: v, errors: [v], data: v },
    })),
  ),
}));

function framed(text: string, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([header, Buffer.from(text), bytes]);
}

describe('codec fuzz', () => {
  const settings = { seed: seed | 0, numRuns }; // fast-check shows the seed as a signed number

  test('Any value that can be sent arrives equal to what it was', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const payload = encode(value, 'args', 28).subarray(28);
        assert.deepEqual(decode(Buffer.from(payload)), value);
      }),
      settings,
    );
  });

  test('What was decoded encodes to the same bytes again', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const payload = encode(value, 'args', 0);
        assert.deepEqual(encode(decode(Buffer.from(payload)), 'args', 0), payload);
      }),
      settings,
    );
  });

  test('Any thrown value becomes data and back without an exception', () => {
    fc.assert(
      fc.property(fc.anything({ withProxy: true, withSparseArray: true, withNullPrototype: true } as object), (value) => {
        errorFromData(decode(encode(errorToData(value), 'error', 0)));
        errorFromData(decode(encode(errorToData(Object.assign(new Error('x'), { value, cause: value })), 'error', 0)));
      }),
      settings,
    );
  });

  test('Random bytes throw nothing but errors of mitos and touch no prototype', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        tryDecode(Buffer.from(bytes));
      }),
      settings,
    );
  });

  test('Truncated and mutated payloads throw nothing but errors of mitos and touch no prototype', () => {
    const mutation = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(tree, fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(), (value, mutations, cut) => {
        const payload = encode([value], 'args', 0);
        tryDecode(Buffer.from(payload.subarray(0, cut % payload.length)));
        for (const [at, byte] of mutations) payload[at % payload.length] = byte;
        tryDecode(payload);
      }),
      settings,
    );
  });

  test('Forged tags throw nothing but errors of mitos and touch no prototype', () => {
    let fine = 0;
    fc.assert(
      fc.property(forged, fc.uint8Array({ maxLength: 16 }), (value, bytes) => {
        const text = JSON.stringify(value);
        if (tryDecode(Buffer.from(text))) fine++;
        tryDecode(framed(text, bytes));
      }),
      settings,
    );
    assert.ok(fine > 0, 'no forged payload got through: the test has lost its teeth');
  });

  test('Decoding takes no more than 50 ms for each MiB of hostile text', () => {
    const size = 1 << 20;
    const texts = [
      '['.repeat(size),
      `[${'[],'.repeat(size / 3)}0]`,
      `[${'{"$":"Map","v":[]},'.repeat(size / 19)}0]`,
      `[${'{"$":"ref","v":0},'.repeat(size / 18)}0]`,
      `[${'{"$":"Uint8Array","v":0},'.repeat(size / 25)}0]`,
      `{"$":"bigint","v":"${'9'.repeat(size)}"}`,
      `"${'\\"'.repeat(size / 2)}"`,
      `[${'{"$":"Error","v":{"name":"TypeError"}},'.repeat(size / 40)}0]`,
    ];
    for (const text of texts) {
      let best = Infinity;
      for (let round = 0; round < 5; round++) {
        const start = process.hrtime.bigint();
        tryDecode(framed(text, new Uint8Array()));
        tryDecode(Buffer.from(text));
        best = Math.min(best, Number(process.hrtime.bigint() - start) / 2e6);
      }
      assert.ok(best < 250, `${text.slice(0, 30)}: ${best} ms`);
      if (best > 50) console.log(`slow: ${text.slice(0, 40)}: ${best.toFixed(0)} ms`);
    }
  });
});
