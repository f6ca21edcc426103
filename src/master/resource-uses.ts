/** Which of its neighbours a module of the program names: what its text does with its own directory, as far as that can be seen without running it. */
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Binding, Scopes } from './scope.ts';
import type { Source } from './source.ts';
import { child, children, holderOf, nameOf, type Syntax } from './syntax.ts';

const MENTION = /\b__(?:dirname|filename)\b|\bimport\.meta\.(?:url|dirname|filename|resolve)\b|\brequire\.resolve\b/;

/** Whether a module may ask for files by their place. */
export function usesFiles(code: string): boolean {
  return MENTION.test(code.replace(/\bcreateRequire\s*\(\s*(?:import\.meta\.(?:url|filename)|__filename)\s*\)/g, ''));
}

/** Calls that give the same place in another form. */
const SAME = /^(?:fileURLToPath|pathToFileURL|String|normalize|toNamespacedPath|realpathSync|native|URL|toString)$/;
/** What has nothing to do with the files there. */
const NOTHING = /^(?:createRequire|Worker|debuglog|debug|log|error|warn|info|basename|extname)$/;
const MAX_DEPTH = 12;

/**
 * Files and directories that a module names, as absolute paths. A directory stands for all below it. A file in a directory of its own
 * stands for that directory, because templates and the like name each other; one beside the module, or above it, for itself.
 */
export function namedPaths(source: Source): Set<string> {
  let tree: Source['tree'];
  try {
    ({ tree } = source);
  } catch {
    return new Set();
  }
  const { scopes } = tree;
  const found = new Named(source.path, scopes);
  for (const { name, binding, node, write } of scopes.references) {
    if (binding || write) continue;
    if (name === '__filename') found.follow(node, source.path, 0);
    else if (name === '__dirname') found.follow(node, dirname(source.path), 0);
  }
  for (const meta of scopes.importMetas) {
    const member = holderOf(meta);
    const name = member?.type === 'MemberExpression' ? nameOf(child(member, 'property')) : '';
    if (!member) continue;
    if (name === 'url' || name === 'filename') found.follow(member, source.path, 0);
    else if (name === 'dirname') found.follow(member, dirname(source.path), 0);
  }
  for (const reference of scopes.references) {
    if (reference.name !== 'require' || reference.binding) continue;
    const member = holderOf(reference.node);
    const call = member && nameOf(child(member, 'property')) === 'resolve' ? holderOf(member) : undefined;
    const text = call?.type === 'CallExpression' ? literal(children(call, 'arguments')[0]) : undefined;
    if (text !== undefined && /^\.\.?\//.test(text)) found.add(resolve(dirname(source.path), text), false);
  }
  return found.paths;
}

function literal(node: Syntax | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node?.type !== 'TemplateLiteral' || children(node, 'expressions').length) return undefined;
  return cooked(children(node, 'quasis')[0]);
}

const cooked = (quasi: Syntax | undefined): string => (quasi?.['value'] as { cooked?: string } | undefined)?.cooked ?? '';

/** The path that a URL means as seen from a file; undefined if it means none. */
function below(text: string, path: string): string | undefined {
  try {
    return fileURLToPath(new URL(text, pathToFileURL(path)));
  } catch {
    return undefined;
  }
}

class Named {
  readonly paths = new Set<string>();
  readonly #file: string;
  readonly #bindings = new Map<Syntax, Binding>();

  constructor(file: string, { references }: Scopes) {
    this.#file = file;
    for (const { binding } of references) if (binding) this.#bindings.set(binding.node, binding);
  }

