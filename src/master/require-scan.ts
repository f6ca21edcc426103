/** What a CommonJS module requires by literal specifiers, and what it exports by name. */
import { initSync, parse as lex } from 'cjs-module-lexer';
import { isBuiltin, loadedCommonModules, resolveFrom } from './resolve.ts';
import type { Source } from './source.ts';
import { child, children, isFunctionNode, type Syntax } from './syntax.ts';

let ready = false;

/** A `require('literal')`. */
export interface LiteralRequire {
  specifier: string;
  /** Outside of every function: it runs whenever the module does, or a condition at its top level says so. */
  atTop: boolean;
}

/** Literal requires of a text in order. Without an exact parse (`quick`), `atTop` is a guess: true. */
export function literalRequires(source: Source, quick: boolean): LiteralRequire[] {
  const found = new Map<string, boolean>();
  const pattern = /\brequire\s*\(\s*(?:'([^'\n\\]+)'|"([^"\n\\]+)")\s*\)/g;
  for (const match of source.code.matchAll(pattern)) found.set((match[1] ?? match[2]) as string, true);
  if (!found.size) return [];
  if (!quick) {
    for (const specifier of found.keys()) found.set(specifier, false);
    for (const { name, binding, node } of source.tree.scopes.references) {
      if (name !== 'require' || binding || node.parent?.type !== 'CallExpression' || child(node.parent, 'callee') !== node) continue;
      const argument = children(node.parent, 'arguments')[0];
      if (argument?.type === 'Literal' && typeof argument['value'] === 'string' && !isInFunction(node)) found.set(argument['value'], true);
    }
  }
  return [...found].map(([specifier, atTop]) => ({ specifier, atTop }));
}

function isInFunction(node: Syntax): boolean {
  for (let at = node.parent; at; at = at.parent) {
    if (!isFunctionNode(at)) continue;
    // An immediately called function runs with the module.
    const call = at.parent?.type === 'ParenthesizedExpression' ? at.parent.parent : at.parent;
    if (call?.type !== 'CallExpression' || children(call, 'arguments').includes(at)) return true;
  }
  return false;
}

/** The names that an ES module may import from a CommonJS text, and the modules whose names it passes on. */
export function commonNames(code: string): { exports: string[]; reexports: string[] } {
  if (!ready) {
    initSync();
    ready = true;
  }
  try {
    const { exports, reexports } = lex(code);
    return { exports: [...new Set(exports)], reexports: [...new Set(reexports)] };
  } catch {
    return { exports: [], reexports: [] };
  }
}

/** What a CommonJS module will require: of one that the master has loaded, what it has loaded by literal specifiers; else those at top level. */
export function neededRequires(source: Source): string[] {
  const cache = loadedCommonModules();
  const isLoaded = cache[source.path] !== undefined;
  return literalRequires(source, isLoaded)
    .filter(({ specifier, atTop }) => {
      if (isBuiltin(specifier)) return false;
      if (!isLoaded && atTop) return true;
      const found = resolveFrom(source.path, specifier, 'require');
      // A module that cannot be found is said to be so at once: packages probe for optional ones.
      return 'path' in found ? cache[found.path] !== undefined : isLoaded || atTop;
    })
    .map(({ specifier }) => specifier);
}
