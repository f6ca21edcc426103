/** Death of a child by its own doing: it harms nobody else, and every pending call ends with a typed error. */
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import fs from 'node:fs';
import inspector from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { self } from 'mitos';
import {
  errorOf,
  MASTERS,
  MODES,
  type Mode,
  PROCESSES,
  pidOf,
  pidsGone,
  recordOf,
  rejectsWith,
  THREADED,
  treeTest,
  within,
} from '../fixtures/programs/harness.js';

function add(a: number, b: number): number {
  return a + b;
}

function exitWith(code: number): void {
  process.exit(code);
}

function hang(): Promise<never> {
  return new Promise(() => {});
}

function spin(): never {
  if (isMainThread) fs.writeSync(1, 'spinning\n');
  for (;;);
}

function starve(): Promise<never> {
  if (isMainThread) fs.writeSync(1, 'starving\n');
  const again = (): Promise<never> => Promise.resolve().then(again);
  return again();
}

function endBy(signal: NodeJS.Signals): Promise<never> {
  process.kill(process.pid, signal);
  return new Promise(() => {});
}

function eatMemory(): number {
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 1e5 }, () => kept.length));
}

function overflow(): number {
  return overflow() + 1;
}

function closeDescriptors(last: number): Promise<never> {
  for (let fd = 0; fd <= last; fd++) {
    try {
      fs.closeSync(fd);
    } catch {
      // not open
    }
  }
  return new Promise(() => {});
}

function writeJunk(fds: number[], size: number): Promise<never> {
  for (const fd of fds) {
    try {
      fs.writeSync(fd, Buffer.alloc(size, 'junk'));
    } catch {
      // not open, or not to be written
    }
  }
  return new Promise(() => {});
}

function cutFrame(code: number): void {
  const header = Buffer.alloc(28);
  header[0] = 0x6d;
  header[1] = 1;
  header.writeUInt32BE(1000, 24);
  fs.writeSync(4, header);
  process.exit(code);
}

function giveBytes(size: number): Uint8Array {
  return new Uint8Array(size);
}

function throwLater(text: string): number {
  setTimeout(() => {
    throw new RangeError(text);
  });
  return 1;
}

function rejectLater(text: string): number {
  void Promise.reject(new RangeError(text));
  return 1;
}

function exitLater(code: number): number {
  setImmediate(() => process.exit(code));
  return 1;
}

function flood(): void {
  execSync('yes mitos | head -n 300000', { stdio: 'inherit' });
}

function inspectorUrl(): string | null {
  return inspector.url() ?? null;
}

function aborted(): Promise<string> {
  const { signal } = self();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted')));
}

for (const master of MASTERS) {
  for (const mode of MODES) {
    treeTest(
      `process.exit() in a ${mode.name} child of ${master.name} lets earlier replies arrive and ends the call with its exit code`,
      master.options,
      async ({ router }) => {
        const child = mode.open(router);
        const sibling = mode.open(router);
        const earlier = [1, 2, 3].map((n) => child.call(add, n, n));
        const pending = errorOf(child.call(hang));
        const error = await rejectsWith(child.call(exitWith, 3), 'ERR_MITOS_CHILD_EXIT');
        assert.deepEqual(await Promise.all(earlier), [2, 4, 6]);
        assert.equal(error['exitCode'], 3);
        assert.deepEqual(error.via, [mode.name === 'worker' ? 'worker' : 'local']);
        assert.equal((await pending).code, 'ERR_MITOS_CHILD_EXIT');
        const reason = await (await child).closed;
        assert.equal(reason.code, 'ERR_MITOS_CHILD_EXIT');
        assert.equal(reason.exitCode, 3);
        await rejectsWith(child.call(add, 1, 1), 'ERR_MITOS_CHILD_EXIT');
        assert.equal(await sibling.call(add, 20, 1), 21);
      },
    );
  }
}

for (const mode of MODES) {
  treeTest(`process.exit() in a timer of a ${mode.name} child settles closed with its exit code`, {}, async ({ router }) => {
    const child = await mode.open(router);
    await child.call(exitLater, 5);
    const reason = await child.closed;
    assert.equal(reason.code, 'ERR_MITOS_CHILD_EXIT');
    assert.equal(reason.exitCode, 5);
    assert.equal(child.connected, false);
  });

  treeTest(`An error thrown after the reply is logged and a ${mode.name} child lives on`, {}, async ({ router, records, signal }) => {
    const child = await mode.open(router);
    await child.call(throwLater, 'too late');
    const record = await recordOf(router, records, ({ text }) => text.includes('RangeError: too late'), signal);
    assert.equal(record.context, child);
    assert.equal(record.source, 'mitos');
    assert.equal(record.level, 'error');
    await child.call(rejectLater, 'nobody cares');
    await recordOf(router, records, ({ text, level }) => level === 'error' && text.includes('RangeError: nobody cares'), signal);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`A stack overflow in a ${mode.name} child is the error of that call only`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const error = await rejectsWith(child.call(overflow), 'ERR_MITOS_CALL');
    assert.ok(error.cause instanceof RangeError);
    assert.equal(await child.call(add, 1, 2), 3);
  });

  treeTest(`shutdown() of a ${mode.name} child aborts the signal of what runs and rejects it`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const sibling = await mode.open(router);
    const graceful = child.call(aborted);
    const hung = errorOf(child.call(hang));
    await child.shutdown({ graceMs: 200 });
    assert.equal(await graceful, 'aborted');
    assert.equal((await hung).code, 'ERR_MITOS_SHUTDOWN');
    assert.equal((await child.closed).code, 'ERR_MITOS_SHUTDOWN');
    assert.equal(await sibling.call(add, 1, 2), 3);
  });
}

