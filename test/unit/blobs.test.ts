/** Pieces of blobs at one hop: where they come from, who gets them, how long they stay. */
import assert from 'node:assert/strict';
import type { Clock } from '#src/core/clock.js';
import { BLOB, GET_RUNTIME } from '#src/core/handles.js';
import type { Hop } from '#src/core/hop.js';
import type { RouterExtension } from '#src/core/router.js';
import type { Stream } from '#src/core/stream.js';
import { BULK, DEAD, dataOf, dstOf, handleOf, jsonFrame, jsonOf, makeFrame, NORMAL } from '#src/core/wire.js';
import { Blobs, PIECE, pieceData } from '#src/parent/blobs.js';
import { testWithOracle } from '#src/testing/index.js';

const HASH = 'ab'.repeat(32);
const OWN = 5;
const PARENT = 2;

/** A hop of which nothing works but what blobs need. */
function hopOf(id: number): { hop: Hop; sent: Buffer[]; take: RouterExtension; pass(ms: number): void } {
  const sent: Buffer[] = [];
  const timers = new Set<{ fn: () => void; at: number }>();
  let now = 0;
  const clock: Clock = {
    now: () => now,
    setTimeout: (fn, ms) => {
      const timer = { fn, at: now + ms };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => timers.delete(timer as never),
  } as Clock;
  const extensions = new Map<number, RouterExtension>();
  const hop = {
    config: { id, ancestors: id ? [PARENT, 0] : [] },
    clock,
    extensions,
    router: { route: (frame: Buffer) => sent.push(frame) },
  };
  return {
    hop: hop as unknown as Hop,
    sent,
    take: (...args) => extensions.get(BLOB)?.(...args),
    pass: (ms) => {
      now += ms;
      for (const timer of timers) if (timer.at <= now && timers.delete(timer)) timer.fn();
    },
  };
}

/** A child that keeps what it is sent. */
function childOf(id: number): { stream: Stream; got: Buffer[] } {
  const got: Buffer[] = [];
  return { stream: { peerId: id, send: (frame: Buffer) => got.push(frame) } as unknown as Stream, got };
}

const question = (index: unknown, blob: unknown = HASH): Buffer => jsonFrame(NORMAL, OWN, 9, BLOB, 0, { blob, index });
const piece = (index: number, text: string): Buffer => makeFrame(BULK, OWN, PARENT, BLOB, 0, pieceData(HASH, index, Buffer.from(text)));

testWithOracle('A hop asks above once for a piece that several want, gives it to all, and the next one gets it from here', () => {
  const { hop, sent, take } = hopOf(OWN);
  const blobs = new Blobs(hop);
  const [a, b] = [childOf(9), childOf(10)];
  const own: (string | undefined)[] = [];
  blobs.get(HASH, 3, (bytes) => own.push(bytes?.toString()));
  take(question(3), a.stream, false);
  assert.deepEqual(
    sent.map((frame) => [dstOf(frame), handleOf(frame), jsonOf(frame)]),
    [[PARENT, BLOB, { blob: HASH, index: 3 }]],
  );
  take(piece(3, 'bytes'), undefined, true);
  take(question(3), b.stream, false);
  assert.deepEqual(own, ['bytes']);
  for (const { got } of [a, b]) assert.deepEqual(got.map(dataOf), [pieceData(HASH, 3, Buffer.from('bytes'))]);
  assert.equal(sent.length, 1);
  assert.equal(blobs.keptBytes, 5);
});

testWithOracle('What nobody asks for any more is let go of', () => {
  const { hop, sent, take, pass } = hopOf(OWN);
  const blobs = new Blobs(hop);
  blobs.get(HASH, 0, () => {});
  take(piece(0, 'bytes'), undefined, true);
  pass(59_000);
  blobs.get(HASH, 0, () => {});
  pass(59_000);
  assert.equal(blobs.keptBytes, 5);
  pass(1000);
  assert.equal(blobs.keptBytes, 0);
  blobs.get(HASH, 0, () => {});
  assert.equal(sent.length, 2);
});

testWithOracle('A child can bring no pieces, ask for nothing but pieces of blobs, and wait for 128 of them', () => {
  const { hop, sent, take } = hopOf(OWN);
  const blobs = new Blobs(hop);
  const { stream, got } = childOf(9);
  blobs.get(HASH, 0, () => assert.fail('a piece from below was taken'));
  take(piece(0, 'foreign'), stream, false);
  for (const [index, blob] of [
    [-1, HASH],
    [1.5, HASH],
    ['0', HASH],
    [0, '../../etc/passwd'],
    [0, HASH.slice(1)],
    [0, 7],
  ])
    take(question(index, blob), stream, false);
  take(makeFrame(NORMAL, OWN, 9, BLOB, 0, Buffer.from('no JSON')), stream, false);
  assert.equal(sent.length, 1);
  for (let index = 1; index < 300; index++) take(question(index), stream, false);
  assert.equal(sent.length, 1 + 128);
  assert.deepEqual(got, []);
});

testWithOracle('A piece that nobody asked for is dropped, and a refusal goes to all who wait', () => {
  const { hop, take } = hopOf(OWN);
  const blobs = new Blobs(hop);
  const { stream, got } = childOf(9);
  take(piece(7, 'unasked'), undefined, true);
  assert.equal(blobs.keptBytes, 0);
  const reasons: unknown[] = [];
  blobs.get(HASH, 1, (bytes, reason) => reasons.push(bytes, reason));
  take(question(1), stream, false);
  const reason = { code: 'ERR_MITOS_RUNTIME_PUSH', message: 'gone' };
  take(jsonFrame(NORMAL | DEAD, OWN, PARENT, BLOB, 0, { blob: HASH, index: 1, reason }), undefined, true);
  assert.deepEqual(reasons, [undefined, reason]);
  assert.deepEqual(
    got.map((frame) => jsonOf(frame)),
    [{ blob: HASH, index: 1, reason }],
  );
});

testWithOracle('The hop of a master asks the master itself, and keeps nothing', () => {
  const { hop, sent, take } = hopOf(0);
  const blobs = new Blobs(hop);
  const got: unknown[] = [];
  blobs.get(HASH, 2, (bytes) => got.push(bytes?.toString()));
  assert.deepEqual(
    sent.map((frame) => [dstOf(frame), handleOf(frame), jsonOf(frame)]),
    [[0, GET_RUNTIME, { blob: HASH, index: 2, at: 2 * PIECE, size: PIECE }]],
  );
  take(piece(2, 'bytes'), undefined, true);
  assert.deepEqual([got, blobs.keptBytes], [['bytes'], 0]);
});
