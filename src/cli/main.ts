#!/usr/bin/env node
/** The command line: `mitos COMMAND`. What a command needs is loaded when it is known to make sense. */
import { readFileSync } from 'node:fs';
import { type Given, numberOf, type OptionTable, readArguments, suggest, UsageError } from './command-line.ts';
import { COMMAND_HELP, HELP } from './help.ts';

/** The exit code for a command line that makes no sense. */
const EXIT_USAGE = 2;
/** The exit code after Ctrl-C at a prompt: what a shell makes of SIGINT. */
const EXIT_INTERRUPTED = 130;

/** Runs a command that makes sense. */
type Command = (given: Given) => Promise<void>;

const COMMANDS: Readonly<Record<string, Command>> = { demo: runDemo, doctor: runDoctor, ping: runPing, run: runRun, runtime: runRuntime };

const RUN_OPTIONS: OptionTable = {
  concurrency: { type: 'string', short: 'n' },
  explain: { type: 'boolean' },
  'json-args': { type: 'boolean' },
  minify: { type: 'boolean' },
};

const HELP_OPTION: OptionTable = { help: { type: 'boolean', short: 'h' } };

await run(process.argv.slice(2));

async function run(args: string[]): Promise<void> {
  try {
    await dispatch(args);
  } catch (error) {
    if (error instanceof UsageError) fail(error);
    else if ((error as Error).constructor.name === 'Interrupted') process.exitCode = EXIT_INTERRUPTED;
    else throw error;
  }
}

async function dispatch(args: string[]): Promise<void> {
  const at = args.findIndex((arg) => !arg.startsWith('-'));
  const name = args[at];
  const own = readArguments(at < 0 ? args : args.slice(0, at), { ...HELP_OPTION, version: { type: 'boolean', short: 'v' } });
  if (own.values['version']) return print(`${version()}\n`);
  if (own.values['help']) return print(HELP);
  if (name === undefined) throw new UsageError('there is no command');
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new UsageError(`there is no command ${JSON.stringify(name)}${suggest(name, Object.keys(COMMANDS))}`);
  const given = readArguments(args.slice(at + 1), await optionsOf(name), name);
  if (given.values['help']) return print(COMMAND_HELP[name] as string);
  await command(given);
}

async function optionsOf(name: string): Promise<OptionTable> {
  if (name === 'demo') return HELP_OPTION;
  if (name === 'runtime') return (await import('./runtime.ts')).RUNTIME_OPTIONS;
  const { TARGET_OPTIONS } = await import('./targets.ts');
  if (name === 'run') return { ...TARGET_OPTIONS, ...RUN_OPTIONS };
  return name === 'ping' ? { ...TARGET_OPTIONS, count: { type: 'string', short: 'c' } } : TARGET_OPTIONS;
}

async function runDemo({ positionals }: Given): Promise<void> {
  if (positionals.length > 0) throw new UsageError(`the command demo takes no arguments, not ${JSON.stringify(positionals[0])}`, 'demo');
  const [{ main }, demo] = await Promise.all([import('../index.ts'), import('./demo.ts')]);
  await main(import.meta, (router) => demo.runDemo(router, version()));
}

async function runPing(given: Given): Promise<void> {
  if (given.positionals.length === 0) throw new UsageError('the command ping needs a target', 'ping');
  const count = numberOf(given, 'count', 3, 'ping', true);
  const [{ main }, { readTargets }, { ping }, { showPushes }] = await Promise.all([
    import('../index.ts'),
    import('./targets.ts'),
    import('./ping.ts'),
    import('./push-progress.ts'),
  ]);
  const targets = await readTargets(given, 'ping');
  await main(
    import.meta,
    async (router) => {
      showPushes(router, process.stderr, process.env);
      if (!(await ping(router, targets, { count, isJson: given.values['json'] === true }))) process.exitCode = 1;
    },
    quiet(),
  );
}

async function runRun(given: Given): Promise<void> {
  const [script, ...texts] = given.positionals;
  if (script === undefined) throw new UsageError('the command run needs a script and a target', 'run');
  if (texts.length === 0) throw new UsageError('the command run needs a target', 'run');
  const concurrency = numberOf(given, 'concurrency', 10, 'run', true);
  const [{ main }, { readTargets }, { readProgram, readRunArguments, run }, { showPushes }] = await Promise.all([
    import('../index.ts'),
    import('./targets.ts'),
    import('./run.ts'),
    import('./push-progress.ts'),
  ]);
  const program = readProgram(script);
  const args = readRunArguments(given.rest, given.values['json-args'] === true);
  const targets = await readTargets({ ...given, positionals: texts }, 'run');
  await main(
    import.meta,
    async (router) => {
      showPushes(router, process.stderr, process.env);
      const options = { args, concurrency, isJson: given.values['json'] === true, isExplained: given.values['explain'] === true };
      try {
        if (!(await run(router, targets, program, options))) process.exitCode = 1;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        fail(error);
      }
    },
    given.values['minify'] === true ? { minify: true } : {},
  );
}

async function runDoctor(given: Given): Promise<void> {
  const { positionals } = given;
  if (positionals.length !== 1) throw new UsageError(`the command doctor takes one target, not ${positionals.length}`, 'doctor');
  const [{ main }, { readTargets }, { doctor }, { showPushes }] = await Promise.all([
    import('../index.ts'),
    import('./targets.ts'),
    import('./doctor/main.ts'),
    import('./push-progress.ts'),
  ]);
  const [target] = await readTargets(given, 'doctor');
  await main(
    import.meta,
    async (router) => {
      showPushes(router, process.stderr, process.env);
      if (target && !(await doctor(router, target, { version: version(), isJson: given.values['json'] === true }))) process.exitCode = 1;
    },
    quiet(),
  );
}

async function runRuntime(given: Given): Promise<void> {
  const { readRuntimeCommand, runtime } = await import('./runtime.ts');
  if (!(await runtime(readRuntimeCommand(given)))) process.exitCode = 1;
}

/** What is printed on the way is told with the result; whoever set a level wants to see it as it comes. */
function quiet(): { logger?: false } {
  return process.env['MITOS_LOG_LEVEL'] ? {} : { logger: false };
}

function print(text: string): void {
  process.stdout.write(text);
}

function fail({ message, command }: UsageError): void {
  process.stderr.write(`Cannot run mitos: ${message}; see mitos ${command === undefined ? '' : `${command} `}--help\n`);
  process.exitCode = EXIT_USAGE;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
