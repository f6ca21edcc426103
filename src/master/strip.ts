/** TypeScript and JSX to the JavaScript that Node runs, with the way back to the original text. */

import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { HelperMode } from 'oxc-transform';
import { ModuleError } from '../core/errors.ts';
import { esbuild } from './esbuild.ts';
import { onNeed } from './on-need.ts';
import { Lines } from './patch.ts';
import { children, type Lang, parse, type Syntax } from './syntax.ts';
import { type TsOptions, tsOptionsFor } from './tsconfig-options.ts';

const oxc = onNeed<typeof import('oxc-transform')>('oxc-transform');

/** JavaScript made of another text. */
export interface Stripped {
  code: string;
  /** Offset in `code` to offset in the text it was made of. */
  toText(offset: number): number;
}

/** The specifier under which lowered code reaches {@link HELPERS}. */
export const HELPERS_SPECIFIER = 'mitos:helpers';

/** What lowered decorators and `using` declarations call, as a CommonJS module: the same contract as `@oxc-project/runtime`. */
export const HELPERS = `exports.decorate=function(d,t,k,s){var c=arguments.length,r=c<3?t:s===null?s=Object.getOwnPropertyDescriptor(t,k):s,f;for(var i=d.length-1;i>=0;i--)if(f=d[i])r=(c<3?f(r):c>3?f(t,k,r):f(t,k))||r;if(c>3&&r)Object.defineProperty(t,k,r);return r};
exports.decorateParam=function(i,d){return function(t,k){d(t,k,i)}};
exports.decorateMetadata=function(k,v){if(typeof Reflect==="object"&&typeof Reflect.metadata==="function")return Reflect.metadata(k,v)};
exports.usingCtx=function(){var none={},stack=[],D=Symbol.dispose||Symbol.for("Symbol.dispose"),A=Symbol.asyncDispose||Symbol.for("Symbol.asyncDispose");
function use(isAwait,v){if(v!=null){if(Object(v)!==v)throw new TypeError("using declarations can only be used with objects, functions, null, or undefined.");
var f=isAwait?v[A]:undefined,sync;if(f===undefined){f=v[D];sync=isAwait}if(typeof f!=="function")throw new TypeError("Object is not disposable.");
stack.push({v:v,d:sync?function(){try{f.call(v)}catch(e){return Promise.reject(e)}}:f,a:isAwait})}else if(isAwait)stack.push({d:null,v:v,a:true});return v}
return{e:none,u:use.bind(null,false),a:use.bind(null,true),d:function(){var error=this.e,state=0,one;
function next(){while(one=stack.pop()){try{if(!one.a&&state===1){state=0;stack.push(one);return Promise.resolve().then(next)}
if(one.d){var r=one.d.call(one.v);if(one.a){state|=2;return Promise.resolve(r).then(next,fail)}}else state|=1}catch(e){return fail(e)}}
if(state===1)return error!==none?Promise.reject(error):Promise.resolve();if(error!==none)throw error}
function fail(e){if(error!==none){var s=new Error("An error was suppressed during disposal");s.name="SuppressedError";s.error=e;s.suppressed=error;error=s}else error=e;return next()}
return next()}}};`;

/** The language of a file, by its extension. */
export function langOf(path: string): Lang {
  const extension = /\.([cm]?[jt]sx?)$/.exec(path)?.[1] ?? 'js';
  return extension.endsWith('sx') ? (extension as Lang) : extension.includes('t') ? 'ts' : 'js';
}

/** True if `path` has to go through {@link strip}. */
export function needsStrip(path: string): boolean {
  return langOf(path) !== 'js';
}

