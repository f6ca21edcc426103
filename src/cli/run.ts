/** `mitos run`: runs an exported function of a file on targets. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Context, escapeText, MitosError, type Router, type SentModule } from '../index.ts';
import { UsageError } from './command-line.ts';
import { explain } from './explain.ts';
import { type FailureFacts, failureFacts, passShutdown, remediesOf } from './failure.ts';
import { specOf, type Target } from './targets.ts';
import { Output } from './terminal.ts';

/** What is to be run. */
export interface Program {
  /** URL of the file. */
  url: string;
  /** Name of the exported function, if one was given. */
  name: string | undefined;
}

/** Options of {@link run}. */
export interface RunOptions {
  /** Arguments of the function. */
  args: readonly unknown[];
  isJson: boolean;
  /** Whether to tell which modules travelled. */
  isExplained: boolean;
  /** Targets at once. */
  concurrency: number;
}

/** What came of one target. */
type RunResult = { target: string } & (
  | { status: 'ok'; value: unknown; ms: number }
  | ({ status: 'failed' | 'unreachable' } & FailureFacts & { stack?: string })
);

type Exports = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** Takes `script.ts#function` apart. */
export function readProgram(text: string): Program {
  const at = text.lastIndexOf('#');
  const [file, name] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, undefined];
  if (name === '') throw new UsageError(`there is no name of a function behind the # of ${JSON.stringify(text)}`, 'run');
  const path = resolve(file);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(`there is no file ${JSON.stringify(file)}`, 'run');
  if (!stat.isFile()) throw new UsageError(`${JSON.stringify(file)} is not a file`, 'run');
  if (!/\.(?:[cm]?[jt]s|[jt]sx)$/.test(path)) throw new UsageError(`${JSON.stringify(file)} is neither TypeScript nor JavaScript`, 'run');
  return { url: pathToFileURL(path).href, name };
}

/** Reads arguments: texts as they are, or JSON. */
export function readRunArguments(texts: readonly string[], isJson: boolean): unknown[] {
  if (!isJson) return [...texts];
  return texts.map((text, at) => {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new UsageError(`argument ${at + 1} (${JSON.stringify(text)}) is not JSON: ${(error as Error).message}`, 'run');
    }
  });
}

/** Runs a function on all targets, and prints what comes of each as it comes. True when all went well. */
export async function run(router: Router, targets: readonly Target[], program: Program, options: RunOptions): Promise<boolean> {
  process.stdout.on('error', () => process.exit());
  const modules: SentModule[] = [];
  const names = new Map<number, string>();
  if (options.isExplained) router.on('module', (module) => modules.push(module)).on('connect', ({ id, name }) => names.set(id, name));
  const name = await nameOf(router, program);
  const texts = new Map<unknown, string>(targets.map(({ text, steps }) => [steps.map(specOf), text]));
  const queue = [...texts.keys()];
  let failed = 0;
  const show = printer(options.isJson, targets.length > 1);
  const work = async (): Promise<void> => {
    for (let spec = queue.shift(); spec !== undefined; spec = queue.shift()) {
      const result = await runOn(router, spec as never, { target: texts.get(spec) as string, program, name, options });
      if (result.status !== 'ok') failed++;
      show(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, queue.length) }, work));
  if (options.isExplained) explain(modules, names, options.isJson, router.stats().requests);
  return failed === 0;
}

/** The function to run. That it is there is seen before anything is connected: the file is read here, not run. */
async function nameOf(router: Router, { url, name }: Program): Promise<string> {
  const names = Object.keys(await router.import(url, { from: url }));
  const wanted = name === undefined ? ['default', 'main'] : [name];
  const found = wanted.find((one) => names.includes(one));
  if (found !== undefined) return found;
  const there = names.length ? `it exports ${names.map((one) => escapeText(one)).join(', ')}` : 'it exports nothing';
  throw new UsageError(
    `${JSON.stringify(name ?? 'default')} is not exported${name === undefined ? ', and neither is "main"' : ''}: ${there}`,
    'run',
  );
}

interface Work {
  target: string;
  program: Program;
  name: string;
  options: RunOptions;
}

async function runOn(router: Router, spec: never, { target, program, name, options }: Work): Promise<RunResult> {
  const startedAt = performance.now();
  // The call goes ahead of the connection: one way there and back.
  const context = router.connect(spec);
  try {
    const { [name]: fn } = await context.import<Exports>(program.url, { from: program.url });
    const value = await (fn as Exports[string])(...options.args);
    return { target, status: 'ok', value: value === undefined ? null : value, ms: Math.round(performance.now() - startedAt) };
  } catch (error) {
    passShutdown(error);
    const isCall = MitosError.is(error) && error.code === 'ERR_MITOS_CALL';
    const status = MitosError.is(error) && isUnreachable(error) ? 'unreachable' : 'failed';
    return { target, status, ...failureFacts(error), ...(isCall && error.stack !== undefined && { stack: remoteStack(error) }) };
  } finally {
    await shutdown(context);
  }
}

function isUnreachable(error: MitosError): boolean {
  return 'stage' in error;
}

async function shutdown(context: PromiseLike<Context>): Promise<void> {
  try {
    await (await context).shutdown();
  } catch {
    // It did not come up.
  }
}

/** The stack there; that of the command line tells nobody anything. */
function remoteStack(error: Error): string {
  const stack = error.stack as string;
  const at = stack.search(/^ *--- in /m);
  return at < 0 ? stack : stack.slice(stack.indexOf('\n', at) + 1).replace(/^ {4}/gm, '');
}

function printer(isJson: boolean, isPrefixed: boolean): (result: RunResult) => void {
  const errors = new Output(process.stderr, process.env);
  return (result) => {
    if (isJson) {
      process.stdout.write(`${toJson(result)}\n`);
    } else if (result.status === 'ok') {
      const prefix = isPrefixed ? `${escapeText(result.target)}: ` : '';
      for (const line of textOf(result.value)) process.stdout.write(`${prefix}${line}\n`);
    } else {
      const { target, code = 'failed', message, stack, stderr = [] } = result;
      errors.text('  ', ['red', isPrefixed ? `${escapeText(target)}: ` : ''], escapeText(`${code}: ${message}`));
      for (const line of stack?.split('\n') ?? []) errors.text('    ', '  ', escapeText(line));
      for (const line of stderr.slice(-3)) errors.text('    ', '  ', ['dim', escapeText(`| ${line}`)]);
      for (const remedy of remediesOf(result)) errors.text('     ', `  -> ${escapeText(remedy)}`);
    }
  };
}

/** A text as it is, nothing for what returns nothing, the rest as JSON. What could steer a terminal is spelled out when it goes to one. */
function textOf(value: unknown): string[] {
  if (value === null) return [];
  const text = typeof value === 'string' ? value : toJson(value, 2);
  return text.split('\n').map((line) => (process.stdout.isTTY ? escapeText(line) : line));
}

/** JSON, with the values that JSON has no word for. */
function toJson(value: unknown, indent?: number): string {
  const plain = (_key: string, one: unknown): unknown => {
    if (typeof one === 'bigint') return String(one);
    if (one instanceof Map) return Object.fromEntries(one);
    if (one instanceof Set) return [...one];
    if (one instanceof Uint8Array) return Buffer.from(one).toString('base64');
    return one instanceof Error ? { name: one.name, message: one.message } : one;
  };
  return JSON.stringify(value, plain, indent) ?? 'null';
}
