/** How outputs of a program are read and kept, and how its input is written, without a program. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { byteFlow, ExecStdin } from '#src/api/exec-input.js';
import { Output, type OutputOptions } from '#src/api/exec-output.js';
import type { Receiver } from '#src/core/channel.js';

/** A channel that gives what it is told, and counts what was asked for. */
class Channel {
  asked = 0;
  isClosed = false;
  readonly #chunks: (Uint8Array | Error | undefined)[];

  constructor(...chunks: (string | Error)[]) {
    this.#chunks = [...chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)), undefined];
  }

  close(): void {
    this.isClosed = true;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        this.asked++;
        const chunk = this.#chunks.shift();
        if (chunk instanceof Error) throw chunk;
        return chunk ? { done: false, value: chunk } : { done: true, value: undefined };
      },
    };
  }
}

function outputOf(channel: Channel, options: Partial<OutputOptions> = {}): Output {
  const output = new Output({
    name: 'stdout',
    isBytes: false,
    maxBufferBytes: 1000,
    onOverflow: () => assert.fail('it overflowed'),
    ...options,
  });
  output.follow(channel as unknown as Receiver<Uint8Array>);
  return output;
}

async function all(items: AsyncIterable<string | Uint8Array>): Promise<string[]> {
  const list: string[] = [];
  for await (const item of items) list.push(item.toString());
  return list;
}

test('Lines come without their breaks, wherever chunks are cut, and the last one needs none', async () => {
  const output = outputOf(new Channel('on', 'e\ntwo\r', '\n\nfo', 'ur'));
  assert.deepEqual(await all(output.read()), ['one', 'two', '', 'four']);
  assert.equal(output.bytes().toString(), 'one\ntwo\r\n\nfour');
});

test('A character that is cut in two comes whole', async () => {
  const bytes = Buffer.from('€\n');
  const output = new Output({ name: 'stdout', isBytes: false, maxBufferBytes: 100, onOverflow: () => {} });
  output.follow(
    (async function* () {
      yield bytes.subarray(0, 1);
      yield bytes.subarray(1);
    })() as unknown as Receiver<Uint8Array>,
  );
  assert.deepEqual(await all(output.read()), ['€']);
});

test('Bytes come as they are', async () => {
  assert.deepEqual(await all(outputOf(new Channel('a\nb', 'c'), { isBytes: true }).read()), ['a\nb', 'c']);
});

test('An output that nobody reads is not asked for, until the result is waited for', async () => {
  const channel = new Channel('a', 'b', 'c');
  const output = outputOf(channel);
  await turn();
  assert.equal(channel.asked, 0);
  output.drain();
  await output.ended;
  assert.equal(output.bytes().toString(), 'abc');
});

test('A slow reader holds the output back, one chunk ahead', async () => {
  const channel = new Channel('a\n', 'b\n', 'c\n', 'd\n');
  const reader = outputOf(channel).read();
  await reader.next();
  await turn();
  assert.ok(channel.asked <= 2, `${channel.asked} chunks were asked for`);
});

test('While the result is waited for, chunks are taken ahead of the reader up to the limit', async () => {
  const channel = new Channel('1234\n', '1234\n', '1234\n', '1234\n', '1234\n');
  const output = outputOf(channel, { maxBufferBytes: 10 });
  const reader = output.read();
  output.drain();
  await reader.next();
  await turn();
  const { asked } = channel;
  assert.ok(asked >= 2 && asked <= 4, `${asked} chunks were asked for`);
  assert.equal((await all(reader)).length, 4);
  assert.equal(output.bytes().length, 0, 'more than the limit is not kept');
});

test('More than the limit overflows when it has to be kept', async () => {
  let overflows = 0;
  const output: Output = outputOf(new Channel('123456', '123456'), {
    maxBufferBytes: 10,
    onOverflow: () => {
      overflows++;
      output.fail(new Error('too much'));
    },
  });
  output.drain();
  await output.ended;
  assert.equal(overflows, 1);
});

test('An output that was read to the end can be read again from the beginning', async () => {
  const output = outputOf(new Channel('a\n', 'b\n'));
  assert.deepEqual(await all(output.read()), ['a', 'b']);
  assert.deepEqual(await all(output.read()), ['a', 'b']);
});

test('Two readers at a time are refused', () => {
  const output = outputOf(new Channel('a'));
  output.read();
  assert.throws(() => output.read(), TypeError);
});

test('Leaving the loop closes the channel, and what was read stays for the result', async () => {
  const channel = new Channel('a\n', 'b\n', 'c\n');
  const output = outputOf(channel);
  for await (const line of output.read()) if (line === 'a') break;
  await output.ended;
  assert.equal(channel.isClosed, true);
  assert.match(output.bytes().toString(), /^a\n(b\n)?$/);
});

test('A failure reaches the reader behind what came before it', async () => {
  const output = outputOf(new Channel('a\n', new Error('gone')));
  const reader = output.read();
  assert.equal((await reader.next()).value, 'a');
  await assert.rejects(reader.next(), /gone/);
});

test('What was collected elsewhere is read like the rest', async () => {
  const output = new Output({ name: 'stderr', isBytes: false, maxBufferBytes: 1, onOverflow: () => assert.fail() });
  const lines = all(output.read());
  output.finish(Buffer.from('x\ny\n'));
  assert.deepEqual(await lines, ['x', 'y']);
  assert.equal(output.bytes().toString(), 'x\ny\n');
});

test('What is written to stdin is read in order, and a write is done when it has been taken', async () => {
  const stdin = new ExecStdin();
  const written: string[] = [];
  stdin.write('a', () => written.push('a'));
  stdin.write(new Uint8Array([98]), () => written.push('b'));
  stdin.end('c');
  const iterator = stdin[Symbol.asyncIterator]();
  await turn();
  assert.deepEqual(written, []);
  let text = '';
  for (let result = await iterator.next(); !result.done; result = await iterator.next()) text += Buffer.from(result.value).toString();
  assert.equal(text, 'abc');
  assert.deepEqual(written, ['a', 'b']);
});

test('What is written to stdin after the program stopped reading is dropped without an error', async () => {
  const stdin = new ExecStdin();
  const iterator = stdin[Symbol.asyncIterator]();
  await iterator.return?.();
  await new Promise((resolve) => stdin.write('lost', resolve));
  await new Promise<void>((resolve) => stdin.end(resolve));
  stdin.destroy(new Error('whatever'));
  await turn();
});

test('An input gives bytes for strings, is closed with its reader, and tells of what is wrong with it', async () => {
  let isClosed = false;
  const errors: unknown[] = [];
  async function* source(): AsyncGenerator<string | Uint8Array> {
    try {
      yield 'é';
      yield new Uint8Array([1]);
      yield 5 as never;
    } finally {
      isClosed = true;
    }
  }
  const first = byteFlow(source(), (error) => errors.push(error))[Symbol.asyncIterator]();
  assert.deepEqual(Buffer.from((await first.next()).value), Buffer.from('é'));
  await first.return?.();
  assert.equal(isClosed, true);
  const second = byteFlow(source(), (error) => errors.push(error))[Symbol.asyncIterator]();
  await second.next();
  await second.next();
  await assert.rejects(Promise.resolve(second.next()), TypeError);
  assert.equal(errors.length, 1);
});
