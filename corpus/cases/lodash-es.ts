import { camelCase, cloneDeep, isEqual, orderBy } from 'lodash-es';

export const about = { package: 'lodash-es', covers: '640 ES modules behind one index' };

export function run(): unknown {
  const value = { a: [1, { b: new Date(0) }], m: new Map([[1, 2]]) };
  return { name: camelCase('some long-name'), equal: isEqual(value, cloneDeep(value)), sorted: orderBy([{ a: 1 }, { a: 3 }], 'a', 'desc') };
}
