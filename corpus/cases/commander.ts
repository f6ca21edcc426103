import { Command, Option } from 'commander';

export const about = { package: 'commander', covers: 'command line; ES module wrapper around CommonJS' };

export async function run(): Promise<unknown> {
  const seen: unknown[] = [];
  const program = new Command('tool')
    .exitOverride()
    .configureOutput({ writeErr: (text) => void seen.push(text), writeOut: (text) => void seen.push(text) });
  program
    .addOption(new Option('-s, --size <size>').choices(['s', 'm']).default('m'))
    .argument('<files...>')
    .action((files, options) => void seen.push(files, options));
  await program.parseAsync(['-s', 's', 'a', 'b'], { from: 'user' });
  await program.parseAsync(['--size', 'xl', 'a'], { from: 'user' }).catch((error) => seen.push(error.code));
  return { seen, help: program.helpInformation() };
}
