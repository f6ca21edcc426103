/** Whole files in the form that the importer evaluates. */
import { Patch, type Patched } from './patch.ts';
import { ascii, declareCommon, importOf, key, member, Namespaces, rewriteNames } from './rewrite.ts';
import { type Binding, findShallow } from './scope.ts';
import type { Source } from './source.ts';
import { HELPERS_SPECIFIER, needsStrip } from './strip.ts';
import { child, children, isFunctionNode, nameOf, type Syntax, unwrap } from './syntax.ts';

/** A file as it is shipped. */
export interface Form {
  patched: Patched;
  /** Specifiers of static imports. */
  specifiers: string[];
  isAsync: boolean;
  /** The namespaces by which code that is evaluated in its scope refers to its imports. */
  namespaces: Namespaces;
  /** Export name by local name. */
  exported: Map<string, string>;
  /** Evaluates text in the scope of the module. */
  hasHook: boolean;
}

/** What has to be known of a form to link its module. */
export function linksOf({ specifiers, isAsync, patched }: Form): { specifiers: string[]; isAsync: boolean; hasHelpers: boolean } {
  return { specifiers, isAsync, hasHelpers: patched.code.includes(HELPERS_SPECIFIER) };
}

/** True for `await` at the level of `node` itself. */
export function hasAwait(node: Syntax): boolean {
  if (isFunctionNode(node)) return false;
  return findShallow(
    node,
    (one) =>
      one.type === 'AwaitExpression' ||
      (one.type === 'ForOfStatement' && one['await'] === true) ||
      (one.type === 'VariableDeclaration' && one['kind'] === 'await using'),
  );
}

/** The substitute of an import binding. */
export function importedAs(namespaces: Namespaces, binding: Binding): string {
  const { specifier, name } = importOf(binding);
  const namespace = namespaces.of(specifier);
  return name === '*' ? namespace : member(namespace, name);
}

/** True for expressions whose functions or classes take the name of what they are assigned to. */
export function isAnonymous(node: Syntax | undefined): boolean {
  const inner = unwrap(node);
  return inner !== undefined && (inner.type === 'ArrowFunctionExpression' || (/^(Function|Class)/.test(inner.type) && !child(inner, 'id')));
}

class EsmForm {
  readonly #source: Source;
  readonly #patch: Patch;
  readonly #namespaces: Namespaces;
  readonly #getters: string[] = [];
  readonly #aliases: string[] = [];
  readonly #stars: string[] = [];
  readonly #exported = new Map<string, string>();
  #default = '$default';
  #extra = '';

