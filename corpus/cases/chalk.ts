import chalk, { Chalk } from 'chalk';

export const about = { package: 'chalk', covers: 'ES module only, imports map (#ansi-styles)' };

export function run(): unknown {
  const colour = new Chalk({ level: 3 });
  return [colour.red.bold('a'), colour.hex('#336699')`b ${1}`, chalk.level >= 0];
}
