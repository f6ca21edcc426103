/** Programs end with what they were run for: whatever ends it, and however they resist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, type ContextPromise, type ExecPromise, Router } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

/** A shell with a child, both of which ignore SIGTERM when asked to; prints the ids of both. */
const stubborn = (ignores: boolean): string =>
  `${ignores ? 'trap "" TERM;' : ''} sh -c '${ignores ? 'trap "" TERM;' : ''} echo $$; while :; do sleep 0.05; done' & echo $$; wait; wait`;

/** Reads two process ids from a program that is under way. */
async function idsOf(program: ExecPromise): Promise<number[]> {
  const ids: number[] = [];
  for await (const line of program.stdout) if (ids.push(Number(line)) === 2) break;
  return ids;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function gone(ids: number[], withinMs: number): Promise<number> {
  const began = performance.now();
  while (ids.some(isAlive)) {
    if (performance.now() - began > withinMs) throw new Error(`Still alive after ${withinMs} ms: ${ids.filter(isAlive).join(', ')}`);
    await sleep(10);
  }
  return performance.now() - began;
}

inEveryMode('an abort ends the program and what it has started', async ({ open }) => {
  const context = await open();
  const controller = new AbortController();
  const program = context.exec(stubborn(false), { signal: controller.signal });
  const failed = rejection(program);
  const ids = await idsOf(program);
  const reason = new Error('enough');
  controller.abort(reason);
  assert.equal(await failed, reason);
  await gone(ids, 450);
});

inEveryMode('a program that ignores SIGTERM is killed half a second later', async ({ open }) => {
  const context = await open();
  const controller = new AbortController();
  const program = context.exec(stubborn(true), { signal: controller.signal });
  const failed = rejection(program);
  const ids = await idsOf(program);
  controller.abort();
  await failed;
  const ms = await gone(ids, 2000);
  assert.ok(ms > 300, `they were gone after ${ms} ms`);
});

inEveryMode('a timeout ends the program', async ({ open }) => {
  const context = await open();
  const error = await rejection(context.exec(['sleep', '100'], { timeoutMs: 100 }));
  assert.equal(error.code, 'ERR_MITOS_TIMEOUT');
  assert.equal((await rejection(context.with({ timeoutMs: 100 }).exec(['sleep', '100']))).code, 'ERR_MITOS_TIMEOUT');
  const aborted = AbortSignal.abort(new Error('before'));
  assert.equal((await rejection(context.exec(['sleep', '100'], { signal: aborted }))).message, 'before');
});

inEveryMode('programs end with their context', async ({ open }) => {
  const context = await open();
  // The programs of a thread that has ended are reaped with its process only, so it needs time to see them end.
  const graceMs = context.method === 'worker' ? 5000 : 0;
  const program = context.exec(stubborn(true));
  const failed = rejection(program);
  const ids = await idsOf(program);
  await context.shutdown({ graceMs });
  assert.match(String((await failed).code), /^ERR_MITOS_(SHUTDOWN|ABORTED|DISCONNECTED|CHILD_EXIT)$/);
  await gone(ids, 1000);
});

inEveryMode(
  'programs end when their context is killed',
  async ({ open }) => {
    const context = await open();
    const program = context.exec(stubborn(true));
    const failed = rejection(program);
    const ids = await idsOf(program);
    process.kill((await context.info()).pid, 'SIGKILL');
    assert.match(String((await failed).code), /^ERR_MITOS_/);
    await gone(ids, 1000);
  },
  { except: 'worker' },
);

withRouter('programs of the master end when its router is closed', async ({ router }) => {
  const program = router.exec(stubborn(true));
  const failed = rejection(program);
  const ids = await idsOf(program);
  await router.close();
  assert.equal((await failed).code, 'ERR_MITOS_SHUTDOWN');
  await gone(ids, 1000);
});

withRouter('exec in a context that does not come up rejects with the reason for that', async ({ router }) => {
  const starting: ContextPromise = router.local({ node: '/no/such/node' });
  const plain = rejection(starting.exec(['true']));
  const live = starting.exec(['true']);
  const lines = rejection(live.stdout[Symbol.asyncIterator]().next());
  const reason = await rejection(starting);
  for (const error of [await plain, await lines, await rejection(live)]) assert.equal(error.message, reason.message);
});

testWithOracle('a reader hears of the loss of the context', async () => {
  const router = new Router({ logger: false });
  const context = await router.local();
  const program = context.exec('echo a; sleep 100');
  const reader = program.stdout[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value, 'a');
  const next = rejection(reader.next());
  process.kill((await context.info()).pid, 'SIGKILL');
  assert.match(String((await next).code), /^ERR_MITOS_/);
  await router.close();
});

withRouter('a program ends when the context that asked for it is gone', async ({ router }) => {
  const [asker, place] = await Promise.all([router.local({ name: 'asker' }), router.local({ name: 'place' })]);
  const lines = await asker.call(async function* (where: Context) {
    yield* where.exec('echo $$; sleep 100').stdout;
  }, place);
  const { value } = await lines[Symbol.asyncIterator]().next();
  assert.ok(isAlive(Number(value)));
  process.kill((await asker.info()).pid, 'SIGKILL');
  await gone([Number(value)], 2000);
  assert.equal((await place.exec(['echo', 'fine'])).stdout, 'fine\n');
});