/** Makes JavaScript of a TypeScript or JSX text. `isEntry` keeps top-level `using` declarations where they stand. */
export function strip(path: string, original: string, isEntry: boolean): Stripped {
  const options = tsOptionsFor(path);
  const lang = langOf(path);
  const text = isEntry && /\busing\b/.test(original) ? plainUsings(path, original, lang) : original;
  const decorated = !options.experimentalDecorators && (/^[^/*]*@[A-Za-z_(]/m.test(text) || /\baccessor\s+[\w#[]/.test(text));
  if (decorated && usesDecorators(path, text, lang)) return stripWithEsbuild(path, text, lang, options);
  const defines = options.useDefineForClassFields ?? !/^es(3|5|6|20(1\d|2[01]))$/i.test(options.target ?? 'esnext');
  const result = oxc().transformSync(path, text, {
    lang,
    sourceType: 'module',
    sourcemap: true,
    helpers: { mode: 'External' as HelperMode },
    ...(/\busing\b/.test(text) ? { target: 'es2025' } : {}),
    typescript: { removeClassFieldsWithoutInitializer: !defines, onlyRemoveTypeImports: options.verbatimModuleSyntax === true },
    assumptions: { setPublicClassFields: !defines },
    decorator: { legacy: options.experimentalDecorators === true, emitDecoratorMetadata: options.emitDecoratorMetadata === true },
    jsx: jsxOptions(options),
  });
  const error = result.errors.find((one) => one.severity === 'Error');
  if (error) throw syntaxError(path, text, error.labels[0]?.start ?? 0, error.message, error.codeframe ?? '');
  return { code: result.code, toText: tracer(result.map as object, result.code, text) };
}

function jsxOptions(options: TsOptions): object {
  const classic = options.jsx === undefined || /^(react|preserve|react-native)$/.test(options.jsx);
  return {
    runtime: classic && options.jsxImportSource === undefined ? 'classic' : 'automatic',
    development: options.jsx === 'react-jsxdev',
    ...(options.jsxFactory === undefined ? {} : { pragma: options.jsxFactory }),
    ...(options.jsxFragmentFactory === undefined ? {} : { pragmaFrag: options.jsxFragmentFactory }),
    ...(options.jsxImportSource === undefined ? {} : { importSource: options.jsxImportSource }),
  };
}

function tracer(map: object, code: string, text: string): (offset: number) => number {
  let ready: { trace: TraceMap; from: Lines; to: Lines } | undefined;
  return (offset) => {
    ready ??= { trace: new TraceMap(map as ConstructorParameters<typeof TraceMap>[0]), from: new Lines(code), to: new Lines(text) };
    const at = ready.from.position(offset);
    const found = originalPositionFor(ready.trace, { line: at.line + 1, column: at.column });
    return found.line === null ? 0 : ready.to.offset(found.line - 1, found.column);
  };
}

/** A module that cannot be parsed, with place and code frame. */
export function syntaxError(path: string, text: string, offset: number, message: string, codeframe: string): ModuleError {
  const { line, column } = new Lines(text).position(offset);
  const place = `${path}:${line + 1}:${column + 1}`;
  return new ModuleError(
    'ERR_MITOS_MODULE_SYNTAX',
    `Cannot parse ${place}: ${message}${codeframe ? `\n${codeframe.trimEnd().replace(`${path}.js`, path)}` : ''}`,
    {
      data: { place },
    },
  );
}

/** `using x` becomes `const x`, in the same number of characters: an entry's top level never ends, so nothing is disposed there. */
function plainUsings(path: string, text: string, lang: Lang): string {
  let out = text;
  for (const statement of children(parse(path, text, lang, 'module').program, 'body')) {
    const kind = statement.type === 'VariableDeclaration' ? String(statement['kind']) : '';
    if (!/using/.test(kind)) continue;
    const length = (/^(await\s+)?using/.exec(out.slice(statement.start)) as RegExpExecArray)[0].length;
    out = out.slice(0, statement.start) + 'const'.padEnd(length) + out.slice(statement.start + length);
  }
  return out;
}

function usesDecorators(path: string, text: string, lang: Lang): boolean {
  const stack = [parse(path, text, lang, 'module').program];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (node.type === 'Decorator' || node.type === 'AccessorProperty') return true;
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) stack.push(...(value as Syntax[]).filter((one) => typeof one?.type === 'string'));
      else if (typeof (value as Syntax | null)?.type === 'string') stack.push(value as Syntax);
    }
  }
  return false;
}

/** Standard decorators: oxc leaves them as they are, and no Node runs them; esbuild lowers them. */
function stripWithEsbuild(path: string, text: string, lang: Lang, options: TsOptions): Stripped {
  const { code, map } = esbuild().transformSync(text, {
    loader: lang,
    target: 'es2023',
    sourcemap: 'external',
    sourcefile: path,
    tsconfigRaw: { compilerOptions: options as object },
  });
  return { code, toText: tracer(JSON.parse(map) as object, code, text) };
}
