/** `mitos runtime`: the runtimes that this machine can push to targets that have none. */
import { MitosError, type RuntimeProgress, RuntimeStore, type StoredRuntime } from '../index.ts';
import { type Given, type OptionTable, UsageError } from './command-line.ts';
import { failureFacts, remediesOf } from './failure.ts';
import { formatBytes, Output, progressBar } from './terminal.ts';

/** Options of the command. */
export const RUNTIME_OPTIONS: OptionTable = {
  arch: { type: 'string' },
  platform: { type: 'string' },
  runtimes: { type: 'string' },
  keep: { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

/** What each action takes. */
const ACTIONS: Readonly<Record<string, { options: readonly string[]; most: number }>> = {
  fetch: { options: ['arch', 'platform', 'runtimes', 'json'], most: 1 },
  list: { options: ['json'], most: 0 },
  prune: { options: ['keep', 'all', 'json'], most: 0 },
};

/** What is to be done. */
export interface RuntimeCommand {
  action: 'fetch' | 'list' | 'prune';
  version?: string;
  arch?: string;
  platform?: string;
  runtimes?: string;
  keep: number;
  isJson: boolean;
}

/** Takes the command line apart; throws a {@link UsageError} when it makes no sense. */
export function readRuntimeCommand({ positionals, values }: Given): RuntimeCommand {
  const [action = '', ...rest] = positionals;
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  const wrong = (what: string): UsageError => new UsageError(what, 'runtime');
  if (!known) throw wrong(`the command runtime needs one of fetch, list and prune${action && `, not ${JSON.stringify(action)}`}`);
  const foreign = Object.keys(values).find((name) => !known.options.includes(name));
  if (foreign !== undefined) throw wrong(`--${foreign} is no option of runtime ${action}`);
  if (rest.length > known.most) throw wrong(`runtime ${action} takes no argument ${JSON.stringify(rest[known.most])}`);
  const version = rest[0]?.replace(/^v/, '');
  if (version !== undefined && !/^\d+(\.\d+\.\d+)?$/.test(version))
    throw wrong(`a version is written as 20 or 20.20.2, not ${JSON.stringify(rest[0])}`);
  if (values['all'] !== undefined && values['keep'] !== undefined) throw wrong('--all and --keep exclude each other');
  const keep = Number(values['all'] ? 0 : (values['keep'] ?? 1));
  if (!(Number.isInteger(keep) && keep >= 0) || values['keep'] === '')
    throw wrong(`--keep must be a whole number, not ${JSON.stringify(values['keep'])}`);
  const texts = { version, arch: values['arch'], platform: values['platform'], runtimes: values['runtimes'] };
  const given = Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined));
  return { ...given, action: action as RuntimeCommand['action'], keep, isJson: values['json'] === true };
}

/** Does it, and prints what came of it; what goes on meanwhile goes to stderr. True when it worked. Ctrl-C ends it and leaves nothing behind. */
export async function runtime(command: RuntimeCommand): Promise<boolean> {
  // The reader may leave: there is nobody to tell anything then.
  process.stdout.on('error', () => process.exit());
  const output = new Output(process.stdout, process.env);
  const controller = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals): void => controller.abort(signal);
  for (const name of signals) process.once(name, onSignal);
  const store = new RuntimeStore({ runtimes: command.runtimes });
  try {
    if (command.action === 'fetch') await fetchOne(store, command, output, controller.signal);
    else if (command.action === 'list') list(await store.list(), command.isJson, output);
    else await prune(store, command, output);
    return true;
  } catch (error) {
    if (!controller.signal.aborted) tellFailure(error, command.isJson);
    return false;
  } finally {
    await store.close();
    for (const name of signals) process.off(name, onSignal);
    if (controller.signal.aborted) process.kill(process.pid, controller.signal.reason as NodeJS.Signals);
  }
}

function tellFailure(error: unknown, isJson: boolean): void {
  if (!MitosError.is(error)) throw error;
  const facts = failureFacts(error);
  if (isJson) {
    printJson(facts);
    return;
  }
  const stderr = new Output(process.stderr, process.env);
  stderr.text('     ', ['red', 'FAIL'], ` ${facts.code}: ${facts.message}`);
  for (const remedy of remediesOf(facts)) stderr.text('        ', `  -> ${remedy}`);
}

async function fetchOne(store: RuntimeStore, command: RuntimeCommand, output: Output, signal: AbortSignal): Promise<void> {
  const { version, arch, platform } = command;
  const onProgress = shower(new Output(process.stderr, process.env));
  const stored = await store.fetch({ version, arch, platform, onProgress, signal });
  if (command.isJson) printJson(stored);
  else list([stored], false, output);
}

/** Shows a line for each phase: on a terminal it grows, elsewhere it is printed once. */
export function shower(output: Output): (progress: RuntimeProgress) => void {
  const words = { download: 'downloading', pack: 'packing', send: 'sending', start: 'starting' };
  let shown: RuntimeProgress['phase'] | undefined;
  let line = 0;
  let last = 0;
  return ({ phase, done, total }) => {
    const isNew = phase !== shown || done < last; // packing happens twice
    last = done;
    if (!output.isLive) {
      if (isNew) output.line(words[phase]);
    } else {
      const amount = total > 0 ? progressBar(done, total, 24) : done > 0 ? formatBytes(done) : '';
      const pieces = [words[phase].padEnd(12), amount];
      if (isNew) line = output.line(...pieces);
      else output.replace(line, ...pieces);
    }
    shown = phase;
  };
}

function list(runtimes: readonly StoredRuntime[], isJson: boolean, output: Output): void {
  if (isJson) {
    for (const stored of runtimes) printJson(stored);
    return;
  }
  if (runtimes.length === 0) output.line('There are no runtimes in the cache; mitos runtime fetch gets one');
  for (const { version, platform, arch, isMusl, source, size, packings, lastUsed, path } of runtimes) {
    const packed = Object.entries(packings).map(([packing, bytes]) => `${packing} ${formatBytes(bytes)}`);
    output.line(
      ['bold', `Node ${version}`],
      ` for ${platform}-${arch}${isMusl ? ' (musl)' : ''}: ${formatBytes(size)}, packed ${packed.join(', ')}`,
    );
    output.line(['dim', `     from ${source}, used ${lastUsed.toISOString().slice(0, 16).replace('T', ' ')}`]);
    output.line(['dim', `     in ${path}`]);
  }
}

async function prune(store: RuntimeStore, { keep, isJson }: RuntimeCommand, output: Output): Promise<void> {
  const { removed, bytes } = await store.prune(keep);
  if (isJson) printJson({ removed, bytes });
  else if (removed.length === 0) output.line('Nothing to remove');
  else output.line(`Removed ${removed.join(', ')}: ${formatBytes(bytes)}`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
