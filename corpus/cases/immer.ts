import { enableMapSet, enablePatches, produce, produceWithPatches } from 'immer';

export const about = { package: 'immer', covers: 'proxies; conditions by NODE_ENV' };

export function run(): unknown {
  enableMapSet();
  enablePatches();
  const base = { list: [{ done: false }], set: new Set([1]) };
  const next = produce(base, (draft) => {
    (draft.list[0] as { done: boolean }).done = true;
    draft.set.add(2);
  });
  const [, patches] = produceWithPatches(base, (draft) => void draft.list.push({ done: true }));
  return { same: next === base, list: next.list, set: [...next.set], patches, frozen: Object.isFrozen(next) };
}
