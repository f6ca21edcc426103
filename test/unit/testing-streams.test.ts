import assert from 'node:assert/strict';
import test from 'node:test';
import {
  createRandom,
  type FaultOptions,
  FaultStream,
  faultStream,
  type MemoryStreamOptions,
  memoryStreamPair,
  VirtualClock,
} from '#src/testing/index.js';

type Transport = ReturnType<typeof memoryStreamPair>[number] | FaultStream;

/** Records what one end hears. */
class Ear {
  readonly chunks: Buffer[] = [];
  readonly closes: (Error | undefined)[] = [];
  drains = 0;

  constructor(transport: Transport) {
    transport.onData = (chunk) => this.chunks.push(chunk);
    transport.onDrain = () => this.drains++;
    transport.onClose = (reason) => this.closes.push(reason);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get sizes(): number[] {
    return this.chunks.map((chunk) => chunk.length);
  }
}

function pair(options: MemoryStreamOptions = {}): ReturnType<typeof setUp> {
  return setUp(options);
}

function setUp(options: MemoryStreamOptions) {
  const clock = new VirtualClock();
  const [a, b] = memoryStreamPair({ schedule: clock.schedule, ...options });
  return { clock, a, b, earA: new Ear(a), earB: new Ear(b) };
}

function faulty(options: FaultOptions, streamOptions: MemoryStreamOptions = {}) {
  const clock = new VirtualClock();
  const [inner, b] = memoryStreamPair({ schedule: clock.schedule, ...streamOptions });
  const a = faultStream(inner, { clock, ...options });
  return { clock, a, b, earA: new Ear(a), earB: new Ear(b) };
}

const bytes = (text: string): Buffer[] => [Buffer.from(text, 'latin1')];

test('Memory stream delivers every chunk in order, and never within the write', () => {
  const { clock, a, b, earA, earB } = pair();
  assert.equal(a.write([Buffer.from('ab'), new Uint8Array([99])]), true);
  a.write(bytes('d'));
  b.write(bytes('back'));
  assert.equal(earB.text, '');
  assert.equal(a.queuedBytes, 4);
  clock.runUntilIdle();
  assert.equal(earB.text, 'abcd');
  assert.deepEqual(earB.sizes, [2, 1, 1]);
  assert.equal(earA.text, 'back');
  assert.equal(a.queuedBytes, 0);
});

test('Memory stream without a scheduler delivers on a later turn of the loop', async () => {
  const [a, b] = memoryStreamPair();
  const received = new Promise<string>((resolve) => {
    b.onData = (chunk) => resolve(chunk.toString());
  });
  a.write(bytes('hello'));
  assert.equal(await received, 'hello');
});

test('Memory stream asks the writer to wait at the high-water mark and calls onDrain once when all is delivered', () => {
  const { clock, a, b, earA } = pair({ highWaterMarkBytes: 4 });
  assert.equal(a.write(bytes('abc')), true);
  assert.equal(a.write(bytes('d')), false);
  assert.equal(a.write(bytes('e')), false);
  b.pause();
  clock.runUntilIdle();
  assert.equal(earA.drains, 0);
  b.resume();
  clock.runUntilIdle();
  assert.equal(earA.drains, 1);
  assert.equal(a.write(bytes('f')), true);
});

test('Memory stream keeps bytes while the reader is paused, also when it pauses within onData', () => {
  const { clock, a, b, earB } = pair();
  const seen: string[] = [];
  b.onData = (chunk) => {
    seen.push(chunk.toString());
    b.pause();
  };
  a.write([Buffer.from('1'), Buffer.from('2')]);
  clock.runUntilIdle();
  assert.deepEqual(seen, ['1']);
  b.resume();
  clock.runUntilIdle();
  assert.deepEqual(seen, ['1', '2']);
  assert.deepEqual(earB.closes, []);
});

test('Memory stream end closes both ends once, without a reason, after everything written was read', () => {
  const { clock, a, earA, b, earB } = pair();
  b.pause();
  a.write(bytes('last words'));
  a.end();
  a.end();
  assert.equal(a.write(bytes('too late')), false);
  clock.runUntilIdle();
  assert.deepEqual([earA.closes, earB.closes], [[], []]);
  b.resume();
  clock.runUntilIdle();
  assert.equal(earB.text, 'last words');
  assert.deepEqual([earA.closes, earB.closes], [[undefined], [undefined]]);
  assert.ok(a.isClosed && b.isClosed);
});

test('Memory stream shows the end to a paused reader only when it resumes', () => {
  const { clock, a, earA, b, earB } = pair();
  b.pause();
  a.end();
  clock.runUntilIdle();
  assert.deepEqual([earA.closes, earB.closes], [[undefined], []]);
  assert.equal(b.write(bytes('into the void')), false);
  b.resume();
  clock.runUntilIdle();
  assert.deepEqual(earB.closes, [undefined]);
});

test('Memory stream destroy drops what is on the way and tells the reason on its own side only', () => {
  const { clock, a, earA, b, earB } = pair();
  const reason = new Error('gone');
  b.pause();
  a.write(bytes('lost'));
  b.write(bytes('lost too'));
  a.destroy(reason);
  a.destroy(new Error('again'));
  b.destroy(new Error('also'));
  clock.runUntilIdle();
  assert.deepEqual([earA.text, earB.text], ['', '']);
  assert.deepEqual([earA.closes, earB.closes], [[reason], [undefined]]);
});

test('Memory stream goes on after a reader threw', () => {
  const { clock, a, b } = pair();
  const seen: string[] = [];
  b.onData = (chunk) => {
    seen.push(chunk.toString());
    if (seen.length === 1) throw new Error('reader broke');
  };
  a.write([Buffer.from('1'), Buffer.from('2')]);
  assert.throws(() => clock.runUntilIdle(), /reader broke/);
  clock.runUntilIdle();
  assert.deepEqual(seen, ['1', '2']);
});

test('Fault stream without options changes nothing', () => {
  const { clock, a, b, earA, earB } = faulty({}, { highWaterMarkBytes: 4 });
  assert.equal(a.write(bytes('abcde')), false);
  b.write(bytes('x'));
  clock.runUntilIdle();
  assert.equal(earB.text, 'abcde');
  assert.equal(earA.text, 'x');
  assert.equal(earA.drains, 1);
  a.end();
  clock.runUntilIdle();
  assert.deepEqual([earA.closes, earB.closes], [[undefined], [undefined]]);
});

test('Fault stream passes exactly the first bytes and then closes both sides, at every cut and split', () => {
  const text = 'abcdefghij';
  for (const direction of ['out', 'in'] as const) {
    for (let cut = 0; cut <= text.length; cut++) {
      for (let split = 0; split <= text.length; split++) {
        const { clock, a, b, earA, earB } = faulty({ cutAfterBytes: cut, direction });
        const [writer, reader] = direction === 'out' ? [a, earB] : [b, earA];
        writer.write([Buffer.from(text.slice(0, split)), Buffer.from(text.slice(split))]);
        clock.runUntilIdle();
        const label = `${direction}, cut ${cut}, split ${split}`;
        assert.equal(reader.text, text.slice(0, cut), label);
        assert.deepEqual(earB.closes, [undefined], label);
        assert.equal(earA.closes.length, 1, label);
        assert.equal((earA.closes[0] as NodeJS.ErrnoException).code, 'ECONNRESET', label);
        assert.equal(a.write(bytes('more')), false, label);
      }
    }
  }
});

test('Fault stream tells its owner of a cut even when the other side is paused', () => {
  const reason = new Error('cable out');
  const { clock, a, b, earA, earB } = faulty({ cutAfterBytes: 2, cutReason: reason });
  b.pause();
  a.write(bytes('abc'));
  clock.runUntilIdle();
  assert.deepEqual(earA.closes, [reason]);
  assert.deepEqual(earB.closes, []);
  b.resume();
  clock.runUntilIdle();
  assert.equal(earB.text, 'ab');
  assert.deepEqual(earB.closes, [undefined]);
});

test('Fault stream cut() loses what is held back', () => {
  const { clock, a, earA, earB } = faulty({ delayMs: 100 });
  a.write(bytes('slow'));
  clock.advance(50);
  assert.equal(a.heldBytes, 4);
  a.cut();
  a.cut();
  clock.runUntilIdle();
  assert.equal(earB.text, '');
  assert.equal(earA.closes.length, 1);
  assert.equal(earB.closes.length, 1);
});

test('Fault stream delays each chunk by the clock and keeps the order when the delay changes', () => {
  const delays = [30, 10, 0];
  const { clock, a, b } = faulty({ delayMs: () => delays.shift() ?? 0 });
  const seen: string[] = [];
  b.onData = (chunk) => seen.push(`${chunk.toString()}@${clock.now()}`);
  a.write(bytes('1'));
  clock.advance(5);
  a.write([Buffer.from('2'), Buffer.from('3')]);
  clock.runUntilIdle();
  assert.deepEqual(seen, ['1@30', '2@30', '3@30']);
});

test('Fault stream delays the end as well as the bytes', () => {
  const { clock, a, b, earA, earB } = faulty({ delayMs: 10 });
  a.write(bytes('x'));
  a.end();
  clock.advance(9);
  assert.deepEqual([earA.closes, earB.text], [[], '']);
  clock.runUntilIdle();
  assert.deepEqual([earA.closes, earB.closes, earB.text], [[undefined], [undefined], 'x']);
  assert.ok(b.isClosed);
});

test('Fault stream on the way in delivers what came before the close', () => {
  const { clock, b, earA } = faulty({ direction: 'in', delayMs: 10 });
  b.write(bytes('bye'));
  b.end();
  clock.advance(5);
  assert.deepEqual([earA.text, earA.closes], ['', []]);
  clock.runUntilIdle();
  assert.deepEqual([earA.text, earA.closes], ['bye', [undefined]]);
});

test('Fault stream slices into chunks of a size without changing the bytes', () => {
  for (const direction of ['out', 'in'] as const) {
    const { clock, a, b, earA, earB } = faulty({ slice: 3, direction });
    (direction === 'out' ? a : b).write([Buffer.from('abcdefgh'), Buffer.from('ij')]);
    clock.runUntilIdle();
    const reader = direction === 'out' ? earB : earA;
    assert.equal(reader.text, 'abcdefghij');
    assert.deepEqual(reader.sizes, [3, 3, 2, 2]);
  }
});

test('Fault stream slices at random the same way for the same seed', () => {
  const data = createRandom(1).bytes(2000);
  const run = (seed: number): number[] => {
    const { clock, a, earB } = faulty({ slice: { seed, maxBytes: 9 } });
    a.write([data]);
    clock.runUntilIdle();
    assert.ok(Buffer.concat(earB.chunks).equals(data));
    return earB.sizes;
  };
  const sizes = run(5);
  assert.deepEqual(run(5), sizes);
  assert.notDeepEqual(run(6), sizes);
  assert.deepEqual(
    [...new Set(sizes)].sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test('Fault stream refuses slices of no bytes', () => {
  assert.throws(() => faulty({ slice: 0 }), RangeError);
});

test('Fault stream flips the byte at its offset and leaves the buffer of the writer alone', () => {
  for (const at of [0, 3, 9]) {
    const { clock, a, earB } = faulty({ corruptByteAt: at });
    const chunks = [Buffer.from('abcde'), Buffer.from('fghij')];
    a.write(chunks);
    clock.runUntilIdle();
    const expected = Buffer.from('abcdefghij');
    expected[at] = (expected[at] ?? 0) ^ 0xff;
    assert.deepEqual(Buffer.concat(earB.chunks), expected);
    assert.equal(Buffer.concat(chunks).toString(), 'abcdefghij');
  }
});

test('Fault stream stalls without closing and goes on after release', () => {
  for (const direction of ['out', 'in'] as const) {
    const { clock, a, b, earA, earB } = faulty({ stallAfterBytes: 4, direction });
    const [writer, reader] = direction === 'out' ? [a, earB] : [b, earA];
    writer.write(bytes('abcdef'));
    writer.end();
    clock.runUntilIdle();
    assert.equal(reader.text, 'abcd', direction);
    assert.deepEqual(reader.closes, [], direction);
    a.release();
    clock.runUntilIdle();
    assert.equal(reader.text, 'abcdef', direction);
    assert.deepEqual(reader.closes, [undefined], direction);
  }
});

test('Fault stream that stalls makes its writer wait', () => {
  const { clock, a, earA } = faulty({ highWaterMarkBytes: 4 });
  a.stall();
  assert.equal(a.write(bytes('abc')), true);
  assert.equal(a.write(bytes('d')), false);
  clock.runUntilIdle();
  assert.equal(earA.drains, 0);
  a.release();
  clock.runUntilIdle();
  assert.equal(earA.drains, 1);
});

test('Fault stream that stalls on the way in lets the high-water mark of the other side fill', () => {
  const { clock, a, b, earB } = faulty({ direction: 'in' }, { highWaterMarkBytes: 4 });
  a.stall();
  assert.equal(b.write(bytes('abcd')), false);
  clock.runUntilIdle();
  assert.equal(earB.drains, 0);
  a.release();
  clock.runUntilIdle();
  assert.equal(earB.drains, 1);
});

test('Fault stream can be destroyed while it is stalled', () => {
  for (const direction of ['out', 'in'] as const) {
    const { clock, a, b, earA, earB } = faulty({ direction, stallAfterBytes: 0 });
    const reason = new Error('given up');
    (direction === 'out' ? a : b).write(bytes('x'));
    clock.runUntilIdle();
    a.destroy(reason);
    clock.runUntilIdle();
    assert.deepEqual([earA.closes, earB.closes], [[reason], [undefined]], direction);
  }
});

test('Fault stream honours pause on bytes that it holds', () => {
  const { clock, a, b, earA } = faulty({ direction: 'in', delayMs: 10 });
  b.write(bytes('x'));
  clock.advance(5);
  a.pause();
  clock.runUntilIdle();
  assert.equal(earA.text, '');
  a.resume();
  clock.runUntilIdle();
  assert.equal(earA.text, 'x');
});

test('Fault streams can be put one around the other for faults both ways', () => {
  const clock = new VirtualClock();
  const [inner, b] = memoryStreamPair({ schedule: clock.schedule });
  const a = new FaultStream(new FaultStream(inner, { clock, slice: 1 }), { clock, direction: 'in', corruptByteAt: 0 });
  const earA = new Ear(a);
  const earB = new Ear(b);
  a.write(bytes('abc'));
  b.write([Buffer.from([0xf0])]);
  clock.runUntilIdle();
  assert.deepEqual(earB.sizes, [1, 1, 1]);
  assert.deepEqual(earA.chunks, [Buffer.from([0x0f])]);
});
