/** What a function expression takes from the function around it: the reason why it cannot run elsewhere. */
import type { Scopes } from './scope.ts';
import { child, children, eachChild, isFunctionNode, nameOf, type Syntax } from './syntax.ts';

/** Something local that a function needs. */
export interface Capture {
  /** The variable, `this`, `super`, `arguments`, `new.target`, or a private name. */
  name: string;
  node: Syntax;
}

/** The first thing that `fn` takes from an enclosing function, class or block. Names of the module and globals are no captures. */
export function findCapture(scopes: Scopes, fn: Syntax): Capture | undefined {
  for (const { node, binding, name } of scopes.references) {
    if (node.start < fn.start || node.end > fn.end || !binding || binding.scope === scopes.root) continue;
    const home = binding.scope.node;
    if (home.start < fn.start || home.end > fn.end) return { name, node };
  }
  return findSelf(fn) ?? findPrivate(fn);
}

/** `this` and its kin, where they belong to something around `fn`. */
function findSelf(fn: Syntax): Capture | undefined {
  const isArrow = fn.type === 'ArrowFunctionExpression';
  const outer = isArrow && hasThis(fn);
  let found: Capture | undefined;
  const visit = (node: Syntax): void => {
    if (found) return;
    if (node.type === 'Super') found = { name: 'super', node };
    else if (outer && node.type === 'ThisExpression') found = { name: 'this', node };
    else if (outer && node.type === 'MetaProperty' && nameOf(child(node, 'meta')) === 'new') found = { name: 'new.target', node };
    else if (outer && node.type === 'Identifier' && nameOf(node) === 'arguments' && node.parent?.type !== 'Property')
      found = { name: 'arguments', node };
    if (isFunctionNode(node) && node !== fn && node.type !== 'ArrowFunctionExpression') return;
    if (node.type.startsWith('Class') && node.type !== 'ClassBody') return;
    eachChild(node, visit);
  };
  visit(fn);
  return found;
}

/** True if something around an arrow function gives it a `this`. */
function hasThis(fn: Syntax): boolean {
  for (let at = fn.parent; at; at = at.parent) {
    if (
      at.type === 'FunctionDeclaration' ||
      at.type === 'FunctionExpression' ||
      at.type === 'PropertyDefinition' ||
      at.type === 'StaticBlock'
    )
      return true;
  }
  return false;
}

/** True if `fn` itself (arrow functions in it included) uses `this` or `super`. */
export function usesThis(fn: Syntax): boolean {
  let found = false;
  const visit = (node: Syntax): void => {
    if (node.type === 'ThisExpression' || node.type === 'Super') found = true;
    if (found || (isFunctionNode(node) && node !== fn && node.type !== 'ArrowFunctionExpression') || /^Class(Decl|Expr)/.test(node.type))
      return;
    eachChild(node, visit);
  };
  visit(fn);
  return found;
}

function findPrivate(fn: Syntax): Capture | undefined {
  let found: Capture | undefined;
  const visit = (node: Syntax, declared: ReadonlySet<string>): void => {
    if (found) return;
    let names = declared;
    if (node.type === 'ClassBody') {
      names = new Set([
        ...declared,
        ...children(node, 'body')
          .map((one) => child(one, 'key'))
          .filter((key) => key?.type === 'PrivateIdentifier')
          .map(nameOf),
      ]);
    }
    if (node.type === 'PrivateIdentifier' && !names.has(nameOf(node))) found = { name: `#${nameOf(node)}`, node };
    eachChild(node, (one) => visit(one, names));
  };
  visit(fn, new Set());
  return found;
}
