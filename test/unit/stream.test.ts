import assert from 'node:assert/strict';
import test from 'node:test';
import type { MitosError } from '#src/core/errors.js';
import { PING, PONG } from '#src/core/handles.js';
import { Stream } from '#src/core/stream.js';
import { BULK, CONTROL, FrameParser, HEADER, handleOf, MAX_FRAME_DATA, makeFrame, NORMAL } from '#src/core/wire.js';
import { FaultStream, memoryStreamPair, VirtualClock } from '#src/testing/index.js';

interface End {
  stream: Stream;
  frames: Buffer[];
  reasons: MitosError[];
}

function makeEnd(clock: VirtualClock, peerId: number): End {
  const frames: Buffer[] = [];
  const reasons: MitosError[] = [];
  const stream = new Stream({
    peerId,
    selfId: 1 - peerId,
    name: 'peer',
    clock,
    keepAlive: { intervalMs: 15_000, timeoutMs: 45_000 },
    onFrame: (_stream, frame) => frames.push(Buffer.from(frame)),
    onClose: (_stream, reason) => reasons.push(reason),
  });
  return { stream, frames, reasons };
}

function pair(clock: VirtualClock, highWaterMarkBytes = Infinity): { a: End; b: End; faults: FaultStream } {
  const [left, right] = memoryStreamPair({ schedule: clock.schedule, highWaterMarkBytes });
  const faults = new FaultStream(left, { clock });
  const a = makeEnd(clock, 1);
  const b = makeEnd(clock, 0);
  a.stream.attach(faults);
  b.stream.attach(right);
  return { a, b, faults };
}

test('Stream lets a control frame overtake 64 MiB of bulk that waits', async () => {
  const clock = new VirtualClock();
  const end = makeEnd(clock, 1);
  const written: Buffer[] = [];
  let drain = (): void => {};
  const bulk = Buffer.alloc(MAX_FRAME_DATA);
  for (let count = 0; count < 1024; count++) end.stream.send(makeFrame(BULK, 1, 0, 70, 0, bulk));
  const [transport] = memoryStreamPair();
  transport.write = (chunks) => {
    written.push(Buffer.concat(chunks));
    return false;
  };
  end.stream.attach(transport);
  await Promise.resolve();
  drain = () => transport.onDrain();
  end.stream.send(makeFrame(NORMAL, 1, 0, 65, 0));
  end.stream.send(makeFrame(CONTROL, 1, 0, 9, 0));
  assert.equal(written.length, 1);
  drain();
  const handles: number[] = [];
  new FrameParser().push(written[1] as Buffer, (frame) => handles.push(handleOf(frame)));
  assert.deepEqual(handles.slice(0, 3), [9, 65, 70]);
  assert.ok((written[1] as Buffer).length < 300_000, 'one write must not be so long that the next control frame waits for it');
});

test('Stream sends frames of one priority in order, and counts', async () => {
  const clock = new VirtualClock();
  const { a, b } = pair(clock, 1000);
  const sizes = [0, 10, 5000, 3, 65536, 0, 4096, 4069];
  for (const size of sizes) a.stream.send(makeFrame(NORMAL, 1, 0, 70, 0, Buffer.alloc(size)));
  await clock.runUntilIdleAsync();
  assert.deepEqual(
    b.frames.map((frame) => frame.length - HEADER),
    sizes,
  );
  assert.equal(a.stream.stats.framesOut, sizes.length);
  assert.equal(b.stream.stats.bytesIn, a.stream.stats.bytesOut);
  assert.equal(a.stream.queuedBytes, 0);
});

test('Stream joins what is sent in one turn into one write', async () => {
  const clock = new VirtualClock();
  const { a, b } = pair(clock);
  for (let count = 0; count < 100; count++) a.stream.send(makeFrame(NORMAL, 1, 0, 70, 0, Buffer.alloc(20)));
  await clock.runUntilIdleAsync();
  assert.equal(b.frames.length, 100);
  assert.equal(a.stream.stats.writes, 1);
});

test('Stream holds frames until it has a transport, and sends the preamble before them', async () => {
  const clock = new VirtualClock();
  const end = makeEnd(clock, 1);
  end.stream.send(makeFrame(CONTROL, 1, 0, 8, 0));
  await clock.runUntilIdleAsync();
  const [left, right] = memoryStreamPair({ schedule: clock.schedule });
  let bytes = '';
  right.onData = (chunk) => (bytes += chunk.toString('latin1'));
  end.stream.attach(left, () => Buffer.from('preamble'));
  await clock.runUntilIdleAsync();
  assert.match(bytes, /^preamblem/);
});

test('Stream never sends a frame that its neighbour would take for an attack', async () => {
  const clock = new VirtualClock();
  const { a, b } = pair(clock);
  a.stream.send(makeFrame(NORMAL, 1, 0, 70, 0, Buffer.alloc(MAX_FRAME_DATA + 1)));
  a.stream.send(makeFrame(NORMAL, 1, 0, 70, 0));
  await clock.runUntilIdleAsync();
  assert.equal(b.frames.length, 1);
  assert.equal(b.stream.isClosed, false);
});

