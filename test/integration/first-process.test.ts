/** Contexts that are the first thing to run in a PID namespace: the system keeps such a process from ending itself by a signal. */
import assert from 'node:assert/strict';
import { Router } from 'mitos';
import { readProcessTable, testWithOracle } from '#src/testing/index.js';
import { spin } from '../fixtures/programs/containers.js';
import { rejectsWith } from '../fixtures/programs/harness.js';
import { needs } from '../support/lab/index.js';

for (const threadless of [false, true]) {
  const mode = threadless ? 'threadless' : 'threaded';
  testWithOracle(`a ${mode} context is not the first process of a namespace of its own, and works there`, needs('namespaces'), async () => {
    await using router = new Router({ logger: false });
    const context = await router.command({ argv: ['unshare', '--pid', '--fork', '--mount-proc'], threadless });
    assert.notEqual((await context.info()).pid, 1);
    assert.deepEqual(await context.call(() => ['q', 'f', 'p', 'v', 'a', 'n', 'b', 'o'].filter((name) => name in globalThis)), []);
  });
}

testWithOracle('a function that spins ends with what led to it, also in a PID namespace of its own', needs('namespaces'), async () => {
  await using router = new Router({ logger: false });
  const context = await router.command({ argv: ['unshare', '--pid', '--fork', '--mount-proc'] });
  const call = rejectsWith(context.call(spin), 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED');
  await context.info();
  const tool = [...readProcessTable().values()].find(({ ppid, command }) => ppid === process.pid && command.startsWith('unshare '));
  assert.ok(tool);
  process.kill(tool.pid, 'SIGKILL');
  await call;
});
