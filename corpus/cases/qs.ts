import qs from 'qs';

export const about = { package: 'qs', covers: 'small CommonJS packages with deep dependencies' };

export function run(): unknown {
  return [qs.parse('a[b][]=1&a[b][]=2&c=%C3%BC'), qs.stringify({ a: { b: [1, 2] }, d: null }, { encodeValuesOnly: true })];
}
