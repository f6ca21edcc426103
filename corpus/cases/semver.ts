import semver from 'semver';
import satisfies from 'semver/functions/satisfies.js';

export const about = { package: 'semver', covers: 'circular CommonJS, subpaths without exports map' };

export function run(): unknown {
  return [
    satisfies('1.2.3', '^1.0.0'),
    semver.maxSatisfying(['1.0.0', '1.9.0', '2.0.0'], '1.x'),
    semver.inc('1.2.3-rc.1', 'prerelease'),
    new semver.Range('>=1 <3').range,
  ];
}
