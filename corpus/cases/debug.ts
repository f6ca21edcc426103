import debug from 'debug';

export const about = { package: 'debug', covers: 'environment, module.exports with many properties' };

export function run(): unknown {
  const lines: string[] = [];
  const log = debug('corpus:one');
  log.log = (...args: unknown[]) =>
    void lines.push(
      args
        .map(String)
        .join(' ')
        .replace(/\+\d+ms/, '')
        .replace(/^\S+Z /, ''),
    );
  debug.enable('corpus:*');
  log('n=%d %s', 1, 'x');
  const other = debug('other').enabled;
  debug.disable();
  return { count: lines.length, has: lines[0]?.includes('n=1 x'), other, after: log.enabled };
}
