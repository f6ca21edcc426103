import minimist from 'minimist';

export const about = { package: 'minimist', covers: 'command line' };

export function run(): unknown {
  return minimist(['-a', '1', '--no-b', '--c=x', 'rest', '--', 'raw'], { string: ['a'], '--': true });
}
