import yargs from 'yargs';

export const about = {
  package: 'yargs',
  covers: 'command line; reads its translations from its own folder (locales/en.json)',
  asks: 'files are read on demand',
  requests: 2,
};

export async function run(): Promise<unknown> {
  const lines: string[] = [];
  const parser = yargs()
    .scriptName('tool')
    .option('n', { type: 'number', demandOption: true, describe: 'a number' })
    .command(
      'go <where>',
      'goes',
      () => {},
      ({ where, n }) => void lines.push(`${where} ${n}`),
    )
    .strict()
    .exitProcess(false)
    .version('1.0');
  await parser.parseAsync(['go', 'home', '-n', '3']);
  const failed = await new Promise((resolve) => parser.parse(['go', 'x'], {}, (error) => resolve(error?.message)));
  return { lines, failed, help: await parser.getHelp() };
}
