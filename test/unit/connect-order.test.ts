/** Orders to connect: what travels of options, and how secrets in them do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from 'mitos';
import { packOrder, unpackOrder } from '#src/core/connect-order.js';

const order = (options: object): Parameters<typeof packOrder>[0] => ({ id: 7, name: 'web', method: 'sudo', options: options as never });

test('options arrive as they were, and secrets as bytes of their own', () => {
  const options = { a: 1, b: { c: ['x'] }, password: new Secret('p\nä'), prompts: [{ expect: 'q', send: new Secret('s') }] };
  const unpacked = unpackOrder(packOrder(order(options)));
  assert.deepEqual(unpacked, order({ ...options, password: Buffer.from('p\nä'), prompts: [{ expect: 'q', send: Buffer.from('s') }] }));
});

test('any secrets, anywhere in the options, come out where they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uint8Array(), fc.string(), fc.integer())), (values) => {
      const packed = packOrder(
        order({ values: values.map((value) => (value instanceof Uint8Array ? new Secret(Buffer.from(value).toString('latin1')) : value)) }),
      );
      const expected = values.map((value) => (value instanceof Uint8Array ? Buffer.from(Buffer.from(value).toString('latin1')) : value));
      assert.deepEqual(unpackOrder(packed).options['values'], expected);
    }),
  );
});

test('a secret is in the text of no order, and is overwritten once it was read', () => {
  const packed = packOrder(order({ password: new Secret('hunter2') }));
  assert.ok(!packed.toString('utf8', 0, packed.indexOf(10)).includes('hunter2'));
  unpackOrder(packed);
  assert.ok(!packed.includes('hunter2'));
});

test('an order that is cut short is refused', () => {
  const packed = packOrder(order({ password: new Secret('hunter2') }));
  assert.throws(() => unpackOrder(packed.subarray(0, -1)), { code: 'ERR_MITOS_PROTOCOL' });
});
