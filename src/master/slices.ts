/**
 * A main script, cut into declaration groups. Its top level never runs on a target; each group of declarations that need each other becomes a
 * module of its own, which imports the groups it refers to and exports its bindings live. So several calls share the state they would share here,
 * and only what the called functions reach is sent. Statements that are not declarations are left out, but for those that a TypeScript compiler
 * writes to complete one: decorators, enums, namespaces, static properties.
 */
import { hasAwait, importedAs, isAnonymous, parenOf } from './module-form.ts';
import { Patch, type Patched } from './patch.ts';
import { ascii, declareCommon, importOf, key, member, Namespaces, rewriteNames } from './rewrite.ts';
import type { Reference } from './scope.ts';
import type { Source } from './source.ts';
import { HELPERS_SPECIFIER } from './strip.ts';
import { child, children, nameOf, type Syntax, unwrap } from './syntax.ts';

type Part = string | readonly [start: number, end: number];

/** One declaration and what completes it. */
interface Piece {
  names: string[];
  parts: Part[];
  nodes: Syntax[];
  group: number;
}

/** A slice as it is shipped. */
export interface Slice {
  patched: Patched;
  /** Specifiers of static imports; `#3` is group 3 of the same file. */
  specifiers: string[];
  /** Literal requires. */
  requires: string[];
  isAsync: boolean;
}

/** The name under which a slice holds `export default`. */
const DEFAULT = '*default';

/** All groups of one main script. */
export class Slices {
  readonly #source: Source;
  readonly #pieces: Piece[] = [];
  /** Name of a top-level binding to its piece. */
  readonly #owners = new Map<string, Piece>();
  readonly #groups: Piece[][] = [];
  readonly #anonymous: string;

  constructor(source: Source) {
    this.#source = source;
    let anonymous = '$default';
    while (source.code.includes(anonymous)) anonymous += '_';
    this.#anonymous = anonymous;
    for (const node of children(source.tree.program, 'body')) this.#statement(node);
    for (const binding of source.tree.scopes.root.bindings.values()) {
      if (binding.kind !== 'import' && !this.#owners.has(binding.name)) this.#add([binding.name], [`var ${binding.name};`], []);
    }
    this.#connect();
  }

  /** The group that declares a top-level name (or `default`, if that has no name). */
  groupOf(name: string): number | undefined {
    return this.#owners.get(name === 'default' ? DEFAULT : name)?.group;
  }

  /** What the file exports, as imports of its groups and modules. */
  exports(): { name: string; specifier: string; from: string }[] {
    const out: { name: string; specifier: string; from: string }[] = [];
    const local = (name: string, exported: string): void => {
      const binding = this.#source.tree.scopes.root.bindings.get(name);
      if (binding?.kind === 'import') {
        const { specifier, name: from } = importOf(binding);
        out.push({ name: exported, specifier, from });
      } else if (this.groupOf(name) !== undefined) out.push({ name: exported, specifier: `#${this.groupOf(name) as number}`, from: name });
    };
    for (const node of children(this.#source.tree.program, 'body')) {
      const declaration = child(node, 'declaration');
      if (node.type === 'ExportDefaultDeclaration') local(nameOf(declaration && child(declaration, 'id')) || 'default', 'default');
      if (node.type !== 'ExportNamedDeclaration') continue;
      const source = child(node, 'source');
      for (const piece of this.#pieces)
        if (declaration && piece.nodes.some((one) => one.start >= declaration.start && one.end <= declaration.end))
          for (const name of piece.names) local(name, name);
      for (const one of children(node, 'specifiers')) {
        if (source) out.push({ name: nameOf(child(one, 'exported')), specifier: nameOf(source), from: nameOf(child(one, 'local')) });
        else local(nameOf(child(one, 'local')), nameOf(child(one, 'exported')));
      }
    }
    return out;
  }

  /** The module that holds one group. */
  group(index: number): Slice {
    const pieces = this.#groups[index] as Piece[];
    const bindings = this.#source.tree.scopes.root.bindings;
    const getters = pieces.flatMap((piece) =>
      piece.names.map((name) => {
        if (name === DEFAULT) return `default:()=>${this.#anonymous}`;
        const written = bindings.get(name)?.written && bindings.get(name)?.kind !== 'const';
        return written ? `${key(name)}:[()=>${name},$v=>${name}=$v]` : `${key(name)}:()=>${name}`;
      }),
    );
    return this.#slice(
      index,
      pieces.flatMap((piece) => [...piece.parts, '\n']),
      pieces.flatMap((piece) => piece.nodes),
      `$mitos.e({${getters.join()}});`,
    );
  }

  /** A module whose default export is one function expression of the file. */
  inline(fn: Syntax): Slice {
    return this.#slice(-1, ['const $default=[', ...functionParts(this.#source, fn), '][0];'], [fn], '$mitos.e({default:()=>$default});');
  }

  #slice(self: number, parts: Part[], nodes: Syntax[], exports: string): Slice {
    const { code, kind, tree, isMixed } = this.#source;
    const patch = new Patch(code);
    const namespaces = new Namespaces(code);
    const substitute = ({ binding, name }: Reference): string | undefined => {
      if (!binding) return name === 'babelHelpers' ? member(namespaces.of(HELPERS_SPECIFIER), 'default') : undefined;
      if (binding.kind === 'import') return importedAs(namespaces, binding);
      const group = binding.scope === tree.scopes.root ? this.groupOf(binding.name) : undefined;
      return group === undefined || group === self ? undefined : member(namespaces.of(`#${group}`), binding.name);
    };
    // Groups are evaluated in the order they are asked for: as their declarations stand in the file.
    for (const group of this.#reached(nodes, self)) namespaces.of(`#${group}`);
    for (const node of nodes) rewriteNames(patch, tree.scopes, node.start, node.end, substitute);
    const common = kind === 'cjs' || isMixed ? nodes.map((node) => declareCommon(tree.scopes, node.start, node.end)).join('') : '';
    const strict = kind === 'esm' || children(tree.program, 'body')[0]?.['directive'] === 'use strict';
    const prefix = `${strict ? '"use strict";' : ''}${namespaces.declare()}${exports}${common}yield;`;
    return {
      patched: patch.build([prefix, ...parts]),
      specifiers: namespaces.specifiers,
      requires: common.includes('require=') ? requiresIn(this.#source, nodes) : [],
      isAsync: nodes.some(hasAwait),
    };
  }

  #reached(nodes: readonly Syntax[], self: number): number[] {
    const groups = new Set<number>();
    for (const { node, binding } of this.#source.tree.scopes.references) {
      if (
        !binding ||
        binding.scope !== this.#source.tree.scopes.root ||
        !nodes.some((one) => node.start >= one.start && node.end <= one.end)
      )
        continue;
      const group = this.groupOf(binding.name);
      if (group !== undefined && group !== self) groups.add(group);
    }
    const first = (group: number): number => this.#pieces.findIndex((piece) => piece.group === group);
    return [...groups].sort((a, b) => first(a) - first(b));
  }

  // ---- cutting ------------------------------------------------------------------------------------------------------------------------

  #add(names: string[], parts: Part[], nodes: Syntax[]): void {
    const piece: Piece = { names, parts, nodes, group: -1 };
    this.#pieces.push(piece);
    for (const name of names) this.#owners.set(name, piece);
  }

  #statement(node: Syntax): void {
    if (node.type === 'ExportNamedDeclaration') {
      const declaration = child(node, 'declaration');
      if (declaration) this.#statement(declaration);
    } else if (node.type === 'ExportDefaultDeclaration') this.#default(child(node, 'declaration') as Syntax);
    else if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration')
      this.#add([nameOf(child(node, 'id'))], [[node.start, node.end]], [node]);
    else if (node.type === 'VariableDeclaration') this.#variables(node);
    else if (node.type === 'ExpressionStatement') this.#completion(node);
  }

