/** When a process counts as ended: not before all that it printed has been read. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { test } from 'node:test';
import { exitOf } from '#src/parent/child-process.js';

/** A child with two outputs, as `launch` hands them over. */
function makeChild(): { child: EventEmitter; ended: ReturnType<typeof exitOf>; outputs: [PassThrough, PassThrough] } {
  const child = new EventEmitter();
  const set = new Set<Readable>();
  const outputs: [PassThrough, PassThrough] = [new PassThrough(), new PassThrough()];
  for (const stream of outputs) {
    set.add(stream);
    stream.on('close', () => set.delete(stream));
  }
  return { child, ended: exitOf(child as ChildProcess, set), outputs };
}

test('A process has ended when both outputs are closed, even if one was about to be when it exited', async () => {
  const { child, ended, outputs } = makeChild();
  const [first, second] = outputs;
  let text = '';
  second.on('data', (chunk: Buffer) => (text += chunk.toString()));
  first.destroy();
  child.emit('exit', 3, null);
  await once(first, 'close');
  second.end('what it wrote last');
  assert.deepEqual(await ended, { exitCode: 3, signal: null });
  assert.equal(text, 'what it wrote last');
  assert.equal(second.closed, true);
});

test('A process has ended although somebody else holds its outputs open, which are closed by then', async () => {
  const { child, ended, outputs } = makeChild();
  child.emit('exit', null, 'SIGKILL');
  assert.deepEqual(await ended, { exitCode: null, signal: 'SIGKILL' });
  assert.deepEqual(
    outputs.map((stream) => stream.closed),
    [true, true],
  );
});
