import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MitosError } from '#src/core/errors.js';
import {
  authOf,
  CONTROL,
  dataOf,
  dstOf,
  FrameParser,
  HEADER,
  handleOf,
  jsonFrame,
  jsonOf,
  MAX_FRAME_DATA,
  makeFrame,
  NORMAL,
  replyToOf,
  SHORT_HEADER,
  shorten,
  srcOf,
} from '#src/core/wire.js';

function parse(chunks: Buffer[]): Buffer[] {
  const frames: Buffer[] = [];
  const parser = new FrameParser();
  for (const chunk of chunks) parser.push(chunk, (frame) => frames.push(Buffer.from(frame)));
  return frames;
}

function codeOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    assert.ok(MitosError.is(error));
    return error.code;
  }
  return 'none';
}

test('A frame keeps its fields', () => {
  const frame = jsonFrame(NORMAL, 0xfffffffe, 7, 65, 0x80000001, { a: 'ü' });
  assert.equal(dstOf(frame), 0xfffffffe);
  assert.equal(srcOf(frame), 7);
  assert.equal(authOf(frame), 7);
  assert.equal(handleOf(frame), 65);
  assert.equal(replyToOf(frame), 0x80000001);
  assert.deepEqual(jsonOf(frame), { a: 'ü' });
  assert.equal(jsonOf(makeFrame(NORMAL, 1, 2, 3, 0, Buffer.from('{'))), undefined);
});

test('FrameParser gives the same frames wherever the bytes are cut', () => {
  const frames = [
    makeFrame(CONTROL, 1, 2, 3, 4),
    makeFrame(NORMAL, 1, 2, 65, 4, Buffer.from('hello')),
    makeFrame(NORMAL, 9, 2, 65, 4, Buffer.alloc(40, 7)),
  ];
  const bytes = Buffer.concat(frames);
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second += 3) {
      assert.deepEqual(parse([bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]), frames);
    }
  }
  assert.deepEqual(parse([...bytes].map((byte) => Buffer.from([byte]))), frames);
});

test('FrameParser takes a frame of 64 KiB, and knows whether it is inside of one', () => {
  const frame = makeFrame(NORMAL, 1, 2, 65, 0, Buffer.alloc(MAX_FRAME_DATA, 1));
  const parser = new FrameParser();
  let count = 0;
  const onFrame = (): void => void count++;
  assert.equal(parser.isInside, false);
  parser.push(frame.subarray(0, 40000), onFrame);
  assert.equal(parser.isInside, true);
  parser.push(frame.subarray(40000), onFrame);
  assert.equal(parser.isInside, false);
  assert.equal(count, 1);
});

test('FrameParser refuses what is no frame as ERR_MITOS_PROTOCOL and shows the bytes', () => {
  const good = makeFrame(NORMAL, 1, 2, 65, 0, Buffer.from('x'));
  const spoil = (at: number, value: number): Buffer => {
    const frame = Buffer.from(good);
    frame[at] = value;
    return frame;
  };
  assert.equal(
    codeOf(() => parse([Buffer.from('Segmentation fault (core dumped)\n')])),
    'ERR_MITOS_PROTOCOL',
  );
  assert.equal(
    codeOf(() => parse([spoil(0, 0)])),
    'ERR_MITOS_PROTOCOL',
  );
  assert.equal(
    codeOf(() => parse([spoil(3, 1)])),
    'ERR_MITOS_PROTOCOL',
  );
  assert.equal(
    codeOf(() => parse([good, spoil(0, 0)])),
    'ERR_MITOS_PROTOCOL',
  );
  assert.throws(() => parse([Buffer.alloc(HEADER, 0x61)]), /616161/);
});

test('FrameParser refuses another version of the wire as ERR_MITOS_VERSION', () => {
  const frame = makeFrame(NORMAL, 1, 2, 65, 0);
  frame[1] = 2;
  assert.equal(
    codeOf(() => parse([frame])),
    'ERR_MITOS_VERSION',
  );
});

test('FrameParser refuses a header that claims more than 64 KiB before any of it has come', () => {
  for (const length of [MAX_FRAME_DATA + 1, 0xffffffff]) {
    const frame = makeFrame(NORMAL, 1, 2, 65, 0);
    frame.writeUInt32BE(length, 24);
    assert.equal(
      codeOf(() => parse([frame])),
      'ERR_MITOS_PROTOCOL',
    );
  }
});

test('FrameParser that is pushed to while it hands over a frame keeps the order and loses nothing', () => {
  const frames = Array.from({ length: 4 }, (_, at) => makeFrame(NORMAL, at, 2, 65, 0, Buffer.alloc(10, at)));
  const bytes = Buffer.concat(frames);
  const cut = bytes.length - 20; // inside the last frame
  const parser = new FrameParser();
  const got: number[] = [];
  let isNested = false;
  const onFrame = (frame: Buffer): void => {
    got.push(dstOf(frame));
    assert.equal(dataOf(frame)[0], dstOf(frame));
    if (isNested) return;
    isNested = true;
    parser.push(bytes.subarray(cut), onFrame);
  };
  parser.push(bytes.subarray(0, cut), onFrame);
  assert.deepEqual(got, [0, 1, 2, 3]);
  assert.equal(parser.isInside, false);
});

test('A frame with small numbers and little data comes through a short header as it was', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const word = fc.oneof(fc.integer({ min: 0, max: 0x7fff }), fc.integer({ min: 0x10000, max: 0x17fff }));
  fc.assert(
    fc.property(byte, byte, byte, word, word, byte, fc.uint8Array({ maxLength: 255 }), (flags, dst, src, handle, replyTo, auth, data) => {
      const frame = makeFrame(flags, dst, src, handle, replyTo, data);
      frame.writeUInt32BE(auth, 12);
      const short = shorten(frame);
      assert.equal(short.length, SHORT_HEADER + data.length);
      const parsed: Buffer[] = [];
      const parser = new FrameParser();
      for (const one of short) parser.push(Buffer.of(one), (whole) => parsed.push(Buffer.from(whole)));
      assert.deepEqual(parsed, [frame]);
    }),
  );
});

test('A frame that does not fit a short header keeps its own', () => {
  const cases: [number, number, number, number, number][] = [
    [256, 0, 0, 0, 0],
    [0, 2 ** 32 - 1, 0, 0, 0],
    [0, 0, 0x8000, 0, 0],
    [0, 0, 0xffff, 0, 0],
    [0, 0, 0x18000, 0, 0],
    [0, 0, 0, 2 ** 31, 0],
    [0, 0, 0, 0, 256],
  ];
  for (const [dst, src, handle, replyTo, size] of cases) {
    const frame = makeFrame(NORMAL, dst, src, handle, replyTo, Buffer.alloc(size));
    assert.equal(shorten(frame), frame);
  }
});

test('Frames with short and with long headers may be mixed, however they are cut', () => {
  const frames = [
    makeFrame(CONTROL, 1, 2, 3, 4, Buffer.alloc(300, 7)),
    makeFrame(NORMAL, 1, 0, 70, 5, Buffer.from('x')),
    makeFrame(CONTROL, 9, 9, 9, 9),
  ];
  const bytes = Buffer.concat([...frames, ...frames].map((frame, index) => (index % 2 ? frame : shorten(frame))));
  for (let size = 1; size <= bytes.length; size++) {
    const parsed: Buffer[] = [];
    const parser = new FrameParser();
    for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size), (whole) => parsed.push(Buffer.from(whole)));
    assert.deepEqual(parsed, [...frames, ...frames]);
    assert.equal(parser.isInside, false);
  }
});
