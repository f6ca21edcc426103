/** The names that a module exports, as far as its text tells. */
import { commonNames } from './require-scan.ts';
import { resolveFrom } from './resolve.ts';
import type { Source } from './source.ts';
import { child, children, nameOf, type Syntax } from './syntax.ts';

type StarOf = (from: Source, specifier: string) => Source | undefined;

/** The names that a source exports, in the order of the text. `sourceOf` gives the source of a file that it passes on. */
export function exportNames(source: Source, sourceOf: (path: string) => Source | undefined): string[] {
  const starOf: StarOf = (from, specifier) => {
    const found = resolveFrom(from.path, specifier, 'import');
    return 'path' in found ? sourceOf(found.path) : undefined;
  };
  const names = new Set<string>();
  collect(source, starOf, names, new Set());
  return [...names];
}

function collect(source: Source, starOf: StarOf, names: Set<string>, seen: Set<Source>): void {
  if (seen.has(source)) return;
  seen.add(source);
  if (source.kind === 'json') names.add('default');
  if (source.kind === 'cjs') {
    for (const name of commonNames(source.code).exports) if (name !== '__esModule') names.add(name);
    // Something that may be called, and not an object of names.
    if (/\bmodule\.exports\s*=(?!=)\s*(?:async\b|function\b|class\b|\(|[\w$]+\s*(?:=>|;|$))/m.test(source.code)) names.add('default');
  }
  if (source.kind !== 'esm') return;
  for (const node of children(source.tree.program, 'body')) {
    if (node.type === 'ExportDefaultDeclaration') names.add('default');
    if (node.type === 'ExportNamedDeclaration') {
      for (const one of declared(child(node, 'declaration'))) names.add(one);
      for (const one of children(node, 'specifiers')) names.add(nameOf(child(one, 'exported')));
    }
    if (node.type !== 'ExportAllDeclaration') continue;
    const name = nameOf(child(node, 'exported'));
    const star = name ? undefined : starOf(source, nameOf(child(node, 'source')));
    if (name) names.add(name);
    if (!star) continue;
    const inner = new Set<string>();
    collect(star, starOf, inner, seen);
    for (const one of inner) if (one !== 'default') names.add(one);
  }
}

/** The names of a declaration. */
function declared(node: Syntax | undefined): string[] {
  switch (node?.type) {
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return [nameOf(child(node, 'id'))];
    case 'VariableDeclaration':
      return children(node, 'declarations').flatMap((one) => declared(child(one, 'id')));
    case 'Identifier':
      return [nameOf(node)];
    case 'ObjectPattern':
      return children(node, 'properties').flatMap((one) => declared(child(one, 'value') ?? child(one, 'argument')));
    case 'ArrayPattern':
      return children(node, 'elements').flatMap((one) => declared(one));
    case 'AssignmentPattern':
      return declared(child(node, 'left'));
    case 'RestElement':
      return declared(child(node, 'argument'));
    default:
      return [];
  }
}
