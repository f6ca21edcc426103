/** One source file: read once, stripped of types, parsed on demand. What has been shipped never changes, whatever happens to the file. */

import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { ModuleError } from '../core/errors.ts';
import { type ModuleCache, type Notes, plainNotes } from './module-cache.ts';
import { Lines } from './patch.ts';
import { analyse, type Scopes } from './scope.ts';
import { langOf, needsStrip, type Stripped, strip, syntaxError } from './strip.ts';
import { linkParents, type Parsed, parse, type Syntax } from './syntax.ts';

/** A place in the user's own file. Line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** The largest file that is read as a module. */
export const MAX_SOURCE_BYTES: number = 64 * 1024 * 1024;

/** Reads a regular file; never opens a FIFO, a device or a directory. `isFile`: what the system has just said of it. */
export function readSource(path: string, isFile: boolean = lstatSync(path).isFile()): string {
  const deny = (what: string): ModuleError => new ModuleError('ERR_MITOS_MODULE_DENIED', `Cannot serve ${path}: ${what}`);
  if (!isFile) throw deny('it is not a regular file');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw deny('it is not a regular file');
    if (stat.size > MAX_SOURCE_BYTES) throw deny(`it has ${stat.size} bytes, the limit is ${MAX_SOURCE_BYTES}`);
    return readFileSync(fd, 'utf8').replace(/^\uFEFF/, '');
  } finally {
    closeSync(fd);
  }
}

/** The directory of the nearest package.json, and what it says of `type`. */
export interface PackageScope {
  root: string;
  type: 'module' | 'commonjs' | undefined;
}

/** The packages that directories lie in. */
const scopes = new Map<string, PackageScope>();
/** Directories outside of any package, which stand for themselves. */
const outside = new Map<string, PackageScope>();

/** The package that a file belongs to; a file outside any package is its own directory's. */
export function packageOf(path: string): PackageScope {
  const directory = dirname(path);
  let scope = outside.get(directory) ?? scopeOf(directory);
  if (!scope) outside.set(directory, (scope = { root: directory, type: undefined }));
  return scope;
}

/** The package that a directory lies in. Its package.json, which may be large, is read once for all directories below. */
function scopeOf(directory: string): PackageScope | undefined {
  if (basename(directory) === 'node_modules') return undefined;
  const parent = dirname(directory);
  const scope = scopes.get(directory) ?? readScope(directory) ?? (parent === directory ? undefined : scopeOf(parent));
  if (scope) scopes.set(directory, scope);
  return scope;
}

function readScope(directory: string): PackageScope | undefined {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return undefined;
  try {
    const { type } = JSON.parse(readSource(file)) as { type?: unknown };
    return { root: directory, type: type === 'module' || type === 'commonjs' ? type : undefined };
  } catch {
    return { root: directory, type: undefined };
  }
}

/** One file of the program, or a text of ours that has no file. */
export class Source {
  /** Real path. */
  readonly path: string;
  readonly url: string;
  /** What stands in the file (or what V8 loaded of it). */
  readonly text: string;
  readonly kind: 'esm' | 'cjs' | 'json';
  /** Written by the user, not installed. */
  readonly isOwn: boolean;
  /** The program's main script or a test: its top level never runs elsewhere. */
  readonly isEntry: boolean;
  /** JavaScript, positions as in `program`. */
  readonly code: string;
  /** An ES module in a scope where CommonJS is the rule (TypeScript under tsx): `require` and friends may be used. */
  readonly isMixed: boolean;
  /** Shipped with a way to evaluate text in its scope, so that bindings that are not exported can be reached. */
  hasHook: boolean;
  /** What has been found out about it, in an earlier run maybe. */
  readonly notes: Notes;
  readonly #toText: Stripped['toText'];
  #parsed: Parsed | undefined;
  #tree: { program: Syntax; scopes: Scopes } | undefined;
  #lines: Lines | undefined;
  #textLines: Lines | undefined;
  #map: { trace: TraceMap; base: string } | undefined | null;

