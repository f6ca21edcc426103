import * as R from 'ramda';

export const about = { package: 'ramda', covers: '350 ES modules through import * as' };

export function run(): unknown {
  const mean = R.converge(R.divide, [R.sum, R.length]);
  return [
    mean([1, 2, 6]),
    R.pipe(
      R.groupBy((n: number) => (n > 1 ? 'big' : 'small')),
      R.map(R.length),
    )([1, 2, 3]),
    R.assocPath(['a', 'b'], 1, {}),
    R.equals({ a: [1] }, { a: [1] }),
  ];
}
