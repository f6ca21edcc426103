/**
 * Connecting and shutting down again and again leaves nothing: no process, no descriptor, no listener, no growing heap.
 * `MITOS_CHURN_CYCLES` (30) is the number of cycles; `npm run churn` runs a thousand.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { allGone, MASTERS, MODES, treeTest } from '../fixtures/programs/harness.js';

const CYCLES = Number(process.env['MITOS_CHURN_CYCLES'] ?? 30);
/** Cycles before anything is measured: code is compiled, pools are filled. */
const WARM_UP = Math.min(10, CYCLES / 3);
/** Bytes of heap that a cycle may leave on average: the reasons of the last thousand contexts that are gone are kept, and V8 compiles on. */
const BYTES_PER_CYCLE = CYCLES >= 500 ? 1536 : 16_384;

function add(a: number, b: number): number {
  return a + b;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function heap(): Promise<number> {
  // Twice, with a turn of the loop between: what is let go by finalizers goes then.
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return process.memoryUsage().heapUsed;
}

const countOfDescriptors = (): number => readdirSync('/proc/self/fd').length;

for (const master of MASTERS) {
  for (const mode of MODES) {
    const timeoutMs = 30_000 + CYCLES * 1000;
    treeTest(
      `${CYCLES} cycles of connect, call and shutdown of a ${mode.name} child leave nothing in ${master.name}`,
      { ...master.options, test: { timeoutMs } },
      async ({ router, oracle, test }) => {
        const cycle = async (): Promise<void> => {
          const child = mode.open(router);
          assert.equal(await child.call(add, 1, 2), 3);
          await child.shutdown();
        };
        for (let n = 0; n < WARM_UP; n++) await cycle();
        const descriptors = countOfDescriptors();
        const before = await heap();
        const start = performance.now();
        for (let n = WARM_UP; n < CYCLES; n++) await cycle();
        const ms = performance.now() - start;
        const growth = (await heap()) - before;
        const count = CYCLES - WARM_UP;
        test.diagnostic(`${Math.round(ms / count)} ms and ${Math.round(growth / count)} bytes of heap a cycle`);
        await allGone(oracle, 500);
        assert.ok(countOfDescriptors() <= descriptors, `${countOfDescriptors()} descriptors, ${descriptors} before`);
        assert.ok(growth / count < BYTES_PER_CYCLE, `the heap grows by ${Math.round(growth / count)} bytes a cycle`);
        assert.equal(router.contexts().length, 1);
      },
    );
  }
}
