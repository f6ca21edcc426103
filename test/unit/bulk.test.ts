import assert from 'node:assert/strict';
import test from 'node:test';
import { Assembler, BulkSender } from '#src/core/bulk.js';
import { BULK_CREDIT, CALL, CANCEL } from '#src/core/handles.js';
import { DEFAULT_LIMITS, type Limits } from '#src/core/limits.js';
import type { Reason } from '#src/core/reason.js';
import {
  BULK,
  DEAD,
  dataOf,
  FRAGMENT,
  HEADER,
  handleOf,
  jsonOf,
  MAX_FRAME_DATA,
  type Message,
  makeFrame,
  NORMAL,
  srcOf,
  writeHeader,
} from '#src/core/wire.js';

const KIB = 1024;

interface Pair {
  sender: BulkSender;
  assembler: Assembler;
  /** Frames on the way to the assembler. */
  wire: Buffer[];
  /** What the assembler sent. */
  back: Buffer[];
  got: Buffer[];
  /** Takes over `count` frames. */
  move(count?: number): void;
  /** Gives credit to the sender. */
  credit(): void;
  post(handle: number, size: number, mark?: number): boolean;
}

function setUp(limits: Partial<Limits> = {}): Pair {
  const all = { ...DEFAULT_LIMITS, bulkWindowBytes: 256 * KIB, ...limits };
  const wire: Buffer[] = [];
  const back: Buffer[] = [];
  const got: Buffer[] = [];
  const sender = new BulkSender(all.bulkWindowBytes, (frame) => wire.push(frame));
  const assembler = new Assembler(2, all, (frame) => back.push(frame));
  return {
    sender,
    assembler,
    wire,
    back,
    got,
    move: (count = Infinity) => {
      for (const frame of wire.splice(0, count)) {
        const message = assembler.add(frame);
        if (message) got.push(message);
      }
    },
    credit: () => {
      for (const frame of back.splice(0)) if (handleOf(frame) === BULK_CREDIT) sender.credit(2, dataOf(frame));
    },
    post: (handle, size, mark = 0) => {
      const message = makeFrame(NORMAL, 2, 1, handle, 70000, Buffer.alloc(size, mark));
      return sender.take(message, 2, handle);
    },
  };
}

function run(pair: Pair): void {
  while (pair.wire.length || pair.back.length) {
    pair.move();
    pair.credit();
  }
}

const marks = (messages: Buffer[]): number[] => messages.map((message) => message[HEADER] as number);

test('A message up to the size of a frame is not taken, a larger one comes out as it went in', () => {
  for (const size of [MAX_FRAME_DATA + 1, 2 * MAX_FRAME_DATA, 1_000_003]) {
    const pair = setUp();
    assert.equal(pair.post(70, MAX_FRAME_DATA), false);
    assert.equal(pair.post(70, size, 7), true);
    for (const frame of pair.wire) assert.ok(frame.length <= HEADER + MAX_FRAME_DATA && (frame[2] as number) === (BULK | FRAGMENT));
    run(pair);
    assert.equal(pair.got.length, 1);
    const message = pair.got[0] as Buffer;
    assert.deepEqual(dataOf(message), Buffer.alloc(size, 7));
    assert.deepEqual([srcOf(message), handleOf(message), message.readUInt32BE(24), (message[2] as number) & FRAGMENT], [1, 70, size, 0]);
    assert.deepEqual([pair.sender.size, pair.assembler.size], [0, 0]);
  }
});

test('No more than a window is on the way, until the receiver has taken some of it', () => {
  const pair = setUp();
  pair.post(70, 8 * 1024 * KIB);
  const sent = (): number => pair.wire.reduce((sum, frame) => sum + frame.length - HEADER, 0);
  assert.ok(sent() >= 256 * KIB && sent() <= 256 * KIB + MAX_FRAME_DATA, `${sent()}`);
  pair.move();
  assert.equal(pair.wire.length, 0);
  pair.credit();
  assert.ok(sent() > 128 * KIB && sent() <= 256 * KIB + MAX_FRAME_DATA, `${sent()}`);
  run(pair);
  assert.equal(pair.got.length, 1);
});