test('Stream closes with ERR_MITOS_PROTOCOL on garbage, and once only', async () => {
  const clock = new VirtualClock();
  const { b, faults } = pair(clock);
  faults.write([Buffer.alloc(100, 0x20)]);
  await clock.runUntilIdleAsync();
  assert.deepEqual(
    b.reasons.map((reason) => reason.code),
    ['ERR_MITOS_PROTOCOL'],
  );
});

test('Stream says whether its link ended between frames or inside of one', async () => {
  for (const [cut, code] of [
    [HEADER + 4, 'ERR_MITOS_DISCONNECTED'],
    [HEADER + 3, 'ERR_MITOS_PROTOCOL'],
    [5, 'ERR_MITOS_PROTOCOL'],
  ] as const) {
    const clock = new VirtualClock();
    const { b, faults } = pair(clock);
    faults.write([makeFrame(NORMAL, 0, 1, 70, 0, Buffer.alloc(4)).subarray(0, cut)]);
    faults.end();
    await clock.runUntilIdleAsync();
    assert.deepEqual(
      b.reasons.map((reason) => reason.code),
      [code],
    );
  }
});

test('Stream.end lets everything out that was sent before', async () => {
  const clock = new VirtualClock();
  const { a, b } = pair(clock, 10);
  for (let count = 0; count < 50; count++) a.stream.send(makeFrame(NORMAL, 1, 0, 70, 0, Buffer.alloc(60000)));
  a.stream.end();
  await clock.runUntilIdleAsync();
  assert.equal(b.frames.length, 50);
  assert.equal(b.reasons[0]?.code, 'ERR_MITOS_DISCONNECTED');
});

test('Keep-alive measures the round trip, and keeps a quiet link up', async () => {
  const clock = new VirtualClock();
  const { a, b } = pair(clock);
  a.stream.startKeepAlive();
  await clock.advanceAsync(200_000);
  assert.equal(a.stream.isClosed, false);
  assert.equal(a.stream.stats.roundTripMs, 0);
  assert.ok(b.stream.stats.framesIn < 20, 'a quiet link must stay quiet');
  assert.deepEqual(b.frames, []);
  a.stream.close(a.reasons[0] as MitosError);
  assert.equal(clock.pending <= 2, true);
});

test('Keep-alive gives a stalled link up at its timeout', async () => {
  for (const heardAt of [0, 3000, 14_999, 16_000]) {
    const clock = new VirtualClock();
    const { a, b, faults } = pair(clock);
    a.stream.startKeepAlive();
    await clock.advanceAsync(heardAt);
    b.stream.send(makeFrame(NORMAL, 0, 1, 70, 0));
    await clock.advanceAsync(0);
    faults.stall();
    const silentFrom = clock.now();
    while (!a.stream.isClosed && clock.now() < 200_000) await clock.advanceAsync(100);
    assert.equal(a.reasons[0]?.code, 'ERR_MITOS_DISCONNECTED');
    assert.match(String(a.reasons[0]?.message), /no sign of life/);
    assert.ok(clock.now() - silentFrom <= 46_000, `noticed after ${clock.now() - silentFrom} ms`);
  }
});

test('Keep-alive does not blame the neighbour when this thread stood still', () => {
  let now = 0;
  const timers: { fn: () => void; at: number }[] = [];
  const clock = {
    now: () => now,
    setTimeout: (fn: () => void, ms: number) => timers.push({ fn, at: now + ms }),
    clearTimeout: () => {},
  };
  const end = makeEnd(clock as unknown as VirtualClock, 1);
  end.stream.attach(memoryStreamPair()[0]);
  end.stream.startKeepAlive();
  now = 500_000; // blocked, or stopped and continued
  timers.shift()?.fn();
  assert.equal(end.stream.isClosed, false);
});

test('Stream answers a ping, but builds no queue for a neighbour that asks and does not read', async () => {
  const clock = new VirtualClock();
  const end = makeEnd(clock, 1);
  const [left, right] = memoryStreamPair({ schedule: clock.schedule });
  const written: Uint8Array[] = [];
  left.write = (chunks) => {
    written.push(...chunks);
    return false;
  };
  end.stream.attach(left);
  const ping = makeFrame(CONTROL, 0, 1, PING, 0, Buffer.alloc(8));
  const large = makeFrame(CONTROL, 0, 1, PING, 0, Buffer.alloc(MAX_FRAME_DATA));
  for (let count = 0; count < 20_000; count++) right.write([ping]);
  for (let count = 0; count < 100; count++) right.write([large]);
  await clock.runUntilIdleAsync();
  assert.equal(handleOf(written[0] as Buffer), PONG);
  assert.ok(end.stream.queuedBytes < 200_000, `${end.stream.queuedBytes} bytes wait`);
});
