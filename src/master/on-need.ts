/** Packages that are loaded when they are first needed: by then a connection is under way, and not every program needs them all. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The exports of a package, which is loaded at the first call. */
export function onNeed<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => (loaded ??= require(name) as T);
}
