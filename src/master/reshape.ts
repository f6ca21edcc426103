/**
 * Other texts for the same module: smaller, or for an older Node. A tool of the trade gets the code inside of a function like the one that the
 * importer puts around it, and the code is cut out of what comes back. Positions are computed only when a stack has to be mapped, by
 * doing it again with a source map.
 */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { ModuleKind } from '../core/module-batch.ts';
import { Lines, type Patched } from './patch.ts';

/** Makes another text of a text; always the same of the same. Throws what it cannot read. */
export type Tool = (text: string, withMap: boolean) => { code: string; map?: unknown };

/** What is to be reshaped. */
export interface Form {
  kind: ModuleKind;
  isAsync: boolean;
  /** May be made only when it is asked for. */
  readonly code: string;
}

const OUTER = '$mitos$0';
const INNER = '$mitos$1';
/** The names that the importer gives. Something that looks like an `eval` keeps tools from renaming them. */
const HEAD = `(function ${OUTER}(exports,require,module,__filename,__dirname,$mitos){eval();(`;

/** What stands before the code of a module while a tool is at work. */
export function headOf(kind: ModuleKind, isAsync: boolean): string {
  if (kind === 'inline') return `${HEAD}function ${INNER}(){return(`;
  return `${HEAD}${isAsync ? 'async ' : ''}function${kind === 'esm' ? '*' : ''} ${INNER}(){`;
}

function tailOf({ kind }: Form): string {
  return kind === 'inline' ? '\n)})})' : '\n})})';
}

/** Runs a form through tools, one after the other; `known` is what that gave before. */
export function reshape(form: Form, tools: readonly Tool[], known?: string): Patched {
  let trace: ((offset: number) => number) | undefined;
  return {
    code: known ?? codeOf(form, tools),
    toOriginal(offset) {
      trace ??= tracer(form, tools);
      return trace(offset);
    },
  };
}

function codeOf(form: Form, tools: readonly Tool[]): string {
  const text = tools.reduce((code, tool) => tool(code, false).code, wrap(form));
  const { prefix, start, end, suffix } = cut(form, text);
  return prefix + text.slice(start, end) + suffix;
}

function wrap(form: Form): string {
  return headOf(form.kind, form.isAsync) + form.code + tailOf(form);
}

/** The code of the module within the text around it. Helpers that a tool has put in front of all come along. */
function cut(form: Form, text: string): { prefix: string; start: number; end: number; suffix: string } {
  const outer = /(?:\(|__name\d*\(|\/\* @__PURE__ \*\/|\s)+function ?\$mitos\$0\(/.exec(text);
  const start = text.indexOf('{', text.indexOf(`${INNER}(`)) + 1;
  const end = text.lastIndexOf('}', text.lastIndexOf('}') - 1);
  if (!outer || start <= outer.index || end < start) throw new SyntaxError('the text of the module is not found in what was made of it');
  const helpers = text.slice(0, outer.index).trim().replace(/;?$/, ';');
  const isStrict = /^\s*["'`]use strict["'`]/.test(text.slice(start, start + 100));
  const before = helpers === ';' ? '' : (isStrict ? '"use strict";' : '') + helpers;
  return form.kind === 'inline' ? { prefix: `(()=>{${before}`, start, end, suffix: '})()' } : { prefix: before, start, end, suffix: '' };
}

/** From offsets in what the tools made to offsets in the form. */
function tracer(form: Form, tools: readonly Tool[]): (offset: number) => number {
  const steps: { to: Lines; from: Lines; map: TraceMap }[] = [];
  let last = wrap(form);
  for (const tool of tools) {
    const { code, map } = tool(last, true);
    steps.unshift({ from: new Lines(code), to: new Lines(last), map: new TraceMap(map as ConstructorParameters<typeof TraceMap>[0]) });
    last = code;
  }
  const head = headOf(form.kind, form.isAsync).length;
  const { prefix, start, end } = cut(form, last);
  return (offset) => {
    let at = Math.min(Math.max(offset - prefix.length, 0) + start, end);
    for (const { from, to, map } of steps) {
      const { line, column } = from.position(at);
      const found = originalPositionFor(map, { line: line + 1, column });
      if (found.line !== null) at = to.offset(found.line - 1, found.column);
    }
    return Math.min(Math.max(at - head, 0), form.code.length);
  };
}

/** A reshaped form of a form that was itself made of something. */
export function through(shaped: Patched, form: Pick<Patched, 'toOriginal'>): Patched {
  return { code: shaped.code, toOriginal: (offset) => form.toOriginal(shaped.toOriginal(offset)) };
}