test('Large messages to different mailboxes take turns, also when the window holds only a few of them', () => {
  const pair = setUp({ bulkWindowBytes: 128 * KIB });
  pair.post(100, 512 * KIB, 0);
  const alone = pair.wire.length;
  for (let mailbox = 1; mailbox < 20; mailbox++) pair.post(100 + mailbox, 512 * KIB, mailbox);
  const turns: number[] = [];
  while (pair.wire.length || pair.back.length) {
    turns.push(...pair.wire.map(handleOf));
    pair.move();
    pair.credit();
  }
  assert.equal(new Set(turns.slice(0, alone + 20)).size, 20, 'every mailbox gets its turn in the first round');
  assert.equal(pair.got.length, 20);
  const ends = new Set(turns.map((handle) => turns.lastIndexOf(handle)));
  assert.ok(Math.min(...ends) > turns.length - 20 * (alone + 1), 'nobody is served first and nobody last');
});

test('Messages to one mailbox stay in order, a small one behind a large one too', () => {
  const pair = setUp();
  pair.post(70, 600 * KIB, 1);
  assert.equal(pair.post(70, 10, 2), true);
  assert.equal(pair.post(71, 10, 9), false, 'another mailbox does not wait');
  pair.post(70, 600 * KIB, 3);
  pair.post(70, 0, 4);
  run(pair);
  assert.deepEqual(
    pair.got.map((message) => message.length - HEADER),
    [600 * KIB, 10, 600 * KIB, 0],
  );
});

test('A small message does not overtake a large one that has left and not arrived', () => {
  const pair = setUp();
  pair.post(70, 100 * KIB, 1);
  assert.equal(pair.wire.length, 4, 'all of it has left');
  assert.equal(pair.post(70, 10, 2), true);
  pair.move();
  assert.deepEqual(marks(pair.got), [1, 2]);
  assert.equal(pair.post(70, 10, 3), true, 'the sender does not know yet');
  run(pair);
  assert.deepEqual(marks(pair.got), [1, 2, 3]);
  assert.equal(pair.post(70, 10, 4), false, 'now it does');
});

test('A call and its cancellation do not overtake a call', () => {
  for (const [first, then] of [
    [CALL, CALL],
    [CALL, CANCEL],
  ] as const) {
    const pair = setUp();
    pair.post(first, 100 * KIB, 1);
    assert.equal(pair.post(then, 10, 2), true);
    run(pair);
    assert.deepEqual(pair.got.map(handleOf), [first, then]);
  }
});

