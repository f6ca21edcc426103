/** How the command line shows that a Node is on its way. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Router, RuntimeProgress } from 'mitos';
import { showPushes } from '#src/cli/push-progress.js';

const STEPS: readonly RuntimeProgress[] = [
  { phase: 'download', context: 'web', done: 10, total: 0 },
  { phase: 'pack', context: 'web', done: 1, total: 4 },
  { phase: 'send', context: 'web', done: 0, total: 2_097_152 },
  { phase: 'send', context: 'web', done: 1_048_576, total: 2_097_152 },
  { phase: 'send', context: 'web', done: 2_097_152, total: 2_097_152 },
  { phase: 'start', context: 'web', done: 5, total: 5 },
];

function shown(stream: { isTTY?: boolean; columns?: number }, env: Record<string, string> = {}): string[] {
  const written: string[] = [];
  const router = new EventEmitter();
  const end = showPushes(router as unknown as Router, { ...stream, write: (text: string) => written.push(text) > 0 } as never, env);
  for (const step of STEPS) router.emit('runtime', step);
  end();
  router.emit('runtime', STEPS[2]);
  assert.equal(router.listenerCount('runtime'), 0);
  return written;
}

test('Without a terminal there is one line for each target', () => {
  for (const written of [shown({}), shown({ isTTY: true }, { TERM: 'dumb' })])
    assert.deepEqual(written, ['web: there is no Node; sending one (2.0 MiB)\n']);
});

test('On a terminal there is a bar that moves, fits the line, and is erased at the end', () => {
  const written = shown({ isTTY: true, columns: 60 });
  const erase = '\r\x1b[2K';
  const lines = written.filter((text) => text !== erase);
  assert.deepEqual(
    lines.map((text) => text.split(':')[1]?.trim().split(' ')[0]),
    ['downloading', 'packing', 'sending', 'sending', 'sending'],
  );
  assert.equal(new Set(lines).size, 5);
  for (const line of lines) assert.ok(line.length < 60 && !line.includes('\n'));
  assert.match(lines[3] as string, /1\.0 MiB of 2\.0 MiB/);
  assert.equal(written.at(-1), erase);
  // Each but the first is written over the one before.
  assert.equal(written.length, 10);
});