  constructor(path: string, text: string, isEntry: (code: string, source: Source) => boolean, notes: Notes = plainNotes()) {
    this.notes = notes;
    this.path = path;
    this.url = pathToFileURL(path).href;
    this.text = text;
    this.isOwn = !path.includes(`${sep}node_modules${sep}`);
    this.hasHook = this.isOwn;
    const extension = path.slice(path.lastIndexOf('.'));
    this.kind = 'json';
    this.code = text;
    this.#toText = (offset) => offset;
    this.isMixed = false;
    this.isEntry = false;
    if (extension === '.json') return;
    this.isEntry = isEntry(text, this);
    if (needsStrip(path)) ({ code: this.code, toText: this.#toText } = strip(path, text, this.isEntry));
    this.kind = kindByName(path, extension) ?? this.note('kind', () => this.#kindByText());
    this.isMixed = this.kind === 'esm' && (extension === '.cts' || (/^\.[jt]sx?$/.test(extension) && packageOf(path).type !== 'module'));
  }

  /** What `make` finds out about the text, once and for all runs: it must depend on nothing else. */
  note<T>(name: string, make: () => T): T {
    const known = this.notes.get(name);
    if (known !== undefined) return known as T;
    const made = make();
    this.notes.set(name, made);
    return made;
  }

  /** What the parser says of `code`. Throws `ERR_MITOS_MODULE_SYNTAX`. */
  get parsed(): Parsed {
    const parsed = this.#parsed ?? parse(`${this.path}.js`, this.code, 'js', this.kind === 'esm' ? 'module' : 'commonjs');
    const { error } = parsed;
    if (error)
      throw syntaxError(this.path, this.text, this.#toText(error.start), error.message, needsStrip(this.path) ? '' : error.codeframe);
    return (this.#parsed = parsed);
  }

  /** The syntax tree of `code`, its scopes analysed. Throws `ERR_MITOS_MODULE_SYNTAX`. */
  get tree(): { program: Syntax; scopes: Scopes } {
    if (!this.#tree) {
      const { program } = this.parsed;
      this.release();
      linkParents(program);
      this.#tree = { program, scopes: analyse(program) };
    }
    return this.#tree;
  }

  /** Lets go of what the parser said: of large files it takes much memory. */
  release(): void {
    this.#parsed = undefined;
  }

  /** Lines of `code`. */
  get lines(): Lines {
    this.#lines ??= new Lines(this.code);
    return this.#lines;
  }

  /** Offset in `code` to offset in `text`. */
  toText(offset: number): number {
    return this.#toText(offset);
  }

  /** The place in the user's own file that an offset in `code` stands for: through types stripped here, and the file's own source map. */
  placeOf(offset: number): Place {
    this.#textLines ??= new Lines(this.text);
    const { line, column } = this.#textLines.position(this.#toText(offset));
    const map = this.#sourceMap();
    const found = map && originalPositionFor(map.trace, { line: line + 1, column });
    if (!found?.source) return { file: this.path, line: line + 1, column: column + 1 };
    const source = found.source.startsWith('file:') ? fileURLToPath(found.source) : resolve(map?.base ?? '', found.source);
    return { file: source, line: found.line, column: found.column + 1 };
  }

  /** `file:line` of an offset, for messages. */
  describe(offset: number): string {
    const { file, line } = this.placeOf(offset);
    return `${file}:${line}`;
  }

  #kindByText(): 'esm' | 'cjs' {
    if (!MODULE_WORDS.test(this.code)) return 'cjs';
    const parsed = parse(`${this.path}.js`, this.code, 'js', 'unambiguous');
    if (!parsed.error) this.#parsed = parsed;
    return parsed.hasModuleSyntax ? 'esm' : 'cjs';
  }

  #sourceMap(): { trace: TraceMap; base: string } | undefined {
    if (this.#map === undefined) this.#map = langOf(this.path) === 'js' ? (readSourceMap(this.text, this.path) ?? null) : null;
    return this.#map ?? undefined;
  }
}

/** The source map that a text points to, inline or in a regular file beside it. */
export function readSourceMap(text: string, path: string): { trace: TraceMap; base: string } | undefined {
  const at = text.lastIndexOf('//# sourceMappingURL=');
  const url = at < 0 ? '' : (/^\S+/.exec(text.slice(at + 21))?.[0] ?? '');
  if (!url) return undefined;
  try {
    const inline = /^data:[^,]*?(;base64)?,/.exec(url);
    const file = resolve(dirname(path), decodeURIComponent(url));
    const json = inline
      ? Buffer.from(decodeURIComponent(url.slice(inline[0].length)), inline[1] ? 'base64' : 'utf8').toString()
      : readSource(file);
    return { trace: new TraceMap(json), base: inline ? dirname(path) : dirname(file) };
  } catch {
    return undefined;
  }
}

/** The notes on a file: those on an installed one are kept for the next run. */
export function notesOf(cache: ModuleCache, path: string, text: string): Notes {
  const extension = path.slice(path.lastIndexOf('.'));
  const isInstalled = path.includes(`${sep}node_modules${sep}`) && /^\.[cm]?js$/.test(extension);
  return isInstalled ? cache.open(text, `${extension} ${packageOf(path).type}`) : plainNotes();
}

/** Where a text may have module syntax: the parser, which knows, is asked only then. */
const MODULE_WORDS =
  /\bimport\.meta\b|(?:^|[;}]|\*\/)[ \t]*(?:\/\*.*?\*\/\s*)?(?:import\s*["'{*]|import\s+[\w$]|export\s*[{*]|export\s+[\w$])/m;

/** What name and package say; undefined where the text decides. */
function kindByName(path: string, extension: string): 'esm' | 'cjs' | undefined {
  if (extension === '.mjs' || extension === '.mts') return 'esm';
  if (extension === '.cjs') return 'cjs';
  const { type } = packageOf(path);
  if (type === 'module' && extension !== '.cts') return 'esm';
  if (type === 'commonjs' && extension === '.js') return 'cjs';
  return undefined;
}
