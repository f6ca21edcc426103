/** Orphans: whatever ends whatever part of a tree, everything below it is gone within two seconds. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { processesWithTag, testWithOracle } from '#src/testing/index.js';
import {
  allGone,
  isAlive,
  MASTERS,
  PROCESSES,
  pidOf,
  pidsGone,
  rejectsWith,
  startProgram,
  treeTest,
  within,
} from '../fixtures/programs/harness.js';
import type { LeafName } from '../fixtures/programs/leaves.js';

const LIMIT_MS = 2000;

const LEAF_NAMES: LeafName[] = ['idle', 'spin', 'deaf', 'inExecSync', 'waiting', 'withProgram'];

for (const mode of PROCESSES) {
  for (const leaf of LEAF_NAMES) {
    testWithOracle(`A ${mode.name} child that does ${leaf} is gone within 2 s after its master was killed`, async ({ signal, oracle }) => {
      const program = startProgram('tree', [mode.name, leaf], signal);
      await program.said('ready');
      program.kill('SIGKILL');
      await program.ended;
      await allGone(oracle, LIMIT_MS);
    });
  }
}

testWithOracle('A threaded child whose thread pool is taken is gone within 2 s after its master was killed', async ({ signal, oracle }) => {
  const program = startProgram('tree', ['threaded', 'poolTaken'], signal);
  await program.said('ready');
  program.kill('SIGKILL');
  await program.ended;
  await allGone(oracle, LIMIT_MS);
});

testWithOracle('The children of a threaded master are gone within 2 s after it was killed', async ({ signal, oracle }) => {
  const program = startProgram('tree', ['threaded,threadless', 'spin', 'threaded'], signal);
  await program.said('ready');
  program.kill('SIGKILL');
  await program.ended;
  await allGone(oracle, LIMIT_MS);
});

for (const chain of ['threaded,threaded,threaded', 'threadless,threadless,threadless', 'threaded,threadless,worker']) {
  testWithOracle(
    `Killing the first of a chain ${chain} ends what is below within 2 s and every call with its end`,
    async ({ signal, oracle }) => {
      const program = startProgram('tree', [chain, 'spin'], signal);
      const pids = (await program.said('ready')).split(' ').map(Number);
      process.kill(pids[0] as number, 'SIGKILL');
      assert.equal(await program.said('settled'), 'ERR_MITOS_CHILD_EXIT');
      await pidsGone(pids, LIMIT_MS);
      await within(
        LIMIT_MS,
        'only the master is left',
        () => processesWithTag(oracle.tag).filter(({ pid }) => pid !== program.pid).length === 0,
      );
      assert.ok(isAlive(program.pid));
      program.kill('SIGKILL');
      await program.ended;
    },
  );
}

testWithOracle('Everything is gone within 2 s when the master is killed in the middle of connecting', async ({ signal, oracle }) => {
  for (const [index, afterMs] of [0, 20, 40, 60, 80, 120].entries()) {
    const program = startProgram('tree', [index % 2 ? 'threaded,threaded' : 'threadless,threadless', 'idle'], signal);
    await within(5000, 'the first child', () => processesWithTag(oracle.tag).some(({ pid }) => pid !== program.pid));
    const start = performance.now();
    await within(1000, 'the moment', () => performance.now() - start >= afterMs);
    program.kill('SIGKILL');
    await program.ended;
    await allGone(oracle, LIMIT_MS);
  }
});

testWithOracle('A program that ends without closing its router leaves nothing', async ({ signal, oracle }) => {
  for (const mode of ['exit', 'throw']) {
    const program = startProgram('careless', [mode], signal);
    const { code } = await program.ended;
    assert.equal(code, mode === 'exit' ? 7 : 1);
    await allGone(oracle, LIMIT_MS);
  }
});

function startProgramHere(): number {
  return spawn('sleep', ['1000'], { stdio: 'ignore' }).pid as number;
}

function exitHere(): void {
  process.exit(0);
}

function daemonize(): number {
  return spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }).pid as number;
}

for (const mode of PROCESSES) {
  treeTest(`Programs that a ${mode.name} child started are gone with it, however it ends`, {}, async ({ router }) => {
    for (const end of ['shutdown', 'exit', 'kill'] as const) {
      const child = await mode.open(router);
      const pid = await child.call(startProgramHere);
      if (end === 'shutdown') await child.shutdown();
      else if (end === 'exit') await rejectsWith(child.call(exitHere), 'ERR_MITOS_CHILD_EXIT');
      else process.kill(await pidOf(child), 'SIGKILL');
      await child.closed;
      await pidsGone([pid], 500);
    }
  });

  treeTest(`A daemon that holds the output of a ${mode.name} child does not hold up its end`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const pid = await child.call(daemonize);
    try {
      const start = performance.now();
      await child.shutdown();
      assert.ok(performance.now() - start < 1000);
      assert.ok(isAlive(pid), 'a daemon of its own session is left alone');
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });
}

for (const master of MASTERS) {
  treeTest(`close() of ${master.name} ends a tree of all kinds and leaves nothing`, master.options, async ({ router, oracle }) => {
    const first = router.local();
    const second = router.local({ threadless: true });
    await Promise.all([first, second, first.local(), first.worker(), second.local({ threadless: true }), second.worker(), router.worker()]);
    assert.equal(router.contexts().length, 8);
    const start = performance.now();
    await router.close();
    assert.ok(performance.now() - start < 1500, `${performance.now() - start} ms`);
    await allGone(oracle, 500);
    assert.deepEqual(router.contexts().slice(1), []);
  });
}
