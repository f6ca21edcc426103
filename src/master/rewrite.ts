/** Rewriting of names: an imported binding becomes a property of its namespace, `import()` and `import.meta` become calls of the importer. */
import type { Patch } from './patch.ts';
import type { Binding, Reference, Scopes } from './scope.ts';
import { child, nameOf, type Syntax } from './syntax.ts';

/** What stands for a binding elsewhere: an expression, or undefined if the name stays. */
export type Substitute = (reference: Reference) => string | undefined;

const STATEMENT_LISTS = new Set(['Program', 'BlockStatement', 'FunctionBody', 'StaticBlock', 'SwitchCase']);

function isCallee(node: Syntax): boolean {
  const parent = node.parent;
  return (
    (parent?.type === 'CallExpression' && child(parent, 'callee') === node) ||
    (parent?.type === 'TaggedTemplateExpression' && child(parent, 'tag') === node)
  );
}

/** True where a text starting with "(" could be taken for the arguments of a call on the line before. */
function startsStatement(node: Syntax): boolean {
  let at: Syntax | undefined = node;
  while (at && at.type !== 'ExpressionStatement') at = at.parent && at.parent.start === node.start ? at.parent : undefined;
  return at?.parent !== undefined && STATEMENT_LISTS.has(at.parent.type);
}

/** Rewrites what lies between `start` and `end`. */
export function rewriteNames(patch: Patch, scopes: Scopes, start: number, end: number, substitute: Substitute): void {
  for (const reference of scopes.references) {
    const { node } = reference;
    if (node.start < start || node.end > end || node.parent?.type === 'ExportSpecifier') continue;
    const text = substitute(reference);
    if (text === undefined) continue;
    const called = text.includes('.') && isCallee(node);
    patch.replace(
      node.start,
      node.end,
      reference.shorthand ? `${reference.name}:${text}` : called ? `${startsStatement(node) ? ';' : ''}(0,${text})` : text,
    );
  }
  for (const node of scopes.importCalls) if (node.start >= start && node.end <= end) patch.replace(node.start, node.start + 6, '$mitos.d');
  for (const node of scopes.importMetas) if (node.start >= start && node.end <= end) patch.replace(node.start, node.end, '$mitos.m');
}

/** The module and name that an import binding stands for; name `*` is the namespace. */
export function importOf(binding: Binding): { specifier: string; name: string } {
  const { node } = binding;
  const specifier = nameOf(child(node.parent as Syntax, 'source'));
  if (node.type === 'ImportNamespaceSpecifier') return { specifier, name: '*' };
  return { specifier, name: node.type === 'ImportDefaultSpecifier' ? 'default' : nameOf(child(node, 'imported')) };
}

/** `a.b`, or `a["not a name"]`. */
export function member(object: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${object}.${name}` : `${object}[${ascii(name)}]`;
}

/** A key of an object literal. */
export function key(name: string): string {
  return name === '__proto__' ? '["__proto__"]' : /^[A-Za-z_$][\w$]*$/.test(name) ? name : ascii(name);
}

/** A string literal. */
export function ascii(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16)}`);
}

/** The namespaces that one module imports, each under a short name, in the order they are first asked for. */
export class Namespaces {
  readonly #names = new Map<string, string>();
  readonly #prefix: string;

  constructor(code: string) {
    let prefix = '$i';
    while (code.includes(prefix)) prefix += '_';
    this.#prefix = prefix;
  }

  /** The variable that holds the namespace of `specifier`. */
  of(specifier: string): string {
    let name = this.#names.get(specifier);
    if (name === undefined) this.#names.set(specifier, (name = `${this.#prefix}${this.#names.size}`));
    return name;
  }

  /** All specifiers so far. */
  get specifiers(): string[] {
    return [...this.#names.keys()];
  }

  /** The declaration of all variables, in order. */
  declare(): string {
    const list = [...this.#names].map(([specifier, name]) => `${name}=$mitos.i(${ascii(specifier)})`);
    return list.length ? `var ${list.join()};` : '';
  }
}

/** What CommonJS offers and an ES module does not: declared where the text uses it and its surroundings allow it. */
const COMMON: Record<string, string> = {
  require: '$mitos.r',
  module: '{exports:{}}',
  exports: '{}',
  __filename: '$mitos.m.filename',
  __dirname: '$mitos.m.dirname',
};

/** Declares those of the CommonJS names that are used free between `start` and `end`. */
export function declareCommon(scopes: Scopes, start: number, end: number): string {
  const used = new Set<string>();
  for (const { binding, name, node } of scopes.references) {
    if (!binding && node.start >= start && node.end <= end && Object.hasOwn(COMMON, name)) used.add(name);
  }
  return used.size ? `var ${[...used].map((name) => `${name}=${COMMON[name] as string}`).join()};` : '';
}
