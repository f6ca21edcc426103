/**
 * Scopes, bindings and references of one JavaScript text: what decides whether a function captures local variables, which declarations it
 * reaches, and which names have to be rewritten when an import becomes a property of a namespace.
 */
import { child, children, eachChild, isFunctionNode, nameOf, type Syntax } from './syntax.ts';

/** A declared name. */
export interface Binding {
  name: string;
  kind: 'import' | 'var' | 'let' | 'const' | 'function' | 'class' | 'param';
  scope: Scope;
  /** The node that declares it: declarator, function, class, import specifier, … */
  node: Syntax;
  /** Somewhere it is assigned after its declaration. */
  written: boolean;
  references: Reference[];
}

/** A use of a name. */
export interface Reference {
  name: string;
  node: Syntax;
  scope: Scope;
  binding?: Binding;
  write: boolean;
  /** `{name}`: has to become `{name: …}` if the name is rewritten. */
  shorthand: boolean;
}

/** One scope; function parameters and body are one. */
export interface Scope {
  kind: 'module' | 'function' | 'block';
  node: Syntax;
  parent?: Scope;
  bindings: Map<string, Binding>;
}

/** What the analysis finds. References are in source order. */
export interface Scopes {
  root: Scope;
  references: Reference[];
  functions: Syntax[];
  importCalls: Syntax[];
  importMetas: Syntax[];
  /** `require('literal')` and `require.resolve('literal')` where `require` is the module's own. */
  usings: Syntax[];
}

const BLOCKS = new Set([
  'BlockStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'SwitchStatement',
  'CatchClause',
  'StaticBlock',
]);

class Analysis implements Scopes {
  readonly root: Scope;
  readonly references: Reference[] = [];
  readonly functions: Syntax[] = [];
  readonly importCalls: Syntax[] = [];
  readonly importMetas: Syntax[] = [];
  readonly usings: Syntax[] = [];

  constructor(program: Syntax) {
    this.root = { kind: 'module', node: program, bindings: new Map() };
    this.#all(program, this.root);
    this.references.sort((a, b) => a.node.start - b.node.start);
    for (const reference of this.references) this.#bind(reference);
  }

