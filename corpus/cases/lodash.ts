import _ from 'lodash';
import debounce from 'lodash/debounce.js';

export const about = { package: 'lodash', covers: 'one large CommonJS file, and subpaths of many small ones' };

export function run(): unknown {
  const template = _.template('hello <%= user %>');
  return {
    groups: _.groupBy([1.2, 1.8, 2.1], Math.floor),
    deep: _.merge({ a: [{ b: 1 }] }, { a: [{ c: 2 }] }),
    chain: _([3, 1, 2])
      .sortBy()
      .map((n) => n * 2)
      .value(),
    text: template({ user: 'x' }),
    kind: typeof debounce(() => 0),
  };
}
