/** The few things that the rest of master/ needs of a syntax tree: typed access to loosely typed ESTree nodes, parents, child iteration. */
import { onNeed } from './on-need.ts';

const oxc = onNeed<typeof import('oxc-parser')>('oxc-parser');

/** An ESTree node. Offsets are UTF-16 units into the parsed text. */
export interface Syntax {
  type: string;
  start: number;
  end: number;
  /** Set by {@link linkParents}. */
  parent?: Syntax;
  [key: string]: unknown;
}

/** What the parser says of a text. */
export interface Parsed {
  readonly program: Syntax;
  hasModuleSyntax: boolean;
  /** Where each `import()` begins. */
  readonly importCalls: readonly number[];
  /** The first error, with its code frame. */
  error: { message: string; codeframe: string; start: number } | undefined;
}

/** Languages the parser knows. */
export type Lang = 'js' | 'jsx' | 'ts' | 'tsx';

/** Parses a text. */
export function parse(name: string, text: string, lang: Lang, sourceType: 'module' | 'commonjs' | 'unambiguous'): Parsed {
  const result = oxc().parseSync(name, text, { lang, sourceType: sourceType === 'commonjs' ? 'commonjs' : sourceType });
  const first = result.errors.find((error) => error.severity === 'Error');
  return {
    // Made only when it is looked at: it costs more than the parse.
    get program(): Syntax {
      return result.program as unknown as Syntax;
    },
    hasModuleSyntax: result.module.hasModuleSyntax,
    get importCalls() {
      return result.module.dynamicImports.map(({ start }) => start);
    },
    error: first && { message: first.message, codeframe: first.codeframe ?? '', start: first.labels[0]?.start ?? 0 },
  };
}

/** A child node by its key. */
export function child(node: Syntax, key: string): Syntax | undefined {
  return (node[key] as Syntax | null | undefined) ?? undefined;
}

/** A list of child nodes by its key; holes are left out. */
export function children(node: Syntax, key: string): Syntax[] {
  return ((node[key] as (Syntax | null)[] | undefined) ?? []).filter((one): one is Syntax => one !== null);
}

/** The name of an identifier, or the value of a string literal used as a name. */
export function nameOf(node: Syntax | undefined): string {
  if (!node) return '';
  return node.type === 'Literal' ? String(node['value']) : ((node['name'] as string | undefined) ?? '');
}

/** Calls `visit` for each direct child, in source order of its keys. */
export function eachChild(node: Syntax, visit: (one: Syntax, key: string) => void): void {
  for (const key of oxc().visitorKeys[node.type] ?? []) {
    const value = node[key];
    if (Array.isArray(value)) {
      for (const one of value as (Syntax | null)[]) if (one) visit(one, key);
    } else if (value) visit(value as Syntax, key);
  }
}

/** Sets `parent` on every node below `root`. */
export function linkParents(root: Syntax): void {
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    const parent = node;
    eachChild(node, (one) => {
      one.parent = parent;
      stack.push(one);
    });
  }
}

/** True for anything that makes its own `this`, or is an arrow function. */
export function isFunctionNode(node: Syntax): boolean {
  return node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression';
}

/** Strips parentheses around an expression. */
export function unwrap(node: Syntax | undefined): Syntax | undefined {
  let at = node;
  while (at?.type === 'ParenthesizedExpression') at = child(at, 'expression');
  return at;
}

/** Goes up over parentheses: the node that holds `node` as a plain value. */
export function holderOf(node: Syntax): Syntax | undefined {
  let at = node.parent;
  while (at?.type === 'ParenthesizedExpression') at = at.parent;
  return at;
}
