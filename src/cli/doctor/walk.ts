/**
 * `mitos doctor`: walks to a target step by step. Before each step, what it leads through is examined from the place that takes it; then it is
 * taken; at the end, and where a step fails, what a program finds in the last place that was reached. Everything has a time of its own.
 */
import type { Context, LogRecord, Router } from '../../index.ts';
import { type FailureFacts, failureFacts, passShutdown } from '../failure.ts';
import { specOf, type Target, type TargetStep } from '../targets.ts';
import { examineContainer, isContainerMethod } from './containers.ts';
import { examineBriefly, examineContext, measureTimes, timeFacts } from './context.ts';
import { collect, type Fact, fact, type Place } from './facts.ts';
import { examineSsh } from './ssh.ts';
import { examineUserSwitch } from './users.ts';

/** A step, and what was found on the way. */
export interface StepReport {
  /** As it was written. */
  step: string;
  method: string;
  /** Name of the context that took it. */
  from: string;
  status: 'ok' | 'failed';
  /** Name of the context it leads to. */
  name: string | null;
  facts: Fact[];
  failure?: FailureFacts;
}

/** What the doctor found. */
export interface DoctorReport {
  target: string;
  status: 'ok' | 'failed';
  steps: StepReport[];
  /** What a program finds in the last place that was reached; null when that is this machine. */
  reached: { name: string; facts: Fact[] } | null;
}

/** Told as soon as it is known. */
export interface DoctorListener {
  onStep(report: StepReport, number: number): void;
  onReached(name: string, facts: readonly Fact[]): void;
}

/** Walks to a target. */
export async function walk(router: Router, { text, steps }: Target, listener: DoctorListener): Promise<DoctorReport> {
  const report: DoctorReport = { target: text, status: 'ok', steps: [], reached: null };
  let place: Place = router;
  let reached: Context | undefined;
  for (const [at, step] of steps.entries()) {
    const isLast = at === steps.length - 1;
    const { context, told } = await take(router, place, step, isLast);
    report.steps.push(told);
    listener.onStep(told, at + 1);
    if (!context) {
      report.status = 'failed';
      break;
    }
    place = reached = context;
  }
  if (reached) {
    const facts = await examineContext(reached);
    report.reached = { name: reached.name, facts };
    listener.onReached(reached.name, facts);
  }
  return report;
}

async function take(router: Router, place: Place, step: TargetStep, isLast: boolean): Promise<{ context?: Context; told: StepReport }> {
  const { text, method } = step;
  const from = 'self' in place ? 'this machine' : place.name;
  const facts = await collect([[method, examineStep(place, step)]]);
  const told: StepReport = { step: text, method, from, status: 'ok', name: null, facts };
  const printed: LogRecord[] = [];
  const listen = (record: LogRecord): void => {
    printed.push(record);
  };
  router.on('log', listen);
  const startedAt = performance.now();
  try {
    const context = await connect(place, step, facts);
    const connectMs = performance.now() - startedAt;
    told.name = context.name;
    const times = await measureTimes(context, connectMs, startedAt);
    facts.push(...noise(printed), ...timeFacts(times), ...(isLast ? [] : await examineBriefly(context)));
    return { context, told };
  } catch (error) {
    passShutdown(error);
    told.status = 'failed';
    told.failure = failureFacts(error);
    return { told };
  } finally {
    router.off('log', listen);
  }
}

/** Connects; where there is no Node, says first how one would get there. */
async function connect(place: Place, step: TargetStep, facts: Fact[]): Promise<Context> {
  const spec = specOf(step) as object;
  if ('runtime' in step.options || step.method === 'worker') return place.connect(spec as never);
  try {
    return await place.connect({ ...spec, runtime: 'look' } as never);
  } catch (error) {
    const { code, way, target } = error as { code?: string; way?: string; target?: object };
    if (code !== 'ERR_MITOS_NO_RUNTIME' || !way) throw error;
    facts.push(fact('note', 'Node', `there is none; one would be sent, and run ${way}`, { data: { way, target: target ?? null } }));
    return place.connect(spec as never);
  }
}

function examineStep(place: Place, { method, options }: TargetStep): Promise<Fact[]> {
  if (method === 'ssh') return examineSsh(place, options as never);
  if (/^(sudo|su|doas|run0|runuser)$/.test(method)) return examineUserSwitch(place, method, options);
  if (isContainerMethod(method)) return examineContainer(place, method, options as never);
  return Promise.resolve([]);
}

/** What was printed while the step was taken: banners, and start files that talk. */
function noise(printed: readonly LogRecord[]): Fact[] {
  if (printed.length === 0) return [];
  const bytes = printed.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
  const text = `${printed.length === 1 ? '1 line was' : `${printed.length} lines were`} printed on the way (${bytes} bytes), such as ${JSON.stringify(printed[0]?.text.slice(0, 100))}`;
  return [fact('note', 'noise', text, { data: { lines: printed.length, bytes } })];
}
