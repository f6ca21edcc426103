/** From a function value in a context to the reference by which others call it. */
import type { Importer } from '../core/importer.ts';

/** The reference of a function that a builtin or an evaluated module exports, if it is one. */
export function referenceOf(importer: Importer, fn: unknown): string | undefined {
  let ref: string | undefined;
  importer.eachNamespace((id, ns) => {
    for (const key of Object.keys(ns)) {
      try {
        if (ns[key] === fn) ref = ref || `${id}#${key}`;
      } catch {
        // Not initialised yet.
      }
    }
  });
  return ref;
}
