/** Bytes that travel until the first result is there. */
import { BUNDLE_SIZES } from '#src/generated/bundles.js';
import { Router } from '#src/index.js';
import { firstStage } from '#src/parent/first-stage.js';
import type { Plan } from '../measure.ts';
import { nothing } from '../remote.ts';
import type { Row, Target } from '../report.ts';

/** What Mitogen 0.3 needs (its own preamble_size.py). */
const MITOGEN = { firstStage: 838, preamble: 19_108 };

export async function measureBytes(_plan: Plan): Promise<Row[]> {
  const { CORE, EXTRA, PARENT, API } = BUNDLE_SIZES as Record<string, { brotli: number }>;
  const stage = firstStage({ marker: 'x'.repeat(32), preambleBytes: CORE?.brotli ?? 0 });
  // As a shell on the far side gets it: blanks between the arguments, quotes around the two scripts.
  const command = stage.join(' ').length + 4;
  const row = (what: string, value: number | undefined, peer?: number, target?: Target): Row => ({
    what,
    unit: 'B',
    values: [value ?? NaN],
    ...(peer === undefined ? {} : { beside: { what: 'Mitogen 0.3', values: [peer] } }),
    ...(target ? { target } : {}),
  });
  return [
    row('first stage on the command line', command, MITOGEN.firstStage, { of: 'value', atMost: 800 }),
    row('preamble (core)', CORE?.brotli, MITOGEN.preamble, { of: 'value', atMost: 10 * 1024 }),
    row('rare parts of the core, on first need', EXTRA?.brotli),
    row('parent layer, on first need', PARENT?.brotli),
    row('module mitos, on first need', API?.brotli),
    ...(await measureConnection()),
  ];
}

/** What the master's own counters say of a connection and a first call. */
async function measureConnection(): Promise<Row[]> {
  await using router = new Router();
  const context = await router.local({ threadless: true });
  await context.call(nothing);
  const { bytesOut, bytesIn } = router.stats();
  const what = 'connect and first call';
  return [
    {
      what: `${what}: to the child`,
      unit: 'B',
      values: [bytesOut],
      beside: { what: 'preamble of Mitogen 0.3', values: [MITOGEN.preamble] },
    },
    { what: `${what}: from the child`, unit: 'B', values: [bytesIn] },
  ];
}
