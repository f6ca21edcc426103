/**
 * The way to what few calls need: rare types of values, live values, channels, messages larger than a frame. A child gets the code for these as
 * a bundle of its own, `extra.ts`, and only when it meets the first; where the library is installed, `whole.ts` has it there at once.
 */
import type * as extra from './extra.ts';

/** What that bundle exports. */
export type Rare = typeof extra;

let loaded: Rare | undefined;
let load: () => Rare = () => {
  throw new Error('Nobody has said where extra.ts is: import whole.ts');
};

/** Says where it comes from when it is needed. */
export function onRare(loader: () => Rare): void {
  load = loader;
}

/** What is in the bundle. Blocks until it is here. */
export function rare(): Rare {
  return loaded || (loaded = load());
}
