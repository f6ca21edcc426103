#!/usr/bin/env node
/** The command line: `mitos <command>`. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** The text of `mitos --help`. */
const HELP = `Usage: mitos <command>

Runs functions of a program in a tree of contexts: processes and threads.

Commands:
  demo           start a small tree on this machine and call functions in it

Options:
  -h, --help     print this
  -v, --version  print the version

Environment:
  MITOS_LOG_LEVEL  which records of contexts are printed, from: trace, debug,
                   info (the default), warn, error, silent
  NO_COLOR         print without colours
`;

/** The exit code for a command line that makes no sense. */
const EXIT_USAGE = 2;

await run(process.argv.slice(2));

async function run(args: string[]): Promise<void> {
  const line = readLine(args);
  if (typeof line === 'string') return fail(line);
  const [command, ...rest] = line.positionals;
  if (line.values.version) return print(`${version()}\n`);
  if (line.values.help) return print(HELP);
  if (command === undefined) return fail('there is no command');
  if (command !== 'demo') return fail(`there is no command ${JSON.stringify(command)}`);
  if (rest.length > 0) return fail(`the command demo takes no arguments, not ${JSON.stringify(rest[0])}`);
  // Loaded only now: the rest of this file answers at once.
  const [{ main }, { runDemo }] = await Promise.all([import('../index.ts'), import('./demo.ts')]);
  await main(import.meta, (router) => runDemo(router, version()));
}

type CommandLine = { values: { help?: boolean; version?: boolean }; positionals: string[] };

/** The command line taken apart, or what is wrong with it. */
function readLine(args: string[]): CommandLine | string {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } },
    });
  } catch (error) {
    return String((error as Error).message)
      .replace(/\. .*$/s, '')
      .replace(/^U/, 'u');
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

function fail(what: string): void {
  process.stderr.write(`Cannot run mitos: ${what}; see mitos --help\n`);
  process.exitCode = EXIT_USAGE;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
