/** `mitos ping`: connects to targets and calls a function there. */
import { type Context, escapeText, MitosError, type Router } from '../index.ts';
import { type FailureFacts, failureFacts, passShutdown, remediesOf } from './failure.ts';
import { specOf, type Target } from './targets.ts';
import { formatMs, Output } from './terminal.ts';

/** What came of one target. */
export type PingResult = { target: string } & (
  | {
      status: 'ok';
      name: string;
      user: string;
      host: string;
      node: string;
      pid: number;
      connectMs: number;
      calls: number;
      roundTripMs: { min: number; average: number; max: number };
    }
  | ({ status: 'failed' | 'unreachable' } & FailureFacts)
);

/** Options of {@link ping}. */
export interface PingOptions {
  count: number;
  isJson: boolean;
}

/** Time for one call, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;

/** Connects to all targets, and prints what comes of each as it comes. True when all answered. */
export async function ping(router: Router, targets: readonly Target[], { count, isJson }: PingOptions): Promise<boolean> {
  // The reader may leave: there is nobody to tell anything then.
  process.stdout.on('error', () => process.exit());
  const output = new Output(process.stdout, process.env);
  // A spec is told from the others by its identity.
  const texts = new Map<unknown, string>(targets.map(({ text, steps }) => [steps.map(specOf), text]));
  const measuring: Promise<boolean>[] = [];
  for await (const one of router.connectAll(texts.keys() as Iterable<never>, { retries: 0 })) {
    const target = texts.get(one.spec) as string;
    if (one.status !== 'ok') passShutdown(one.error);
    const measured =
      one.status === 'ok' ? measure(target, one.context, one.ms, count) : { target, status: one.status, ...failureFacts(one.error) };
    measuring.push(
      Promise.resolve(measured).then((result) => {
        if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
        else show(output, result);
        return result.status === 'ok';
      }),
    );
  }
  const answers = await Promise.all(measuring);
  const answered = answers.filter(Boolean).length;
  if (!isJson && answers.length > 1) output.line(['dim', `${answered} of ${answers.length} answered`]);
  return answered === answers.length;
}

async function measure(target: string, context: Context, connectMs: number, count: number): Promise<PingResult> {
  try {
    const { user, hostname: host, node, pid } = await context.info();
    const { call } = context.with({ timeoutMs: CALL_TIMEOUT_MS });
    // The very first call has this program make ready for calls: it does not count.
    await call(process.uptime);
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const startedAt = performance.now();
      await call(process.uptime);
      times.push(round(performance.now() - startedAt));
    }
    const average = round(times.reduce((sum, ms) => sum + ms, 0) / count);
    const roundTripMs = { min: Math.min(...times), average, max: Math.max(...times) };
    return { target, status: 'ok', name: context.name, user, host, node, pid, connectMs: round(connectMs), calls: count, roundTripMs };
  } catch (error) {
    passShutdown(error);
    return { target, status: MitosError.is(error) ? 'unreachable' : 'failed', ...failureFacts(error) };
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function show(output: Output, result: PingResult): void {
  const [ok, bad, indent] = output.isLive ? ['✔', '✘', '  '] : ['ok  ', 'FAIL', '     '];
  if (result.status === 'ok') {
    const { target, name, user, host, node, connectMs, calls, roundTripMs } = result;
    const { min, average } = roundTripMs;
    const alias = name === target ? '' : ` ${name}`;
    const trips = `round trip ${formatMs(min)} (average ${formatMs(average)} of ${calls})`;
    const text = ` ${target}${alias}: ${user}@${host}, Node ${node}, connected in ${formatMs(connectMs)}, ${trips}`;
    output.text(indent as string, ['green', ok as string], escapeText(text));
    return;
  }
  const { target, code = 'failed', message, stderr = [] } = result;
  output.text(indent as string, ['red', bad as string], escapeText(` ${target}: ${code}: ${message}`));
  for (const line of stderr.slice(-3)) output.text(`${indent}  `, indent as string, ['dim', escapeText(`| ${line}`)]);
  for (const remedy of remediesOf(result)) output.text(`${indent}   `, `${indent}-> ${escapeText(remedy)}`);
}
