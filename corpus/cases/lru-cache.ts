import { LRUCache } from 'lru-cache';

export const about = { package: 'lru-cache', covers: 'nested conditions of exports; private fields' };

export async function run(): Promise<unknown> {
  const gone: string[] = [];
  const cache = new LRUCache<string, number>({
    max: 2,
    dispose: (_value, key) => void gone.push(key),
    fetchMethod: async (key) => key.length,
  });
  cache.set('a', 1);
  cache.set('b', 2);
  cache.get('a');
  cache.set('c', 3);
  return { gone, keys: [...cache.keys()], fetched: await cache.fetch('long') };
}