  #variables(node: Syntax): void {
    const kind = String(node['kind']);
    for (const declarator of children(node, 'declarations')) {
      const names = [...this.#source.tree.scopes.root.bindings.values()]
        .filter((binding) => binding.node === declarator)
        .map((binding) => binding.name);
      this.#add(names, [`${/using/.test(kind) ? 'const' : kind} `, [declarator.start, declarator.end], ';'], [declarator]);
    }
  }

  #default(declaration: Syntax): void {
    const id = child(declaration, 'id');
    if (id && declaration.type.endsWith('Declaration'))
      return this.#add([nameOf(id)], [[declaration.start, declaration.end]], [declaration]);
    const range = [declaration.start, declaration.end] as const;
    if (declaration.type === 'FunctionDeclaration') {
      const paren = parenOf(this.#source.code, declaration);
      return this.#add([DEFAULT], [[declaration.start, paren], ` ${this.#anonymous}`, [paren, declaration.end]], [declaration]);
    }
    const named = isAnonymous(declaration);
    return this.#add(
      [DEFAULT],
      [`const ${this.#anonymous}=${named ? '{default:' : ''}`, range, `${named ? '}.default' : ''};`],
      [declaration],
    );
  }

  /** Statements that a compiler writes after a declaration to complete it. */
  #completion(node: Syntax): void {
    const owner = completed(unwrap(child(node, 'expression')));
    const piece = owner === undefined ? undefined : this.#owners.get(owner);
    if (!piece) return;
    piece.parts.push('\n', [node.start, node.end], ';');
    piece.nodes.push(node);
  }

  // ---- grouping -----------------------------------------------------------------------------------------------------------------------

  /** Pieces that need each other, directly or in a circle, become one group, in source order: their order of evaluation stays the file's. */
  #connect(): void {
    const { references, root } = this.#source.tree.scopes;
    const needs = new Map<Piece, Set<Piece>>(this.#pieces.map((piece) => [piece, new Set<Piece>()]));
    const ranges = this.#pieces
      .flatMap((piece) => piece.nodes.map((node) => ({ piece, node })))
      .sort((a, b) => a.node.start - b.node.start);
    let at = 0;
    for (const { node, binding } of references) {
      while (at < ranges.length - 1 && (ranges[at]?.node.end ?? 0) <= node.start) at++;
      const range = ranges[at];
      if (!range || binding?.scope !== root || node.start < range.node.start || node.end > range.node.end) continue;
      const target = this.#owners.get(binding.name);
      if (target) needs.get(range.piece)?.add(target);
    }
    for (const group of components(this.#pieces, needs)) {
      group.sort((a, b) => this.#pieces.indexOf(a) - this.#pieces.indexOf(b));
      for (const piece of group) piece.group = this.#groups.length;
      this.#groups.push(group);
    }
  }
}

/** Strongly connected components (Tarjan), without recursion into deep call stacks being a concern: a file's declarations are few. */
function components<T>(nodes: readonly T[], edges: ReadonlyMap<T, ReadonlySet<T>>): T[][] {
  const out: T[][] = [];
  const index = new Map<T, number>();
  const low = new Map<T, number>();
  const stack: T[] = [];
  const on = new Set<T>();
  const visit = (node: T): number => {
    const mine = index.size;
    index.set(node, mine);
    low.set(node, mine);
    stack.push(node);
    on.add(node);
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) low.set(node, Math.min(low.get(node) as number, visit(next)));
      else if (on.has(next)) low.set(node, Math.min(low.get(node) as number, index.get(next) as number));
    }
    if (low.get(node) === mine) {
      const group = stack.splice(stack.indexOf(node));
      for (const one of group) on.delete(one);
      out.push(group);
    }
    return low.get(node) as number;
  };
  for (const node of nodes) if (!index.has(node)) visit(node);
  return out;
}

