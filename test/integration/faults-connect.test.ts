/** Connecting where it cannot work: a typed error with evidence in bounded time, and nothing left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Router } from 'mitos';
import { type LeakOracle, requirement, testWithOracle } from '#src/testing/index.js';
import {
  errorOf,
  isAlive,
  MASTERS,
  PROCESSES,
  pidOf,
  recordOf,
  rejectsWith,
  startProgram,
  treeTest,
} from '../fixtures/programs/harness.js';

function add(a: number, b: number): number {
  return a + b;
}

function hang(): Promise<never> {
  return new Promise(() => {});
}

/** Writes a program that stands in for Node. */
function stub(oracle: LeakOracle, text: string): { path: string; remove: () => void } {
  const folder = oracle.temporaryDirectory();
  const path = join(folder, 'node');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(folder, { recursive: true }) };
}

for (const mode of PROCESSES) {
  const threadless = mode.name === 'threadless';

  treeTest(`A Node that is not where the option says is ERR_MITOS_NO_RUNTIME (${mode.name})`, {}, async ({ router }) => {
    const child = router.local({ node: '/nowhere/at/all/node', threadless });
    const call = errorOf(child.call(add, 1, 2));
    const behind = errorOf(child.local().call(add, 1, 2));
    const error = await rejectsWith(child, 'ERR_MITOS_NO_RUNTIME');
    assert.match(error.message, /^Cannot connect "local" via local: .*\/nowhere\/at\/all\/node/);
    assert.ok(error.hint);
    assert.equal(error['exitCode'], 127);
    assert.ok(Array.isArray(error['stderr']) && Array.isArray(error['argv']));
    assert.ok((error['elapsedMs'] as number) < 2000);
    assert.equal((await call).code, 'ERR_MITOS_NO_RUNTIME');
    assert.equal((await behind).code, 'ERR_MITOS_NO_RUNTIME');
    assert.equal(router.contexts().length, 1);
  });

  treeTest(`A Node that is too old is ERR_MITOS_RUNTIME_OLD and names its version (${mode.name})`, {}, async ({ router, oracle }) => {
    const { path, remove } = stub(
      oracle,
      'Object.defineProperty(process, "versions", { value: { node: "10.24.0" } });Object.defineProperty(process, "version", { value: "v10.24.0" });',
    );
    try {
      const error = await rejectsWith(router.local({ node: [process.execPath, '-r', path], threadless }), 'ERR_MITOS_RUNTIME_OLD');
      assert.match(error.message, /v10\.24\.0.*v12\.22/);
      assert.ok(error.hint);
    } finally {
      remove();
    }
  });

  treeTest(`A program that is no Node ends the connect with its output as evidence (${mode.name})`, {}, async ({ router, oracle }) => {
    const { path, remove } = stub(oracle, '#!/bin/sh\necho "I am not what you think" >&2\nexit 3\n');
    try {
      const error = await rejectsWith(router.local({ node: path, threadless }), 'ERR_MITOS_TRANSPORT_EXIT');
      assert.match(error.message, /exited with code 3.*I am not what you think/);
      assert.equal(error['exitCode'], 3);
    } finally {
      remove();
    }
  });

  treeTest(`A Node that crashes while it starts is reported with the signal (${mode.name})`, {}, async ({ router, oracle }) => {
    const { path, remove } = stub(oracle, '#!/bin/sh\nkill -SEGV $$\n');
    try {
      const error = await rejectsWith(router.local({ node: path, threadless }), 'ERR_MITOS_TRANSPORT_EXIT');
      assert.equal(error['signal'], 'SIGSEGV');
      assert.match(error.message, /SIGSEGV/);
    } finally {
      remove();
    }
  });

  treeTest(`A Node that never answers is given up after connectTimeoutMs (${mode.name})`, {}, async ({ router, oracle }) => {
    const { path, remove } = stub(oracle, '#!/bin/sh\ntrap "" TERM INT HUP\nwhile :; do sleep 1000; done\n');
    try {
      const start = performance.now();
      const child = router.local({ node: path, connectTimeoutMs: 300, threadless });
      const call = errorOf(child.call(add, 1, 2));
      const error = await rejectsWith(child, 'ERR_MITOS_CONNECT_TIMEOUT');
      assert.ok(performance.now() - start < 1000);
      assert.match(error.message, /not up within 300 ms \(Node was started and has not answered\)/);
      assert.equal((await call).code, 'ERR_MITOS_CONNECT_TIMEOUT');
    } finally {
      remove();
    }
  });

  treeTest(
    `Noise before the first stage's marker does no harm, and junk instead of the protocol is ERR_MITOS_PROTOCOL (${mode.name})`,
    {},
    async ({ router, oracle }) => {
      const { path, remove } = stub(
        oracle,
        '#!/bin/sh\necho "some junk that is no frame, but longer than the header of one" >&4\nexec sleep 1000\n',
      );
      try {
        const { path: wrapper, remove: removeWrapper } = stub(
          oracle,
          `#!/bin/sh\nprintf 'some junk that is no frame and goes on' >&2\nexec "${path}" "$@" 4>&4\n`,
        );
        try {
          await rejectsWith(router.local({ node: wrapper, threadless, connectTimeoutMs: 5000 }), 'ERR_MITOS_PROTOCOL');
        } finally {
          removeWrapper();
        }
      } finally {
        remove();
      }
    },
  );

  treeTest(`A directory that does not exist is refused with its name (${mode.name})`, {}, async ({ router }) => {
    const error = await rejectsWith(router.local({ cwd: '/nowhere/at/all', threadless }), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /chdir.*\/nowhere\/at\/all/);
  });

  treeTest(
    `A child that is killed in any phase of connecting ends everything that waits for it with a typed error (${mode.name})`,
    {},
    async ({ router }) => {
      for (let killAfterMs = 0; killAfterMs <= 120; killAfterMs += 15) {
        const child = mode.open(router);
        const call = errorOf(child.call(hang));
        const behind = errorOf(child.local().call(hang));
        const pid = await firstPid();
        await new Promise((resolve) => setTimeout(resolve, killAfterMs));
        process.kill(pid, 'SIGKILL');
        for (const error of await Promise.all([call, behind])) {
          assert.ok(['ERR_MITOS_TRANSPORT_EXIT', 'ERR_MITOS_CHILD_EXIT'].includes(error.code), `${error.code} after ${killAfterMs} ms`);
          assert.equal(error['signal'], 'SIGKILL');
        }
        await child.then(
          (context) => context.closed,
          () => {},
        );
      }
      assert.equal(router.contexts().length, 1);
    },
  );
}