for (const mode of MODES.filter(({ name }) => name !== 'threadless')) {
  for (const fn of [spin, starve]) {
    treeTest(`shutdown() ends a ${mode.name} child whose function blocks by ${fn.name}()`, {}, async ({ router, records, signal }) => {
      const child = await mode.open(router);
      const sibling = await mode.open(router);
      const pending = errorOf(child.call(fn));
      if (mode === THREADED) await recordOf(router, records, ({ text }) => /^(spinn|starv)ing$/.test(text), signal);
      const start = performance.now();
      await child.shutdown({ graceMs: 100 });
      assert.ok(performance.now() - start < 1500);
      assert.equal((await pending).code, 'ERR_MITOS_SHUTDOWN');
      assert.equal(await sibling.call(add, 1, 2), 3);
    });
  }
}

treeTest('shutdown() ends a threadless child whose function spins', {}, async ({ router, records, signal }) => {
  const child = await router.local({ threadless: true });
  const pending = errorOf(child.call(spin));
  await recordOf(router, records, ({ text }) => text === 'spinning', signal);
  await child.shutdown({ graceMs: 100 });
  assert.equal((await pending).code, 'ERR_MITOS_SHUTDOWN');
});

for (const mode of PROCESSES) {
  for (const name of ['SIGKILL', 'SIGSEGV', 'SIGTERM', 'SIGABRT'] as const) {
    treeTest(`A ${mode.name} child that ends by ${name} is reported with that signal`, {}, async ({ router }) => {
      const child = await mode.open(router);
      const sibling = await mode.open(router);
      const error = await rejectsWith(child.call(endBy, name), 'ERR_MITOS_CHILD_EXIT');
      assert.equal(error['signal'], name);
      assert.match(error.message, new RegExp(`"local".*${name}`));
      assert.equal((await child.closed).signal, name);
      assert.equal(await sibling.call(add, 1, 2), 3);
    });
  }

  treeTest(`A ${mode.name} child that runs out of heap is reported as out of memory`, {}, async ({ router }) => {
    const child = await router.local({ node: [process.execPath, '--max-old-space-size=40'], threadless: mode.name === 'threadless' });
    const sibling = await mode.open(router);
    const error = await rejectsWith(child.call(eatMemory), 'ERR_MITOS_CHILD_EXIT');
    assert.match(error.message, /out of memory/);
    assert.match(error.hint ?? '', /max-old-space-size/);
    assert.equal(await sibling.call(add, 1, 2), 3);
  });

  treeTest(`A ${mode.name} child that closes all its descriptors ends with a typed error`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const sibling = await mode.open(router);
    const pid = await pidOf(child);
    await rejectsWith(child.call(closeDescriptors, 20), 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED', 'ERR_MITOS_PROTOCOL');
    await pidsGone([pid], 1500);
    assert.equal(await sibling.call(add, 1, 2), 3);
  });

  treeTest(`A ${mode.name} child that closes its standard descriptors stays of use`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const pending = errorOf(child.call(closeDescriptors, 2));
    assert.equal(await child.call(add, 1, 2), 3);
    await router.close();
    assert.equal((await pending).code, 'ERR_MITOS_SHUTDOWN');
  });

  treeTest(
    `Junk that a ${mode.name} child writes on the protocol's descriptor ends that link with ERR_MITOS_PROTOCOL`,
    {},
    async ({ router }) => {
      const child = await mode.open(router);
      const sibling = await mode.open(router);
      const pid = await pidOf(child);
      const pending = errorOf(child.call(hang));
      await rejectsWith(child.call(writeJunk, [4], 5), 'ERR_MITOS_PROTOCOL');
      assert.equal((await pending).code, 'ERR_MITOS_PROTOCOL');
      assert.equal((await child.closed).code, 'ERR_MITOS_PROTOCOL');
      await pidsGone([pid], 1500);
      assert.equal(await sibling.call(add, 1, 2), 3);
    },
  );

  treeTest(`A frame that a ${mode.name} child cuts short by its end is told as that end`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const sibling = await mode.open(router);
    const pending = errorOf(child.call(hang));
    const error = await rejectsWith(child.call(cutFrame, 3), 'ERR_MITOS_CHILD_EXIT');
    assert.equal(error['exitCode'], 3);
    assert.equal((await pending).code, 'ERR_MITOS_CHILD_EXIT');
    assert.equal(await sibling.call(add, 1, 2), 3);
  });

  treeTest(`A large reply that dies half way in a ${mode.name} child is told as its end`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const sibling = await mode.open(router);
    const pid = await pidOf(child);
    const large = errorOf(child.call(giveBytes, 100_000_000));
    await child.call(add, 1, 1);
    process.kill(pid, 'SIGKILL');
    const error = await large;
    assert.equal(error.code, 'ERR_MITOS_CHILD_EXIT');
    assert.equal(error['signal'], 'SIGKILL');
    assert.equal(await sibling.call(add, 1, 2), 3);
  });

  treeTest(`Junk that a ${mode.name} child writes on all its descriptors harms nobody else`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const sibling = await mode.open(router);
    await rejectsWith(
      child.call(
        writeJunk,
        Array.from({ length: 21 }, (_, fd) => fd),
        64,
      ),
      'ERR_MITOS_PROTOCOL',
      'ERR_MITOS_CHILD_EXIT',
      'ERR_MITOS_DISCONNECTED',
    );
    assert.equal(await sibling.call(add, 1, 2), 3);
  });

  treeTest(
    `A flood on the stdout of a ${mode.name} child is cut to the limit and counted`,
    { limits: { maxLogRecordsPerSecond: 200 } },
    async ({ router, records, signal }) => {
      const child = await mode.open(router);
      const sibling = await mode.open(router);
      const start = performance.now();
      const done = child.call(flood);
      assert.equal(await sibling.call(add, 1, 2), 3);
      await done;
      await recordOf(router, records, ({ source, text }) => source === 'mitos' && /^\d+ records dropped/.test(text), signal);
      const seconds = Math.ceil((performance.now() - start) / 1000) + 1;
      const passed = records.filter(({ text }) => text === 'mitos').length;
      assert.ok(passed > 0 && passed <= 200 * seconds, `${passed} records in ${seconds} s`);
    },
  );

  treeTest(`A stopped ${mode.name} child is given up after keepAlive.timeoutMs`, {}, async ({ router, signal }) => {
    const child = await mode.open(router, { keepAlive: { intervalMs: 100, timeoutMs: 400 } });
    const sibling = await mode.open(router);
    const pid = await pidOf(child);
    const pending = errorOf(child.call(hang));
    assert.equal(await child.call(add, 1, 2), 3);
    process.kill(pid, 'SIGSTOP');
    const start = performance.now();
    const error = await pending;
    assert.equal(error.code, 'ERR_MITOS_DISCONNECTED');
    assert.match(error.message, /no sign of life/);
    assert.ok(performance.now() - start < 2500);
    await pidsGone([pid], 1500);
    assert.equal(await sibling.call(add, 1, 2), 3);
    assert.equal(signal.aborted, false);
  });

  treeTest(`SIGUSR1 opens no inspector in a ${mode.name} child`, {}, async ({ router, records }) => {
    const child = await mode.open(router);
    const pid = await pidOf(child);
    process.kill(pid, 'SIGUSR1');
    await sleep(50);
    assert.equal(await child.call(inspectorUrl), null);
    await within(1000, 'no listening socket', () => !listens(pid));
    assert.deepEqual(
      records.filter(({ text }) => /Debugger/.test(text)),
      [],
    );
  });
}

/** Whether a process listens on a TCP port. */
function listens(pid: number): boolean {
  const inodes = new Set(fs.readdirSync(`/proc/${pid}/fd`).map((fd) => /socket:\[(\d+)\]/.exec(readLink(`/proc/${pid}/fd/${fd}`))?.[1]));
  return ['tcp', 'tcp6'].some((table) =>
    fs
      .readFileSync(`/proc/net/${table}`, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .some((columns) => columns[3] === '0A' && inodes.has(columns[9])),
  );
}

function readLink(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return '';
  }
}

const waitsForKeepAlive: Mode[] = [...PROCESSES];
for (const mode of waitsForKeepAlive) {
  treeTest(`A stopped ${mode.name} child that goes on in time is not given up`, {}, async ({ router }) => {
    const child = await mode.open(router, { keepAlive: { intervalMs: 100, timeoutMs: 2000 } });
    const pid = await pidOf(child);
    process.kill(pid, 'SIGSTOP');
    const late = child.call(add, 1, 2);
    await sleep(300);
    process.kill(pid, 'SIGCONT');
    assert.equal(await late, 3);
  });
}
