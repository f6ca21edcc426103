import test, { type TestContext } from 'node:test';
import { inspect } from 'node:util';
import type { Leak } from './leak.ts';
import { type LeakOracle, leakOracle } from './leak-oracle.ts';

/** How {@link testWithOracle} runs a test. */
export interface OracleTestOptions {
  /** Time for the test itself; then its signal aborts and it fails. @default 30000 */
  timeoutMs?: number;
  /** Time that what is left behind has to go away. @default 3000 */
  withinMs?: number;
  /** Skips the test, with a reason. @default false */
  skip?: boolean | string;
  /** Says of a leak that it is none. */
  allow?: (leak: Leak) => boolean;
  /** Says of a process warning that it is expected. */
  allowWarning?: (warning: Error) => boolean;
}

/** What a test gets. */
export interface OracleTestContext {
  /** Aborts with a `TimeoutError` when the time is up; pass it on to whatever waits. */
  readonly signal: AbortSignal;
  /** The oracle that looks afterwards. */
  readonly oracle: LeakOracle;
  /** The test of `node:test`. */
  readonly test: TestContext;
}

/** The body of a test. */
export type OracleTestFunction = (context: OracleTestContext) => void | Promise<void>;

/**
 * A test of `node:test` that fails when it takes too long, when the process warns or a rejection stays unhandled meanwhile, or when it leaves
 * anything behind (see {@link leakOracle}). Processes it left behind are killed after they were reported.
 *
 * Tests of one file must run one after another, as `node:test` does unless told otherwise.
 */
export function testWithOracle(name: string, fn: OracleTestFunction): void;
export function testWithOracle(name: string, options: OracleTestOptions, fn: OracleTestFunction): void;
export function testWithOracle(name: string, ...rest: [OracleTestFunction] | [OracleTestOptions, OracleTestFunction]): void {
  const [options, fn] = rest.length === 1 ? [{}, rest[0]] : rest;
  void test(name, { skip: options.skip ?? false }, (context) => runWithOracle(options, fn, context));
}

async function runWithOracle(options: OracleTestOptions, fn: OracleTestFunction, context: TestContext): Promise<void> {
  const complaints = watchProcess(options);
  const oracle = leakOracle(options.allow === undefined ? {} : { allow: options.allow });
  const problems: unknown[] = [];
  const note = (error: unknown): void => {
    problems.push(error);
  };
  try {
    const signal = AbortSignal.timeout(options.timeoutMs ?? 30_000);
    await untilAborted(signal, async () => fn({ signal, oracle, test: context })).catch(note);
    await oracle.check(options.withinMs === undefined ? {} : { withinMs: options.withinMs }).catch(note);
  } finally {
    oracle.killSurvivors();
    oracle.close();
  }
  problems.push(...complaints());
  if (problems.length === 0) return;
  for (const problem of problems.slice(1)) context.diagnostic(problem instanceof Error ? problem.message : inspect(problem));
  if (problems.length === 1) throw problems[0];
  throw new AggregateError(problems, problems.map((problem) => (problem instanceof Error ? problem.message : inspect(problem))).join('\n'));
}

async function untilAborted(signal: AbortSignal, fn: () => Promise<void>): Promise<void> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  // The signal's own timer does not keep the process alive; without this a test that waits for nothing would end the run.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    await Promise.race([fn(), aborted]);
  } finally {
    clearInterval(alive);
    signal.removeEventListener('abort', stop);
  }
}

/** Collects warnings and unhandled rejections until the returned function is called. */
function watchProcess({ allowWarning }: OracleTestOptions): () => Error[] {
  const found: Error[] = [];
  const onWarning = (warning: Error): void => {
    if (allowWarning?.(warning) !== true)
      found.push(new Error(`The process warned: ${warning.name}: ${warning.message}`, { cause: warning }));
  };
  const onRejection = (reason: unknown): void => {
    found.push(new Error(`A rejection was not handled: ${reason instanceof Error ? reason.message : inspect(reason)}`, { cause: reason }));
  };
  process.on('warning', onWarning);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('warning', onWarning);
    process.off('unhandledRejection', onRejection);
    return found;
  };
}
