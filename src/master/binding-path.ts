/** How a function is reached from the top level of its file, where it can be. */

import { completed } from './slices.ts';
import type { Source } from './source.ts';
import { child, children, holderOf, nameOf, type Syntax, unwrap } from './syntax.ts';

/** The head of a path that starts at the default export (`module.exports` in CommonJS). */
export const DEFAULT_HEAD = '*default';

/** Names from a top-level binding down to a function or class: `['Tools', 'probe']`. Undefined for what has no lasting name. */
export function bindingPath(source: Source, node: Syntax): string[] | undefined {
  const { type } = node;
  if (type === 'FunctionDeclaration' || type === 'ClassDeclaration') {
    const name = nameOf(child(node, 'id'));
    if (!isTopLevel(node)) return namespacePath(source, node, name);
    if (!name) return [DEFAULT_HEAD];
    const binding = source.tree.scopes.root.bindings.get(name);
    return binding?.node === node && (type === 'ClassDeclaration' || !binding.written) ? [name] : undefined;
  }
  const holder = holderOf(node);
  switch (holder?.type) {
    case 'ExportDefaultDeclaration':
      return [DEFAULT_HEAD];
    case 'VariableDeclarator':
      return variablePath(source, holder, node);
    case 'MethodDefinition':
    case 'PropertyDefinition': {
      const name = keyName(holder);
      if (!holder['static'] || name === undefined || (holder.type === 'MethodDefinition' && holder['kind'] !== 'method')) return undefined;
      const path = bindingPath(source, holder.parent?.parent as Syntax);
      return path && [...path, name];
    }
    case 'Property': {
      const name = keyName(holder);
      if (name === undefined || holder['kind'] !== 'init' || holder.parent?.type !== 'ObjectExpression') return undefined;
      const path = bindingPath(source, holder.parent);
      return path && [...path, name];
    }
    case 'AssignmentExpression':
      return commonPath(source, holder, node);
    default:
      return undefined;
  }
}

/** An exported function or class of a TypeScript namespace, which is an immediately called function after compilation. */
function namespacePath(source: Source, node: Syntax, name: string): string[] | undefined {
  const body = node.parent;
  const fn = body?.parent;
  const call = fn && holderOf(fn);
  if (!body || fn?.type !== 'FunctionExpression' || call?.type !== 'CallExpression' || !isTopLevel(call.parent as Syntax)) return undefined;
  const namespace = completed(call);
  const param = nameOf(children(fn, 'params')[0]);
  const isExported = children(body, 'body').some((one) => {
    const assignment = child(one, 'expression');
    const left = assignment?.type === 'AssignmentExpression' ? child(assignment, 'left') : undefined;
    return left?.type === 'MemberExpression' && nameOf(child(left, 'object')) === param && nameOf(child(left, 'property')) === name;
  });
  return namespace !== undefined && isExported && source.tree.scopes.root.bindings.has(namespace) ? [namespace, name] : undefined;
}

function variablePath(source: Source, declarator: Syntax, node: Syntax): string[] | undefined {
  const id = child(declarator, 'id');
  if (id?.type !== 'Identifier' || unwrap(child(declarator, 'init')) !== node || !isTopLevel(declarator.parent as Syntax)) return undefined;
  const binding = source.tree.scopes.root.bindings.get(nameOf(id));
  return binding?.node === declarator && (!binding.written || node.type === 'ClassExpression') ? [nameOf(id)] : undefined;
}

/** `exports.a = …`, `module.exports = …`, `module.exports.a = …` at the top level of CommonJS. */
function commonPath(source: Source, assignment: Syntax, node: Syntax): string[] | undefined {
  if (source.kind !== 'cjs' || assignment['operator'] !== '=' || unwrap(child(assignment, 'right')) !== node) return undefined;
  if (assignment.parent?.type !== 'ExpressionStatement' || assignment.parent.parent?.type !== 'Program') return undefined;
  const path: string[] = [];
  let at = child(assignment, 'left');
  for (; at?.type === 'MemberExpression' && !at['computed']; at = child(at, 'object')) path.unshift(nameOf(child(at, 'property')));
  if (at?.type !== 'Identifier') return undefined;
  if (nameOf(at) === 'exports') return [DEFAULT_HEAD, ...path];
  return nameOf(at) === 'module' && path[0] === 'exports' ? [DEFAULT_HEAD, ...path.slice(1)] : undefined;
}

function keyName(holder: Syntax): string | undefined {
  const key = child(holder, 'key');
  if (key?.type === 'Literal' ? typeof key['value'] !== 'string' : holder['computed'] || key?.type !== 'Identifier') return undefined;
  const name = nameOf(key);
  return name === '' || name.includes('.') ? undefined : name;
}

function isTopLevel(node: Syntax): boolean {
  const parent = node.parent;
  return parent?.type === 'Program' || (parent?.type.startsWith('Export') === true && parent.parent?.type === 'Program');
}