  constructor(source: Source) {
    this.#source = source;
    this.#patch = new Patch(source.code);
    this.#namespaces = new Namespaces(source.code);
    while (source.code.includes(this.#default)) this.#default += '_';
  }

  build(): Form {
    const { code, tree, hasHook, isMixed } = this.#source;
    const { program, scopes } = tree;
    for (const node of children(program, 'body')) this.#statement(node);
    rewriteNames(this.#patch, scopes, 0, code.length, ({ binding, name }) => {
      if (binding) return binding.kind === 'import' ? importedAs(this.#namespaces, binding) : undefined;
      return name === 'babelHelpers' ? member(this.#namespaces.of(HELPERS_SPECIFIER), 'default') : undefined;
    });
    const aliases = this.#aliases.length ? `,{${this.#aliases.join()}}` : '';
    const prefix = [
      '"use strict";',
      this.#namespaces.declare(),
      ...this.#stars.map((specifier) => `$mitos.s(${ascii(specifier)});`),
      this.#getters.length || aliases ? `$mitos.e({${this.#getters.join()}}${aliases});` : '',
      hasHook ? '$mitos.h=e=>eval(e);' : '',
      isMixed ? declareCommon(scopes, 0, code.length) : '',
      this.#extra,
      'yield;',
    ].join('');
    if (code.startsWith('#!')) this.#patch.replace(0, 2, '//');
    showImports(this.#patch, code);
    return {
      patched: this.#patch.build([prefix, [0, code.length]]),
      specifiers: this.#namespaces.specifiers,
      isAsync: hasAwait(program),
      namespaces: this.#namespaces,
      exported: this.#exported,
      hasHook,
    };
  }

  #remove(node: Syntax): void {
    this.#patch.replace(node.start, node.end, ';');
  }

  #export(exported: string, local: string): void {
    this.#getters.push(`${key(exported)}:()=>${local}`);
    if (!this.#exported.has(local)) this.#exported.set(local, exported);
  }

  #statement(node: Syntax): void {
    switch (node.type) {
      case 'ImportDeclaration':
        this.#namespaces.of(nameOf(child(node, 'source')));
        return this.#remove(node);
      case 'ExportAllDeclaration': {
        const specifier = nameOf(child(node, 'source'));
        const exported = child(node, 'exported');
        const namespace = this.#namespaces.of(specifier);
        if (exported) this.#getters.push(`${key(nameOf(exported))}:()=>${namespace}`);
        else this.#stars.push(specifier);
        return this.#remove(node);
      }
      case 'ExportNamedDeclaration':
        return this.#named(node);
      case 'ExportDefaultDeclaration':
        return this.#defaultExport(node);
      default:
    }
  }

  #named(node: Syntax): void {
    const declaration = child(node, 'declaration');
    if (declaration) {
      this.#patch.replace(node.start, declaration.start, '');
      for (const binding of this.#source.tree.scopes.root.bindings.values()) {
        if (binding.node.start >= declaration.start && binding.node.end <= declaration.end) this.#export(binding.name, binding.name);
      }
      return;
    }
    const from = child(node, 'source');
    if (from) this.#namespaces.of(nameOf(from));
    for (const one of children(node, 'specifiers')) {
      const exported = nameOf(child(one, 'exported'));
      const local = nameOf(child(one, 'local'));
      const binding = from ? undefined : this.#source.tree.scopes.root.bindings.get(local);
      const source = from ? { specifier: nameOf(from), name: local } : binding?.kind === 'import' ? importOf(binding) : undefined;
      if (!source) this.#export(exported, local);
      else if (source.name === '*') this.#getters.push(`${key(exported)}:()=>${this.#namespaces.of(source.specifier)}`);
      else this.#aliases.push(`${key(exported)}:[${ascii(source.specifier)},${ascii(source.name)}]`);
    }
    this.#remove(node);
  }

  #defaultExport(node: Syntax): void {
    const declaration = child(node, 'declaration') as Syntax;
    const id = child(declaration, 'id');
    const isDeclaration = declaration.type.endsWith('Declaration');
    if (isDeclaration && id) {
      this.#patch.replace(node.start, declaration.start, '');
      return this.#export('default', nameOf(id));
    }
    this.#export('default', this.#default);
    if (declaration.type === 'FunctionDeclaration') {
      this.#patch.replace(node.start, declaration.start, '');
      const paren = parenOf(this.#source.code, declaration);
      this.#patch.replace(paren, paren, ` ${this.#default}`);
      this.#extra += `Object.defineProperty(${this.#default},"name",{value:"default",configurable:true});`;
      return;
    }
    const named = isAnonymous(declaration);
    this.#patch.replace(node.start, declaration.start, `const ${this.#default}=${named ? '{default:' : ''}`);
    this.#patch.replace(declaration.end, node.end, `${named ? '}.default' : ''};`);
  }
}

/** The offset of the "(" that opens the parameters: where V8 says a function that is no arrow function begins. */
export function parenOf(code: string, fn: Syntax): number {
  const id = child(fn, 'id');
  let at = id ? id.end : fn.start;
  for (;;) {
    if (code.startsWith('/*', at)) at = code.indexOf('*/', at) + 2;
    else if (code.startsWith('//', at)) at = code.indexOf('\n', at) + 1;
    else if (code[at] === '(' || at >= fn.end) return at;
    else at++;
  }
}

/** How transpilers hide `import()` from themselves: a function made of a text, which has no module around it and so nothing to import from. */
const HIDDEN_IMPORT =
  /(?:\bnew\s+)?\bFunction\(\s*(?:(["'`])(\w+)\1\s*,\s*(["'`])\s*return import\(\s*\2\s*\);?\s*\3\s*\)|(["'`])return (\w+) => import\(\5\);?\4\)\(\))/g;

function showImports(patch: Patch, code: string): void {
  if (!code.includes('Function(')) return;
  for (const { index, 0: text } of code.matchAll(HIDDEN_IMPORT)) patch.replace(index, index + text.length, '(one=>$mitos.d(one))');
}

/** An ES module as a generator body. */
export function esmForm(source: Source): Form {
  return new EsmForm(source).build();
}

/** The exports of a main script, each from the slice that declares it. */
export function facadeForm(exports: readonly { name: string; specifier: string; from: string }[]): { code: string; specifiers: string[] } {
  const namespaces = new Namespaces('');
  const aliases: string[] = [];
  const getters: string[] = [];
  for (const { name, specifier, from } of exports) {
    const namespace = namespaces.of(specifier);
    if (from === '*') getters.push(`${key(name)}:()=>${namespace}`);
    else aliases.push(`${key(name)}:[${ascii(specifier)},${ascii(from)}]`);
  }
  const code = `"use strict";${namespaces.declare()}$mitos.e({${getters.join()}},{${aliases.join()}});yield;`;
  return { code, specifiers: namespaces.specifiers };
}

/** A CommonJS module: as it is, but for `import()` and the hook. */
export function cjsForm(source: Source): Form {
  const { code, hasHook } = source;
  const patch = new Patch(code);
  const namespaces = new Namespaces('');
  if (code.startsWith('#!')) patch.replace(0, 2, '//');
  const hasHelpers = needsStrip(source.path) && code.includes('babelHelpers');
  let start = '';
  showImports(patch, code);
  const mayImport = /\bimport\s*(?:\(|\/)/.test(code);
  if (mayImport && !hasHook && !hasHelpers) {
    for (const at of source.parsed.importCalls) patch.replace(at, at + 6, '$mitos.d');
    source.release();
  } else if (hasHook || hasHelpers || mayImport) {
    const { program, scopes } = source.tree;
    rewriteNames(patch, scopes, 0, code.length, ({ binding, name }) =>
      !binding && name === 'babelHelpers' ? `require("${HELPERS_SPECIFIER}")` : undefined,
    );
    let at = 0;
    for (const one of children(program, 'body')) {
      if (one.type !== 'ExpressionStatement' || typeof one['directive'] !== 'string') break;
      at = one.end;
    }
    const hook = hasHook ? '$mitos.h=e=>eval(e);' : '';
    if (at && hook) patch.replace(at, at, `;${hook}`);
    else start = hook;
  }
  return { patched: patch.build([start, [0, code.length]]), specifiers: [], isAsync: false, namespaces, exported: new Map(), hasHook };
}
