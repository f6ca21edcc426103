/** The leak oracle must find each kind of leak, here planted on purpose, and nothing in code that cleans up after itself. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { findCommand, type Leak, LeakError, type LeakOracle, leakOracle, processesWithTag, requirement } from '#src/testing/index.js';

const linux = requirement('proc', () => (existsSync('/proc/self/fd') ? true : 'there is no /proc'));

/** What a check finds that lets nothing go away by itself. */
async function leaksAtOnce(oracle: LeakOracle): Promise<readonly Leak[]> {
  try {
    await oracle.check({ withinMs: 0 });
    return [];
  } catch (error) {
    if (!(error instanceof LeakError)) throw error;
    return error.leaks;
  }
}

function only(leaks: readonly Leak[], kind: Leak['kind']): string[] {
  return leaks.filter((leak) => leak.kind === kind).map((leak) => leak.description);
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Runs `plant` between baseline and check, `remove` afterwards; then the oracle must be content. */
async function find(plant: () => unknown, remove: () => unknown): Promise<readonly Leak[]> {
  const oracle = leakOracle();
  try {
    await plant();
    const leaks = await leaksAtOnce(oracle);
    await remove();
    await oracle.check();
    return leaks;
  } finally {
    oracle.close();
  }
}

test('Leak oracle is content when nothing was left behind', async () => {
  const oracle = leakOracle();
  const child = spawn('sh', ['-c', 'echo hello'], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  await once(child, 'close');
  await oracle.check();
  oracle.close();
});

test('Leak oracle waits for what goes away by itself', async () => {
  const oracle = leakOracle();
  const child = spawn('sleep', ['0.2'], { stdio: 'ignore' });
  await oracle.check({ withinMs: 5000 });
  assert.notEqual(child.exitCode, null);
  oracle.close();
});

test('Leak oracle finds a child process and names its pid, parent, state and command', linux, async () => {
  let child: ChildProcess | undefined;
  const leaks = await find(
    () => {
      child = spawn('sleep', ['61'], { stdio: 'ignore' });
      return once(child, 'spawn');
    },
    () => kill(child as ChildProcess),
  );
  assert.equal(only(leaks, 'process').length, 1);
  assert.match(only(leaks, 'process')[0] ?? '', new RegExp(`^pid ${child?.pid}, ppid ${process.pid}, state [RSD]: sleep 61$`));
});

test('Leak oracle finds by its tag a process that left the process tree', linux, async () => {
  const oracle = leakOracle();
  const { stdout } = spawnSync('sh', ['-c', 'sleep 62 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' });
  const pid = Number(stdout);
  assert.deepEqual(
    processesWithTag(oracle.tag).map((info) => info.pid),
    [pid],
  );
  const leaks = await leaksAtOnce(oracle);
  assert.deepEqual(
    leaks.filter((leak) => leak.kind === 'process').map((leak) => leak.process?.pid),
    [pid],
  );
  assert.equal(oracle.killSurvivors(), 1);
  await oracle.check();
  assert.deepEqual(processesWithTag(oracle.tag), []);
  oracle.close();
});

test('Leak oracle finds a descendant whose environment was cleared', linux, async () => {
  let child: ChildProcess | undefined;
  const leaks = await find(
    async () => {
      child = spawn('sleep', ['63'], { stdio: 'ignore', env: {} });
      await once(child, 'spawn');
    },
    () => kill(child as ChildProcess),
  );
  assert.match(only(leaks, 'process').join(), /sleep 63$/);
});

test('Leak oracle finds a zombie below this process', linux, async () => {
  let child: ChildProcess | undefined;
  const leaks = await find(
    async () => {
      // The shell becomes a program that never waits for the child which the shell had started, and which ends only then.
      const script = '(until grep -q ^sleep /proc/$$/cmdline; do sleep 0.01; done) & exec sleep 64';
      child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      await waitFor(() => readFileSync(`/proc/${child?.pid}/cmdline`, 'latin1').startsWith('sleep'));
      await waitFor(() => childrenOf(child?.pid as number).some((pid) => stateOf(pid) === 'Z'));
    },
    () => kill(child as ChildProcess),
  );
  assert.match(only(leaks, 'process').join('\n'), /state Z \(zombie\)/);
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);
}

function stateOf(pid: number): string | undefined {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
}

async function waitFor(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `still not so after 5 s: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('Leak oracle overlooks processes that ran before', linux, async () => {
  const child = spawn('sleep', ['65'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const oracle = leakOracle();
  assert.deepEqual(only(oracle.leaks(), 'process'), []);
  oracle.close();
  await kill(child);
});

test('Leak oracle finds an open descriptor and what it points to', linux, async () => {
  let fd = -1;
  const leaks = await find(
    () => {
      fd = openSync('/etc/passwd', 'r');
    },
    () => closeSync(fd),
  );
  assert.deepEqual(only(leaks, 'fd'), [`${fd} -> /etc/passwd`]);
});

test('Leak oracle finds a descriptor number that now means another file', linux, async () => {
  const fd = openSync('/etc/passwd', 'r');
  const oracle = leakOracle();
  closeSync(fd);
  const other = openSync('/etc/group', 'r');
  assert.equal(other, fd);
  assert.deepEqual(only(await leaksAtOnce(oracle), 'fd'), [`${fd} -> /etc/group`]);
  closeSync(other);
  oracle.close();
});

test('Leak oracle finds a pseudo-terminal that a child holds', {
  skip: linux.skip || (findCommand('script') === undefined && 'no script(1)'),
}, async () => {
  let child: ChildProcess | undefined;
  const leaks = await find(
    async () => {
      child = spawn('script', ['-qec', 'echo ready; exec sleep 66', '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(child.stdout as NodeJS.ReadableStream, 'data');
    },
    async () => {
      for (const pid of childrenOf(child?.pid as number)) process.kill(pid, 'SIGKILL');
      child?.stdin?.end();
      child?.stdout?.resume();
      await once(child as ChildProcess, 'close');
    },
  );
  assert.match(only(leaks, 'pty').join(), /^\/dev\/pts\/\d+, held by pid \d+$/);
});

test('Leak oracle finds a timer that keeps the process alive', async () => {
  let timer: NodeJS.Timeout | undefined;
  const leaks = await find(
    () => {
      timer = setInterval(() => {}, 60_000);
    },
    () => clearInterval(timer),
  );
  assert.match(only(leaks, 'resource').join(), /^\d+ × Timeout, \d+ before$/);
});

test('Leak oracle finds a worker thread, also one that does not keep the process alive', async () => {
  for (const isReferenced of [true, false]) {
    let worker: Worker | undefined;
    const leaks = await find(
      async () => {
        worker = new Worker('setInterval(() => {}, 60000)', { eval: true });
        await once(worker, 'online');
        if (!isReferenced) worker.unref();
      },
      () => worker?.terminate(),
    );
    assert.match(only(leaks, 'resource').join(), /worker thread \d+/, `referenced: ${isReferenced}`);
  }
});

test('Leak oracle finds temporary files named after mitos or its tag, and no others', async () => {
  const other = mkdtempSync(join(tmpdir(), 'unrelated-'));
  const foreign = join(tmpdir(), 'mitos-leak-0123456789abcdef-x');
  const file = join(tmpdir(), `mitos-${process.pid}.sock`);
  let directory = '';
  const oracle = leakOracle();
  directory = oracle.temporaryDirectory();
  writeFileSync(file, '');
  writeFileSync(foreign, '');
  const found = only(await leaksAtOnce(oracle), 'file'); // perhaps also those of tests that run beside this one
  assert.deepEqual(
    [directory, file, foreign, other].map((path) => found.includes(path)),
    [true, true, false, false],
  );
  rmSync(file);
  rmSync(foreign);
  rmdirSync(directory);
  rmdirSync(other);
  await oracle.check();
  oracle.close();
});

test('Leak oracle finds listeners on process', async () => {
  const listener = (): void => {};
  const leaks = await find(
    () => process.on('SIGTERM', listener).on('exit', listener),
    () => process.off('SIGTERM', listener).off('exit', listener),
  );
  assert.deepEqual(
    only(leaks, 'listener').map((text) => text.replace(/\d+/g, 'n')),
    ['n for "SIGTERM" on process, n before', 'n for "exit" on process, n before'],
  );
});

test('Leak oracle lists every leak in the message of an assertion error', async () => {
  const oracle = leakOracle({ allow: (leak) => leak.kind === 'file' && !leak.description.includes(oracle.tag) });
  const directory = oracle.temporaryDirectory();
  const timer = setInterval(() => {}, 60_000);
  await assert.rejects(oracle.check({ withinMs: 30 }), (error: LeakError) => {
    assert.equal(error.code, 'ERR_ASSERTION');
    assert.equal(error.name, 'LeakError');
    assert.match(
      error.message,
      /^Expected nothing to be left behind, after \d+ ms there still are 2 leaks:\n {2}resource: .*Timeout.*\n {2}file: /,
    );
    assert.ok(error.message.endsWith(`file: ${directory}`));
    return true;
  });
  clearInterval(timer);
  rmdirSync(directory);
  oracle.close();
});

test('Leak oracle overlooks what its allow option names', async () => {
  const oracle = leakOracle({ allow: (leak) => leak.kind === 'resource' && leak.description.includes('Timeout') });
  const timer = setInterval(() => {}, 60_000);
  await oracle.check();
  clearInterval(timer);
  oracle.close();
});

test('Leak oracle gives MITOS_LEAK_TAG its former value back when closed', () => {
  const former = process.env['MITOS_LEAK_TAG'];
  const oracle = leakOracle();
  assert.ok(process.env['MITOS_LEAK_TAG']?.endsWith(oracle.tag));
  oracle.close();
  oracle.close();
  assert.equal(process.env['MITOS_LEAK_TAG'], former);
});
