/** Programs around `main()`: signals at any moment, exit codes, and nothing left behind. */
import assert from 'node:assert/strict';
import { processesWithTag, testWithOracle } from '#src/testing/index.js';
import { allGone, startProgram } from '../fixtures/programs/harness.js';

const PLACES: [string, string[]][] = [
  ['while a child is starting', ['connect']],
  ['during a call of a threaded child', ['call', 'threaded']],
  ['during a call of a threadless child', ['call', 'threadless']],
  ['while a threaded child spins and ignores signals', ['spin', 'threaded']],
  ['while a threadless child spins and ignores signals', ['spin', 'threadless']],
  ['while the end of a chain spins', ['chain']],
  ['while its child is stopped', ['stopped']],
];

for (const [where, args] of PLACES) {
  for (const how of ['one thread', 'threaded']) {
    testWithOracle(
      `A signal ${where} ends a ${how === 'threaded' ? 'threaded master' : 'master on one thread'} by that signal within 1 s, with nothing left`,
      async ({ signal, oracle }) => {
        const run = async (name: NodeJS.Signals): Promise<void> => {
          const program = startProgram('main-program', [args[0] as string, args[1] ?? '', how], signal);
          await program.said('at');
          const start = performance.now();
          program.kill(name);
          const end = await program.ended;
          assert.equal(end.signal, name, end.stderr);
          assert.ok(end.at - start < 1000, `${end.at - start} ms`);
          assert.doesNotMatch(end.stderr, /Warning|UnhandledPromise|ERR_UNHANDLED/);
        };
        await Promise.all([run('SIGINT'), run('SIGTERM')]);
        await allGone(oracle, 500);
      },
    );
  }
}

testWithOracle('SIGHUP ends a program like SIGTERM does', async ({ signal, oracle }) => {
  const program = startProgram('main-program', ['call', 'threaded'], signal);
  await program.said('at');
  program.kill('SIGHUP');
  assert.equal((await program.ended).signal, 'SIGHUP');
  await allGone(oracle, 500);
});

testWithOracle('A second signal ends a program at once', async ({ signal, oracle }) => {
  const program = startProgram('main-program', ['stopped'], signal);
  await program.said('at');
  const start = performance.now();
  program.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 50));
  program.kill('SIGTERM');
  const end = await program.ended;
  // A stopped process cannot notice the end of its master before it goes on.
  for (const { pid } of processesWithTag(oracle.tag)) process.kill(pid, 'SIGCONT');
  await allGone(oracle, 2000);
  assert.equal(end.signal, 'SIGTERM');
  assert.ok(end.at - start < 1000, `${end.at - start} ms`);
});

testWithOracle('A signal while the master itself computes is served when it comes back', async ({ signal, oracle }) => {
  const program = startProgram('main-program', ['hold'], signal);
  await program.said('at');
  program.kill('SIGINT');
  assert.equal((await program.ended).signal, 'SIGINT');
  await allGone(oracle, 500);
});

testWithOracle(
  'A program is ended by a signal at any instant of its life, and leaves nothing',
  { timeoutMs: 60_000 },
  async ({ signal, oracle }) => {
    const run = async (instant: number): Promise<void> => {
      const program = startProgram('main-program', [instant % 2 ? 'chain' : 'call', instant % 4 > 1 ? 'threadless' : 'threaded'], signal);
      const afterMs = 60 + instant * 40;
      await Promise.race([program.said('at').catch(() => {}), new Promise((resolve) => setTimeout(resolve, afterMs))]);
      const start = performance.now();
      program.kill(instant % 3 ? 'SIGTERM' : 'SIGINT');
      const end = await program.ended;
      assert.ok(end.at - start < 1000, `${end.at - start} ms at ${afterMs}`);
      assert.ok(end.signal === 'SIGTERM' || end.signal === 'SIGINT', `${end.code} ${end.signal} at ${afterMs}: ${end.stderr}`);
    };
    for (let instant = 0; instant < 14; instant += 2) {
      await Promise.all([run(instant), run(instant + 1)]);
      await allGone(oracle, 2000);
    }
  },
);

testWithOracle('main() ends the process with 0 when all went well', async ({ signal }) => {
  const end = await startProgram('main-program', ['done'], signal).ended;
  assert.deepEqual([end.code, end.stdout, end.stderr], [0, 'child', '']);
});

testWithOracle('main() keeps process.exitCode', async ({ signal }) => {
  assert.equal((await startProgram('main-program', ['exitCode'], signal).ended).code, 9);
});

testWithOracle('main() prints what its function threw and ends the process with 1', async ({ signal }) => {
  const end = await startProgram('main-program', ['throw'], signal).ended;
  assert.equal(end.code, 1);
  assert.match(end.stderr, /^RangeError: on purpose\n\s+at .*main-program/);
});

testWithOracle('main() does nothing in a module that was imported', async ({ signal }) => {
  const end = await startProgram('imports-main', [], signal).ended;
  assert.deepEqual([end.code, end.stdout, end.stderr], [0, 'imported', '']);
});
