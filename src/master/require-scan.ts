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

/** Literal requires of a text, those that are `wanted`, in order. Where it does not matter, `atTop` is said of all. */
export function literalRequires(
  source: Source,
  wanted: (specifier: string) => boolean,
  matters: (specifier: string) => boolean,
): LiteralRequire[] {
  const written = source.note('requires', () => writtenRequires(source.code));
  const names = Object.keys(written).filter(wanted);
  // The exact look takes the longest of all that is done with a file.
  const open = new Set(names.filter((specifier) => !written[specifier] && matters(specifier)));
  const top = new Set(open.size ? source.note('requires at top', () => topRequires(source)) : []);
  return names.map((specifier) => ({ specifier, atTop: !open.has(specifier) || top.has(specifier) }));
}

/** What a CommonJS module requires that is sent along with it: what this process has loaded for it, else what it requires at top level. */
export function requiresOf(source: Source): string[] {
  const cache = loadedCommonModules();
  // An ES module whose code runs here has been loaded with what it requires at its top level.
  const isLoaded = source.kind === 'esm' || cache[source.path] !== undefined;
  const pathOf = (specifier: string): string | undefined => {
    const found = resolveFrom(source.path, specifier, 'require');
    return 'path' in found ? found.path : undefined;
  };
  const matters = (specifier: string): boolean => !isLoaded && pathOf(specifier) !== undefined;
  return literalRequires(source, (specifier) => !isBuiltin(specifier), matters)
    .filter(({ specifier, atTop }) => {
      if (!isLoaded && atTop) return true;
      const path = pathOf(specifier);
      // A module that cannot be found is said to be so at once: packages probe for optional ones.
      return path === undefined || cache[path] !== undefined;
    })
    .map(({ specifier }) => specifier);
}

/** By specifier, whether one stands in a statement that begins a line without indentation: there it runs with the module, or nearly always so. */
function writtenRequires(code: string): Record<string, boolean> {
  const found = Object.create(null) as Record<string, boolean>;
  for (const match of code.matchAll(/\brequire\s*\(\s*(?:'([^'\n\\]+)'|"([^"\n\\]+)")\s*\)/g)) {
    const specifier = (match[1] ?? match[2]) as string;
    found[specifier] ||= /^(?:(?:const|let|var) [^\n;()=]*= ?)?(?:[\w$.]+\(|\(0, [\w$.]+\)\(|Object\.assign\(\{\}, )?$/.test(
      code.slice(code.lastIndexOf('\n', match.index) + 1, match.index),
    );
  }
  return found;
}

/** The specifiers that are required outside of every function. */
function topRequires(source: Source): string[] {
  const found = new Set<string>();
  for (const { name, binding, node } of source.tree.scopes.references) {
    if (name !== 'require' || binding || node.parent?.type !== 'CallExpression' || child(node.parent, 'callee') !== node) continue;
    const argument = children(node.parent, 'arguments')[0];
    if (argument?.type === 'Literal' && typeof argument['value'] === 'string' && !isInFunction(node)) found.add(argument['value']);
  }
  return [...found];
}

/** Literal specifiers that a text wants to be resolved, by `import.meta.resolve()` or `require.resolve()`. */
export function literalResolves({ code, kind }: Source): string[] {
  if (!code.includes('.resolve')) return [];
  const pattern = /\b(require|import\.meta)\.resolve\s*\(\s*(?:'([^'\n\\]+)'|"([^"\n\\]+)")\s*\)/g;
  const wanted = kind === 'esm' ? 'import.meta' : 'require';
  return [...code.matchAll(pattern)].filter(([, by]) => by === wanted).map(([, , single, double]) => (single ?? double) as string);
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
