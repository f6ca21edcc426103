import pureMap from 'core-js-pure/actual/map/index.js';
import 'core-js/actual/iterator/index.js';

export const about = { package: 'core-js', covers: 'several hundred CommonJS modules that patch globals' };

export function run(): unknown {
  const sums = Iterator.from([1, 2, 3])
    .map((n) => n * 2)
    .toArray();
  return { sums, grouped: [...pureMap.groupBy([1, 2, 3], (n: number) => n % 2)] };
}
