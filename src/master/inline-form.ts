/** A function expression of a whole module, as an expression to be evaluated in the scope of that module. */
import { type Form, importedAs } from './module-form.ts';
import { Patch, type Patched } from './patch.ts';
import { rewriteNames } from './rewrite.ts';
import { functionParts } from './slices.ts';
import type { Source } from './source.ts';
import type { Syntax } from './syntax.ts';

/** The text of `fn`, its imports read from the namespaces that the module itself holds. */
export function inlineForm(source: Source, fn: Syntax, form: Form): Patched {
  const patch = new Patch(source.code);
  rewriteNames(patch, source.tree.scopes, fn.start, fn.end, ({ binding }) =>
    binding?.kind === 'import' && source.kind === 'esm' ? importedAs(form.namespaces, binding) : undefined,
  );
  return patch.build(functionParts(source, fn));
}