  #bind(reference: Reference): void {
    for (let scope: Scope | undefined = reference.scope; scope; scope = scope.parent) {
      const binding = scope.bindings.get(reference.name);
      if (!binding) continue;
      reference.binding = binding;
      binding.references.push(reference);
      if (reference.write) binding.written = true;
      return;
    }
  }

  #declare(scope: Scope, name: string, kind: Binding['kind'], node: Syntax): void {
    const there = scope.bindings.get(name);
    if (there) {
      // A second declaration of the same variable counts as an assignment.
      if (there.kind !== 'param') there.written = true;
      return;
    }
    scope.bindings.set(name, { name, kind, scope, node, written: false, references: [] });
  }

  #open(kind: Scope['kind'], node: Syntax, parent: Scope): Scope {
    return { kind, node, parent, bindings: new Map() };
  }

  #all(node: Syntax, scope: Scope): void {
    eachChild(node, (one) => this.#visit(one, scope));
  }

  #refer(node: Syntax, scope: Scope, write: boolean, shorthand = false): void {
    this.references.push({ name: nameOf(node), node, scope, write, shorthand });
  }

  #visit(node: Syntax, scope: Scope): void {
    switch (node.type) {
      case 'Identifier':
        return this.#refer(node, scope, false);
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#function(node, scope);
      case 'ClassDeclaration':
      case 'ClassExpression':
        return this.#class(node, scope);
      case 'VariableDeclaration':
        return this.#variables(node, scope);
      case 'ImportDeclaration':
        for (const one of children(node, 'specifiers')) this.#declare(scope, nameOf(child(one, 'local')), 'import', one);
        return;
      case 'ExportNamedDeclaration':
        return this.#exports(node, scope);
      case 'ExportAllDeclaration':
      case 'BreakStatement':
      case 'ContinueStatement':
        return;
      case 'LabeledStatement':
        return this.#visit(child(node, 'body') as Syntax, scope);
      case 'MemberExpression':
        this.#visit(child(node, 'object') as Syntax, scope);
        if (node['computed']) this.#visit(child(node, 'property') as Syntax, scope);
        return;
      case 'MetaProperty':
        if (nameOf(child(node, 'meta')) === 'import') this.importMetas.push(node);
        return;
      case 'ImportExpression':
        this.importCalls.push(node);
        return this.#all(node, scope);
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
      case 'AccessorProperty':
        return this.#property(node, scope);
      case 'AssignmentExpression':
        this.#target(child(node, 'left') as Syntax, scope);
        return this.#visit(child(node, 'right') as Syntax, scope);
      case 'UpdateExpression':
        return this.#target(child(node, 'argument') as Syntax, scope);
      default:
        return this.#other(node, scope);
    }
  }

  #other(node: Syntax, scope: Scope): void {
    const inner = BLOCKS.has(node.type) ? this.#open(node.type === 'StaticBlock' ? 'function' : 'block', node, scope) : scope;
    if (node.type === 'CatchClause') {
      const param = child(node, 'param');
      if (param) this.#pattern(param, inner, 'let', inner, param);
      return this.#visit(child(node, 'body') as Syntax, inner);
    }
    if (node.type === 'ForInStatement' || node.type === 'ForOfStatement') {
      const left = child(node, 'left') as Syntax;
      if (left.type !== 'VariableDeclaration') {
        this.#target(left, inner);
        this.#visit(child(node, 'right') as Syntax, inner);
        return this.#visit(child(node, 'body') as Syntax, inner);
      }
    }
    return this.#all(node, inner);
  }

  #property(node: Syntax, scope: Scope): void {
    for (const one of children(node, 'decorators')) this.#visit(one, scope);
    if (node['computed']) this.#visit(child(node, 'key') as Syntax, scope);
    const value = child(node, 'value');
    if (!value) return;
    if (node['shorthand']) this.#refer(value, scope, false, true);
    else this.#visit(value, scope);
  }

  #exports(node: Syntax, scope: Scope): void {
    const declaration = child(node, 'declaration');
    if (declaration) return this.#visit(declaration, scope);
    if (child(node, 'source')) return;
    for (const one of children(node, 'specifiers')) this.#refer(child(one, 'local') as Syntax, scope, false);
  }

  #function(node: Syntax, scope: Scope): void {
    this.functions.push(node);
    const id = child(node, 'id');
    if (id && node.type === 'FunctionDeclaration') this.#declare(scope, nameOf(id), 'function', node);
    const inner = this.#open('function', node, scope);
    if (id && node.type === 'FunctionExpression') this.#declare(inner, nameOf(id), 'function', node);
    for (const param of children(node, 'params')) this.#pattern(param, inner, 'param', inner, node);
    const body = child(node, 'body') as Syntax;
    if (body.type === 'BlockStatement' || body.type === 'FunctionBody') this.#all(body, inner);
    else this.#visit(body, inner);
  }

  #class(node: Syntax, scope: Scope): void {
    const id = child(node, 'id');
    if (id && node.type === 'ClassDeclaration') this.#declare(scope, nameOf(id), 'class', node);
    const inner = this.#open('block', node, scope);
    if (id && node.type === 'ClassExpression') this.#declare(inner, nameOf(id), 'class', node);
    for (const one of children(node, 'decorators')) this.#visit(one, scope);
    const parent = child(node, 'superClass');
    if (parent) this.#visit(parent, inner);
    this.#visit(child(node, 'body') as Syntax, inner);
  }

  #variables(node: Syntax, scope: Scope): void {
    const kind = String(node['kind']);
    if (/using/.test(kind)) this.usings.push(node);
    let home = scope;
    if (kind === 'var') while (home.kind === 'block' && home.parent) home = home.parent;
    const binding = kind === 'var' ? 'var' : kind === 'let' ? 'let' : 'const';
    for (const one of children(node, 'declarations')) {
      this.#pattern(child(one, 'id') as Syntax, home, binding, scope, one);
      const init = child(one, 'init');
      if (init) this.#visit(init, scope);
    }
  }

  /** A binding pattern: names are declared in `home`, expressions inside it are read in `scope`. */
  #pattern(node: Syntax, home: Scope, kind: Binding['kind'], scope: Scope, owner: Syntax): void {
    if (node.type === 'Identifier') return this.#declare(home, nameOf(node), kind, owner);
    this.#parts(node, scope, (part) => this.#pattern(part, home, kind, scope, owner));
  }

  /** The left side of an assignment. */
  #target(node: Syntax, scope: Scope, shorthand = false): void {
    if (node.type === 'Identifier') return this.#refer(node, scope, true, shorthand);
    if (node.type === 'ParenthesizedExpression') return this.#target(child(node, 'expression') as Syntax, scope);
    if (!/Pattern$|^RestElement$/.test(node.type)) return this.#visit(node, scope);
    this.#parts(node, scope, (part, short) => this.#target(part, scope, short));
  }

  #parts(node: Syntax, scope: Scope, each: (part: Syntax, shorthand: boolean) => void, shorthand = false): void {
    switch (node.type) {
      case 'ObjectPattern':
        for (const one of children(node, 'properties')) {
          if (one.type === 'RestElement') each(child(one, 'argument') as Syntax, false);
          else {
            if (one['computed']) this.#visit(child(one, 'key') as Syntax, scope);
            const value = child(one, 'value') as Syntax;
            if (value.type === 'AssignmentPattern') this.#parts(value, scope, each, one['shorthand'] === true);
            else each(value, one['shorthand'] === true);
          }
        }
        return;
      case 'ArrayPattern':
        for (const one of children(node, 'elements')) each(one, false);
        return;
      case 'AssignmentPattern':
        each(child(node, 'left') as Syntax, shorthand);
        return this.#visit(child(node, 'right') as Syntax, scope);
      case 'RestElement':
        return each(child(node, 'argument') as Syntax, false);
      default:
        return this.#visit(node, scope);
    }
  }
}

/** Analyses a program. */
export function analyse(program: Syntax): Scopes {
  return new Analysis(program);
}

/** True if `node` or anything below it, short of a nested function, satisfies `test`. */
export function findShallow(node: Syntax, test: (one: Syntax) => boolean): boolean {
  let found = test(node);
  if (found) return true;
  eachChild(node, (one) => {
    if (!found && !isFunctionNode(one)) found = findShallow(one, test);
  });
  return found;
}
