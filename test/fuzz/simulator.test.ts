/**
 * Whole trees by chance, in virtual time. A fresh seed each run, printed here; `MITOS_SEED=<seed>` replays one tree, and
 * `MITOS_SIM_SEEDS` is the number of trees for each kind.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type SimulationRunOptions, seedFromEnv, simulate, withSeed } from '#src/testing/index.js';

const count = process.env['MITOS_SEED'] ? 1 : Number(process.env['MITOS_SIM_SEEDS'] ?? 60);
const first = seedFromEnv();
console.log(`simulator: MITOS_SEED=${first}, ${count} trees of each kind`);

async function run(name: string, options: Omit<SimulationRunOptions, 'seed'>): Promise<void> {
  for (let at = 0; at < count; at++) {
    const replay = async (_random: unknown, seed: number): Promise<void> => {
      const { problems } = await simulate({ seed, ...options });
      assert.deepEqual(problems, []);
    };
    await withSeed(name, replay, { seed: (first + at) % 2 ** 32 });
  }
}

const tests: [string, Omit<SimulationRunOptions, 'seed'>][] = [
  ['A tree without faults loses nothing', { hasFaults: false }],
  ['A tree whose contexts die, and whose links are cut and stalled, keeps every promise', { events: 100 }],
  ['A hostile context speaks for nobody else and reaches nobody it may not', { hasFaults: false, isHostile: true }],
  ['A hostile context among faults breaks no promise to the others', { events: 100, isHostile: true }],
];
for (const [name, options] of tests) test(name, () => run(name, options));