/** The newest child of this process. */
async function firstPid(): Promise<number> {
  for (;;) {
    const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
    const pid = pids.filter(isAlive).at(-1);
    if (pid !== undefined) return pid;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const master of MASTERS) {
  treeTest(
    `close() of ${master.name} during a connect rejects it with ERR_MITOS_SHUTDOWN and leaves nothing`,
    master.options,
    async ({ router }) => {
      for (const delayMs of [0, 30]) {
        const child = router.local();
        const call = errorOf(child.call(add, 1, 2));
        const deep = errorOf(child.local().local().call(add, 1, 2));
        const connect = errorOf(child);
        if (delayMs) {
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          break;
        }
        await router.close();
        assert.equal((await call).code, 'ERR_MITOS_SHUTDOWN');
        assert.equal((await deep).code, 'ERR_MITOS_SHUTDOWN');
        assert.equal((await connect).code, 'ERR_MITOS_SHUTDOWN');
      }
    },
  );

  treeTest(
    `Shutting down a context of ${master.name} that is still starting rejects what waits for it`,
    master.options,
    async ({ router }) => {
      const child = router.local();
      const call = errorOf(child.call(add, 1, 2));
      await child.shutdown();
      assert.equal((await call).code, 'ERR_MITOS_SHUTDOWN');
      assert.equal((await errorOf(child)).code, 'ERR_MITOS_SHUTDOWN');
      assert.equal(await router.local().call(add, 1, 2), 3);
    },
  );
}

testWithOracle(
  'A program without descriptors left gets ERR_MITOS_RESOURCE, and its contexts live on',
  requirement('prlimit', () => execFileSync('sh', ['-c', 'command -v prlimit']).length > 0),
  async ({ signal }) => {
    const program = startProgram('exhausted', [], signal);
    const { stdout, stderr, code, signal: endedBy } = await program.ended;
    assert.deepEqual([code, endedBy], [0, null], stderr);
    assert.match(stdout, /refused ERR_MITOS_RESOURCE/);
    assert.match(stdout, /alive 3/);
    assert.match(stdout, /again 3/);
  },
);

testWithOracle('A wrong MITOS_LOG_LEVEL is a RangeError that names the variable and what it may be', async () => {
  process.env['MITOS_LOG_LEVEL'] = 'loud';
  try {
    assert.throws(() => new Router(), { name: 'RangeError', message: /^MITOS_LOG_LEVEL must be one of .*info.*not "loud"$/ });
  } finally {
    delete process.env['MITOS_LOG_LEVEL'];
  }
  assert.throws(() => new Router({ logLevel: 'loud' }), { name: 'RangeError', message: /^logLevel must be one of/ });
  assert.throws(() => new Router({ limits: { nothing: 1 } as never }), TypeError);
  assert.throws(() => new Router({ limits: { maxDepth: -1 } }), RangeError);
  assert.throws(() => new Router({ keepAlive: { intervalMs: 0 } }), RangeError);
});

testWithOracle('A wrong MITOS_LOG_LEVEL ends a program of main() with that error', async ({ signal }) => {
  const end = await startProgram('main-program', ['done'], signal, { MITOS_LOG_LEVEL: 'loud' }).ended;
  assert.equal(end.code, 1);
  assert.match(end.stderr, /RangeError.*MITOS_LOG_LEVEL/);
});

treeTest('The connect of a child that a child starts fails there and here alike', {}, async ({ router, records, signal }) => {
  const parent = await router.local();
  const error = await rejectsWith(parent.local({ node: '/nowhere/node', name: 'lost' }), 'ERR_MITOS_NO_RUNTIME');
  assert.match(error.message, /"lost"/);
  assert.equal(await parent.call(add, 1, 2), 3);
  assert.ok(isAlive(await pidOf(parent)));
  await recordOf(router, records, ({ text }) => text.includes('/nowhere/node'), signal).catch(() => {});
});