  /** Takes note of a path; `isPrefix` if more of it is not known. */
  add(named: string, isPrefix: boolean): void {
    const path = named.replace(/(.)\/$/, '$1');
    const own = dirname(this.#file);
    if (path === this.#file) this.paths.add(isPrefix ? own : path);
    else if (isPrefix || own === path || own.startsWith(`${path}/`)) this.paths.add(path);
    else {
      const folder = dirname(path);
      this.paths.add(own === folder || own.startsWith(`${folder === '/' ? '' : folder}/`) ? path : folder);
    }
  }

  /** `node` stands for `path`: what becomes of it? */
  follow(node: Syntax, path: string, depth: number): void {
    const holder = holderOf(node);
    if (!holder || depth > MAX_DEPTH) return this.add(path, true);
    const up = (to: string): void => this.follow(holder, to, depth + 1);
    switch (holder.type) {
      case 'CallExpression':
      case 'NewExpression':
        return this.#call(holder, node, path, depth);
      case 'MemberExpression':
        return this.#member(holder, path, depth);
      case 'BinaryExpression':
        return this.#binary(holder, node, path, depth);
      case 'TemplateLiteral':
        return this.#template(holder, node, path, depth);
      case 'LogicalExpression':
      case 'AwaitExpression':
      case 'ConditionalExpression':
      case 'ChainExpression':
        return up(path);
      case 'UnaryExpression':
      case 'ExpressionStatement':
        return undefined;
      case 'VariableDeclarator':
        return this.#variable(holder, path, depth);
      default:
        return this.add(path, true);
    }
  }

  #call(call: Syntax, node: Syntax, path: string, depth: number): void {
    const callee = child(call, 'callee') as Syntax;
    const name = nameOf(callee.type === 'MemberExpression' ? child(callee, 'property') : callee);
    const list = children(call, 'arguments');
    const up = (to: string): void => this.follow(call, to, depth + 1);
    if (NOTHING.test(name)) return undefined;
    if (name === 'URL' && list[1] === node) {
      const text = literal(list[0]);
      if (text === undefined) return this.add(dirname(`${path}.`), true);
      const to = below(text, path);
      return to === undefined ? undefined : up(to);
    }
    if (SAME.test(name)) return up(path);
    if (name === 'dirname') return up(dirname(path));
    if (name !== 'join' && name !== 'resolve') return this.add(path, path === this.#file);
    let to = path;
    for (const one of list.slice(list.indexOf(node) + 1)) {
      const text = literal(one);
      if (text === undefined) return this.add(to, true);
      to = resolve(to, name === 'join' ? `./${text}` : text);
    }
    return up(to);
  }

  #member(member: Syntax, path: string, depth: number): void {
    const name = nameOf(child(member, 'property'));
    if (name === 'href' || name === 'pathname') return this.follow(member, path, depth + 1);
    const call = holderOf(member);
    if (name === 'toString' && call) return this.follow(call, path, depth + 1);
    return this.add(path, true);
  }

  #binary(node: Syntax, left: Syntax, path: string, depth: number): void {
    if (node['operator'] !== '+') return undefined;
    const text = child(node, 'left') === left ? literal(child(node, 'right')) : undefined;
    return text === undefined ? this.add(path, true) : this.#joined(node, path, text, false, depth);
  }

  #template(node: Syntax, inner: Syntax, path: string, depth: number): void {
    const expressions = children(node, 'expressions');
    const quasis = children(node, 'quasis').map(cooked);
    if (expressions[0] !== inner || quasis[0] !== '') return this.add(path, true);
    return this.#joined(node, path, quasis[1] ?? '', expressions.length > 1, depth);
  }

  /** `path` and a text behind it; when more follows, only whole names of it are known. */
  #joined(node: Syntax, path: string, text: string, isPrefix: boolean, depth: number): void {
    if (text !== '' && !text.startsWith('/')) return this.add(path, true);
    if (isPrefix) return this.add(resolve(path, `.${text.slice(0, text.lastIndexOf('/') + 1)}`), true);
    const to = resolve(path, `.${text}`);
    return this.follow(node, to, depth + 1);
  }

  #variable(declarator: Syntax, path: string, depth: number): void {
    const binding = child(declarator, 'id')?.type === 'Identifier' ? this.#bindings.get(declarator) : undefined;
    // What is exported is used where it cannot be seen.
    const isExported = declarator.parent?.parent?.type === 'ExportNamedDeclaration';
    if (isExported || binding?.written) return this.add(path, true);
    for (const { node, write } of binding?.references ?? []) if (!write) this.follow(node, path, depth + 1);
    return undefined;
  }
}
