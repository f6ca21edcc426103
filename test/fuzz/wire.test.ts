/** Bytes by chance. A fresh seed each run, printed here; `MITOS_SEED=<seed>` replays one and `MITOS_FUZZ_RUNS` makes it longer. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Assembler, BulkSender } from '#src/core/bulk.js';
import { MitosError } from '#src/core/errors.js';
import { BULK_CREDIT, CALL, CANCEL } from '#src/core/handles.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { fromReason } from '#src/core/reason.js';
import { dataOf, FrameParser, HEADER, handleOf, makeFrame, NORMAL } from '#src/core/wire.js';
import { createRandom, seedFromEnv } from '#src/testing/index.js';

const seed = seedFromEnv();
const numRuns = Number(process.env['MITOS_FUZZ_RUNS'] ?? 500);
console.log(`wire fuzz: MITOS_SEED=${seed}, ${numRuns} runs`);

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const frame = fc
  .tuple(fc.nat(255), u32, u32, u32, u32, fc.uint8Array({ maxLength: 300 }))
  .map(([flags, dst, src, handle, replyTo, data]) => makeFrame(flags, dst, src, handle, replyTo, data));

/** Cuts `bytes` at the given places, in whatever order they come. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test('FrameParser gives back the frames of any bytes, however they are cut and however deep it is pushed to', () => {
  const property = fc.property(
    fc.array(frame, { maxLength: 20 }),
    fc.array(fc.nat(), { maxLength: 30 }),
    fc.nat(3),
    (frames, places, depth) => {
      const chunks = cut(Buffer.concat(frames), places);
      const parser = new FrameParser();
      const got: Buffer[] = [];
      let nested = 0;
      const onFrame = (one: Buffer): void => {
        got.push(Buffer.from(one));
        if (nested >= depth) return;
        nested++;
        const next = chunks.shift();
        if (next) parser.push(next, onFrame);
        nested--;
      };
      for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) parser.push(chunk, onFrame);
      assert.deepEqual(got, frames);
      assert.equal(parser.isInside, false);
    },
  );
  fc.assert(property, { seed, numRuns });
});

test('FrameParser ends with ERR_MITOS_PROTOCOL or ERR_MITOS_VERSION, or waits, whatever it is given', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 500 }),
    fc.tuple(fc.array(frame, { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat(255)).map(([frames, at, value]) => {
      const all = Buffer.concat(frames);
      all[at % all.length] = value;
      return all;
    }),
  );
  const property = fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (all, places) => {
    const parser = new FrameParser();
    try {
      for (const chunk of cut(Buffer.from(all), places))
        parser.push(chunk, (one) => assert.equal(one.length, HEADER + one.readUInt32BE(24)));
    } catch (error) {
      assert.ok(MitosError.is(error), String(error));
      assert.ok(['ERR_MITOS_PROTOCOL', 'ERR_MITOS_VERSION'].includes(error.code));
    }
  });
  fc.assert(property, { seed, numRuns });
});

test('Large and small messages arrive whole, once and in the order of their mailbox, with any window and any delay', () => {
  for (let run = 0; run < numRuns / 10; run++) {
    const random = createRandom((seed + run) % 2 ** 32);
    const limits = { ...DEFAULT_LIMITS, bulkWindowBytes: 4 << random.int(20) };
    const lanes: Buffer[][] = [[], []]; // what overtakes, and bulk
    const back: Buffer[] = [];
    const got = new Map<number, number[]>();
    const sent = new Map<number, number[]>();
    const keyOf = (handle: number): number => (handle === CANCEL ? CALL : handle);
    const sender = new BulkSender(limits.bulkWindowBytes, (one) => lanes[1]?.push(one));
    const assembler = new Assembler(2, limits, (one) => back.push(one));
    const take = (message: Buffer | undefined): void => {
      if (!message) return;
      const data = dataOf(message);
      for (const byte of data.subarray(4, 10)) assert.equal(byte, data[0]);
      const key = keyOf(handleOf(message));
      got.set(key, [...(got.get(key) ?? []), data.readUInt32BE(0)]);
    };
    const step = (): void => {
      // As in a stream: what is more urgent always leaves first.
      const dice = random.int(4);
      if (dice < 3 && lanes[0]?.length) take(lanes[0].shift());
      else if (dice < 3 && lanes[1]?.length) take(assembler.add(lanes[1].shift() as Buffer));
      if (dice === 3)
        for (const credit of back.splice(0, 1 + random.int(3))) if (handleOf(credit) === BULK_CREDIT) sender.credit(2, dataOf(credit));
    };
    for (let number = 1; number < 40; number++) {
      const handle = random.pick([CALL, CANCEL, 300, 301]);
      const data = Buffer.alloc(random.pick([10, 10, 100, 65536, 65537, 200_000]), number);
      data.writeUInt32BE((data[0] as number) * 0x1010101, 0);
      sent.set(keyOf(handle), [...(sent.get(keyOf(handle)) ?? []), data.readUInt32BE(0)]);
      const message = makeFrame(NORMAL, 2, 1, handle, 0, data);
      if (!sender.take(message, 2, handle)) lanes[0]?.push(message);
      for (let count = random.int(8); count > 0; count--) step();
    }
    for (let turn = 0; turn < 100_000 && (lanes[0]?.length || lanes[1]?.length || back.length); turn++) step();
    assert.deepEqual(got, new Map([...got.keys()].map((key) => [key, sent.get(key)])), `seed ${seed + run}`);
    assert.deepEqual(new Set(got.keys()), new Set(sent.keys()));
    assert.deepEqual([sender.size, assembler.size], [0, 0]);
  }
});

test('Assembler survives any fragments', () => {
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes: 5000, maxAssemblyBytes: 20_000, bulkWindowBytes: 1000 };
  const property = fc.property(
    fc.array(fc.tuple(fc.nat(3), fc.nat(5), fc.oneof(fc.nat(6000), u32), fc.nat(300)), { maxLength: 100 }),
    (pieces) => {
      const assembler = new Assembler(9, limits, () => {});
      for (const [src, id, total, size] of pieces) {
        const piece = makeFrame(10, 9, src, 70, 70000, Buffer.alloc(size));
        if (size >= 8) {
          piece.writeUInt32BE(id, HEADER);
          piece.writeUInt32BE(total, HEADER + 4);
        }
        const message = assembler.add(piece);
        if (message) assert.ok(message.length - HEADER <= 5000 && message.length === HEADER + message.readUInt32BE(24));
      }
      assembler.forget({ ids: [0, 1, 2, 3], pages: [] });
      assert.equal(assembler.size, 0);
    },
  );
  fc.assert(property, { seed, numRuns });
});

test('A reason may be anything and becomes an error of bounded size', () => {
  const property = fc.property(
    fc.oneof(
      fc.jsonValue(),
      fc.record({ code: fc.jsonValue(), message: fc.jsonValue(), hint: fc.jsonValue(), via: fc.jsonValue(), data: fc.jsonValue() }),
    ),
    (value) => {
      const error = fromReason(value);
      assert.ok(MitosError.is(error) && /^ERR_MITOS_[A-Z_]+$/.test(error.code) && error.message.length <= 8192);
    },
  );
  fc.assert(property, { seed, numRuns });
});