/** The name of the declaration that an expression completes, if it is of a form that compilers write. */
export function completed(expression: Syntax | undefined): string | undefined {
  if (expression?.type === 'AssignmentExpression') {
    const left = child(expression, 'left') as Syntax;
    const right = unwrap(child(expression, 'right'));
    // X = __decorate([…], X)
    if (left.type === 'Identifier' && right?.type === 'CallExpression' && isDecorate(child(right, 'callee'))) return nameOf(left);
    return undefined;
  }
  if (expression?.type !== 'CallExpression') return undefined;
  const callee = unwrap(child(expression, 'callee'));
  const list = children(expression, 'arguments');
  // __decorate([…], X.prototype, "name", …)
  if (isDecorate(callee)) {
    let target = unwrap(list[1]);
    while (target?.type === 'MemberExpression') target = child(target, 'object');
    return nameOf(target) || undefined;
  }
  // (function (X) {…})(X || (X = {}))
  const argument = unwrap(list[0]);
  if (
    list.length !== 1 ||
    argument?.type !== 'LogicalExpression' ||
    (callee?.type !== 'FunctionExpression' && callee?.type !== 'ArrowFunctionExpression')
  )
    return undefined;
  const left = child(argument, 'left');
  const assigned = unwrap(child(argument, 'right'));
  return left?.type === 'Identifier' && assigned?.type === 'AssignmentExpression' && nameOf(child(assigned, 'left')) === nameOf(left)
    ? nameOf(left)
    : undefined;
}

function isDecorate(callee: Syntax | undefined): boolean {
  const name = callee?.type === 'MemberExpression' ? nameOf(child(callee, 'property')) : nameOf(callee);
  return name === '__decorate' || name === 'decorate' || name === '_decorate';
}

function requiresIn(source: Source, nodes: readonly Syntax[]): string[] {
  const out = new Set<string>();
  for (const { name, binding, node } of source.tree.scopes.references) {
    if (
      name !== 'require' ||
      binding ||
      node.parent?.type !== 'CallExpression' ||
      !nodes.some((one) => node.start >= one.start && node.end <= one.end)
    )
      continue;
    const argument = children(node.parent, 'arguments')[0];
    if (argument?.type === 'Literal' && typeof argument['value'] === 'string') out.add(argument['value']);
  }
  return [...out];
}

/** A function as an expression that stands alone: methods get an object around them. */
export function functionParts(source: Source, fn: Syntax): Part[] {
  const holder = fn.parent;
  const range = [fn.start, fn.end] as const;
  const isMethod =
    holder !== undefined && child(holder, 'value') === fn && (holder['method'] === true || holder.type === 'MethodDefinition');
  if (!isMethod) return ['(', range, ')'];
  const name = holder['computed'] ? 'method' : nameOf(child(holder, 'key'));
  const modifiers = `${fn['async'] ? 'async ' : ''}${fn['generator'] ? '*' : ''}`;
  return [`({${modifiers}${key(name)}`, [parenOf(source.code, fn), fn.end], `})[${ascii(name)}]`];
}
