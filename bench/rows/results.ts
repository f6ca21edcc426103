/** Large results, and what a small call made meanwhile has to wait. */
import { type Context, Router } from '#src/index.js';
import { elapsed, type Plan, type Subject, takeTurns } from '../measure.ts';
import { BareNode } from '../peers.ts';
import { bytes, nothing } from '../remote.ts';
import { median, type Row } from '../report.ts';

const MIB = 1 << 20;
const LATENCY = { of: 'value', atMost: 10 } as const;

export async function measureResults(plan: Plan): Promise<Row[]> {
  await using router = new Router();
  await using bare = new BareNode();
  const contexts = { threadless: await router.local({ threadless: true }), threaded: await router.local() };
  const waits: Record<string, { medians: number[]; longest: number[] }> = {};
  const subjects: Record<string, Subject> = {};
  for (const size of [1, 64]) {
    const times = size === 1 ? 20 : 1;
    const rate = (get: () => Promise<unknown>) => async () => ((size * times) / (await elapsed(() => repeat(times, get)))) * 1000;
    subjects[`bare${size}`] = rate(() => bare.bytes(size * MIB));
    for (const [mode, context] of Object.entries(contexts)) subjects[mode + size] = rate(() => context.call(bytes, size * MIB));
  }
  for (const [mode, context] of Object.entries(contexts)) {
    const medians: number[] = [];
    const longest: number[] = [];
    waits[mode] = { medians, longest };
    subjects[`wait ${mode}`] = async () => {
      const found = await callMeanwhile(context, context.call(bytes, 64 * MIB));
      medians.push(median(found));
      return longest[longest.push(Math.max(...found)) - 1] ?? NaN;
    };
  }
  const rates = await takeTurns(plan.pick(7, 2), subjects);
  const rows: Row[] = [];
  for (const mode of Object.keys(contexts)) {
    for (const size of [1, 64]) {
      const beside = { what: 'bare Node pipe', values: rates[`bare${size}`] ?? [] };
      const row: Row = { what: `result of ${size} MiB, ${mode}`, unit: 'MiB/s', values: rates[mode + size] ?? [], beside };
      rows.push(size === 64 ? { ...row, target: { of: 'value', atLeast: 400 } } : row);
    }
    // The first one was to warm up.
    rows.push({ what: `small call meanwhile, ${mode}: median`, unit: 'ms', values: waits[mode]?.medians.slice(1) ?? [], target: LATENCY });
    rows.push({ what: `small call meanwhile, ${mode}: longest`, unit: 'ms', values: waits[mode]?.longest.slice(1) ?? [], target: LATENCY });
  }
  return rows;
}

async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await work();
}

/** How long each of the calls takes that are made, one after another, until `big` has come. */
async function callMeanwhile(context: Context, big: Promise<unknown>): Promise<number[]> {
  const found: number[] = [];
  let isOver = false;
  const over = big.finally(() => (isOver = true));
  while (!isOver) found.push(await elapsed(() => context.call(nothing)));
  await over;
  return found;
}