test('Credit that comes while a fragment is being sent is neither lost nor counted twice', () => {
  const got: Buffer[] = [];
  const limits = { ...DEFAULT_LIMITS, bulkWindowBytes: 64 * KIB };
  const assembler: Assembler = new Assembler(1, limits, (frame) => sender.credit(1, dataOf(frame)));
  const sender = new BulkSender(limits.bulkWindowBytes, (frame) => {
    const message = assembler.add(frame);
    if (message) got.push(message);
  });
  for (let mark = 0; mark < 10; mark++)
    sender.take(makeFrame(NORMAL, 1, 1, 70 + (mark % 3), 0, Buffer.alloc(500 * KIB, mark)), 1, 70 + (mark % 3));
  assert.deepEqual(new Set(marks(got)), new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  assert.equal(got.length, 10);
  assert.deepEqual([sender.size, assembler.size], [0, 0]);
});

test('Credit from a stranger, too much of it, and malformed credit change nothing', () => {
  const pair = setUp();
  pair.post(70, 8 * 1024 * KIB);
  const before = pair.wire.length;
  const lots = Buffer.alloc(4, 0xff);
  pair.sender.credit(3, lots);
  pair.sender.credit(2, Buffer.alloc(3));
  assert.equal(pair.wire.length, before);
  pair.sender.credit(2, lots);
  assert.ok(pair.wire.length <= 2 * before, 'never more than a window at once');
});

test('What is meant for or comes from a context that is gone is dropped', () => {
  const pair = setUp();
  pair.post(70, 8 * 1024 * KIB);
  pair.move(2);
  pair.sender.forget({ ids: [2], pages: [] });
  pair.assembler.forget({ ids: [1], pages: [] });
  assert.deepEqual([pair.sender.size, pair.assembler.size], [0, 0]);
  assert.equal(pair.post(70, 10), false);
});

test('Assembler refuses a message over the limit, counts its fragments out and takes the next one', () => {
  const pair = setUp({ maxMessageBytes: 200 * KIB });
  pair.post(70, 300 * KIB, 1);
  pair.post(70, 150 * KIB, 2);
  const answers: Reason[] = [];
  while (pair.wire.length || pair.back.length) {
    pair.move();
    answers.push(...pair.back.filter((frame) => (frame[2] as number) & DEAD).map((frame) => jsonOf(frame) as Reason));
    pair.credit();
  }
  assert.deepEqual(
    answers.map((reason) => reason.code),
    ['ERR_MITOS_LIMIT'],
  );
  assert.deepEqual(marks(pair.got), [2]);
  assert.equal(pair.assembler.size, 0);
});

function fragment(src: number, id: number, total: number, size: number): Buffer {
  const frame = makeFrame(BULK | FRAGMENT, 2, src, 70, 0, Buffer.alloc(8 + size));
  frame.writeUInt32BE(id, HEADER);
  frame.writeUInt32BE(total, HEADER + 4);
  return frame;
}

test('Assembler reserves no more than its limit, however many messages are begun and by however many contexts', () => {
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes: 1024 * KIB, maxAssemblyBytes: 2048 * KIB };
  const assembler = new Assembler(2, limits, () => {});
  const before = process.memoryUsage().arrayBuffers;
  for (let src = 1; src < 100; src++) for (let id = 0; id < 100; id++) assembler.add(fragment(src, id, 500 * KIB, 1));
  assert.ok(process.memoryUsage().arrayBuffers - before <= 20_000 * KIB);
});

test('Assembler bounds many small beginnings as well', () => {
  const assembler = new Assembler(2, { ...DEFAULT_LIMITS, maxAssemblyBytes: 1024 * KIB }, () => {});
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let id = 0; id < 200_000; id++) assembler.add(fragment(1, id, 2, 1));
  assert.ok(process.memoryUsage().heapUsed - before < 60_000 * KIB);
});

test('Assembler survives fragments that are too short, too long, empty, or claim 4 GiB', () => {
  const sent: Buffer[] = [];
  const assembler = new Assembler(2, DEFAULT_LIMITS, (frame) => sent.push(frame));
  assert.equal(assembler.add(makeFrame(BULK | FRAGMENT, 2, 1, 70, 0, Buffer.alloc(7))), undefined);
  assert.equal(assembler.add(fragment(1, 1, 5, 10)), undefined);
  assert.equal(assembler.add(fragment(1, 2, 0xffffffff, 10)), undefined);
  assert.equal(assembler.add(fragment(1, 3, 5, 0)), undefined);
  assert.equal(assembler.add(fragment(1, 4, 0, 0))?.length, HEADER);
  assert.equal(assembler.add(fragment(1, 3, 5, 5))?.length, HEADER + 5);
});

test('Pieces behind a message arrive as if they had been part of it, empty ones too', () => {
  const pair = setUp();
  const message: Message = Buffer.alloc(HEADER + 5, 1);
  message.pieces = [Buffer.alloc(70 * KIB, 2), Buffer.alloc(0), Buffer.alloc(3, 3), Buffer.alloc(40 * KIB, 4)];
  const whole = Buffer.concat([message.subarray(HEADER), ...message.pieces]);
  writeHeader(message, NORMAL, 2, 1, 70, 70000);
  assert.equal(pair.sender.take(message, 2, 70), true);
  run(pair);
  assert.deepEqual(
    pair.got.map((got) => got.subarray(HEADER).equals(whole)),
    [true],
  );
});
