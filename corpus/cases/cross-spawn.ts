import spawn from 'cross-spawn';

export const about = { package: 'cross-spawn', covers: 'programs' };

export function run(): unknown {
  const { stdout, status } = spawn.sync('sh', ['-c', 'printf "%s" "$0"; exit 3', 'a b'], { encoding: 'utf8' });
  return { stdout, status };
}
