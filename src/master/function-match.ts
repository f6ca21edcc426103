/**
 * From a function's place in the text that V8 loaded to its node in our own text. They are the same text for plain JavaScript; under tsx, vitest or
 * Node's type stripping they are two translations of one original, and the function is found through that.
 */
import { originalPositionFor } from '@jridgewell/trace-mapping';
import type { ModuleDef } from '../core/module-batch.ts';
import { parenOf } from './module-form.ts';
import { Lines } from './patch.ts';
import { analyse } from './scope.ts';
import { readSourceMap, type Source } from './source.ts';
import { langOf } from './strip.ts';
import { child, children, linkParents, parse, type Syntax } from './syntax.ts';

/** The offset where V8 says that a function begins. */
export function v8Start(code: string, fn: Syntax): number {
  return fn.type === 'ArrowFunctionExpression' ? fn.start : parenOf(code, fn);
}

/** Finds the function of `source` that stands at an offset of its code, as V8 counts. */
export function functionAt(source: Source, offset: number): Syntax | undefined {
  return source.tree.scopes.functions.find((fn) => v8Start(source.code, fn) === offset);
}

interface Anchors {
  arrow: boolean;
  async: boolean;
  generator: boolean;
  params: number;
  start: number;
  body: number;
}

function anchors(fn: Syntax): Anchors {
  const holder = fn.parent;
  const method = holder && child(holder, 'value') === fn ? child(holder, 'key') : undefined;
  return {
    arrow: fn.type === 'ArrowFunctionExpression',
    async: fn['async'] === true,
    generator: fn['generator'] === true,
    params: children(fn, 'params').filter((one) => one['name'] !== 'this').length,
    start: method?.start ?? fn.start,
    body: child(fn, 'body')?.start ?? fn.end,
  };
}

/** Functions of the original text, TypeScript included. */
function originals(source: Source): Anchors[] {
  const { program } = parse(source.path, source.text, langOf(source.path), 'unambiguous');
  linkParents(program);
  return analyse(program)
    .functions.filter((fn) => child(fn, 'body'))
    .map(anchors);
}

function nearest(of: Anchors, to: (offset: number) => number, list: readonly Anchors[]): { found: Anchors; distance: number } | undefined {
  const start = to(of.start);
  const body = to(of.body);
  let best: Anchors | undefined;
  let least = Infinity;
  for (const one of list) {
    if (one.arrow !== of.arrow || one.async !== of.async || one.generator !== of.generator || one.params !== of.params) continue;
    const distance = Math.abs(one.start - start) + Math.abs(one.body - body);
    if (distance < least) {
      least = distance;
      best = one;
    }
  }
  return best && { found: best, distance: least };
}

/**
 * Finds the function of `source` that stands at an offset of a text which tools have made of it, as V8 counts: positions in such a text lead back
 * to the nearest word only, so it is the one that is most alike and nearest.
 */
export function functionFrom(source: Source, shipped: ModuleDef, offset: number, toSource: (offset: number) => number): Syntax | undefined {
  const isInline = shipped.kind === 'inline';
  const head = isInline ? '(' : `(${shipped.async ? 'async ' : ''}function${shipped.kind === 'esm' ? '*' : ''}(){`;
  const text = `${head}${shipped.code}\n${isInline ? ')' : '})'}`;
  const { program } = parse('shipped.cjs', text, 'js', 'commonjs');
  linkParents(program);
  const fn = analyse(program).functions.find((one) => v8Start(text, one) === offset + head.length);
  if (!fn) return undefined;
  const own = new Map(source.tree.scopes.functions.map((one) => [anchors(one), one]));
  const best = nearest(anchors(fn), (at) => toSource(at - head.length), [...own.keys()]);
  return best && own.get(best.found);
}

const matched = new WeakMap<Source, { list: Anchors[]; own: Map<Anchors, Syntax> }>();

function ownFunctions(source: Source): { list: Anchors[]; own: Map<Anchors, Syntax> } {
  let there = matched.get(source);
  if (!there) {
    const list = originals(source);
    const own = new Map<Anchors, Syntax>();
    const distances = new Map<Anchors, number>();
    for (const fn of source.tree.scopes.functions) {
      const best = nearest(anchors(fn), (offset) => source.toText(offset), list);
      // Functions that only the translation has (an enum's) are farther from any original than its own translation.
      if (!best || best.distance >= (distances.get(best.found) ?? Infinity)) continue;
      distances.set(best.found, best.distance);
      own.set(best.found, fn);
    }
    matched.set(source, (there = { list, own }));
  }
  return there;
}

interface LoadedText {
  code: string;
  functions: Map<number, Syntax>;
  lines: Lines;
  toText(offset: number): number;
}

const texts = new WeakMap<Source, Map<string, LoadedText>>();

function readLoaded(source: Source, code: string): LoadedText {
  let known = texts.get(source);
  if (!known) texts.set(source, (known = new Map()));
  let loaded = known.get(code);
  if (!loaded) {
    const { program } = parse('loaded.js', code, 'js', 'unambiguous');
    linkParents(program);
    const map = readSourceMap(code, source.path);
    const lines = new Lines(code);
    const original = new Lines(source.text);
    const toText = (offset: number): number => {
      if (!map) return offset;
      const { line, column } = lines.position(offset);
      const found = originalPositionFor(map.trace, { line: line + 1, column });
      return found.line === null ? -1e9 : original.offset(found.line - 1, found.column);
    };
    loaded = { code, lines, toText, functions: new Map(analyse(program).functions.map((fn) => [v8Start(code, fn), fn])) };
    known.set(code, loaded);
  }
  return loaded;
}

/**
 * Finds the node in `source` of the function that V8 loaded at a line and column (from 0) of the text `code`. Undefined if the two texts have
 * nothing to do with each other.
 */
export function matchFunction(source: Source, code: string, line: number, column: number): Syntax | undefined {
  if (code === source.code) return functionAt(source, source.lines.offset(line, column));
  const loaded = readLoaded(source, code);
  const fn = loaded.functions.get(loaded.lines.offset(line, column));
  if (!fn) return undefined;
  const { list, own } = ownFunctions(source);
  const best = nearest(anchors(fn), loaded.toText, list);
  return best && own.get(best.found);
}
