/**
 * Errors for what a context's Node has not: which part of Node it is, which version has it. What V8 says (`x.at is not a function`) tells a name and seldom the
 * object; the line of the program tells more. Nothing is claimed that the words leave open: what only may be so is said to be.
 */
import { API_VERSIONS } from './api-versions-data.ts';

/** The place in the program where an error was thrown, if it is known here. */
export interface ThrownAt {
  /** The text of the file, without types. */
  text: string;
  /** Where in it. */
  offset: number;
}

/** Since which versions there is something, newest first (older ones hold within their own major), and until which. */
interface Span {
  since: readonly string[];
  until: string | undefined;
}

interface Table {
  /** By full name: `structuredClone`, `Array.prototype.at`, `node:fs.cp`, `node:test`. */
  spans: ReadonlyMap<string, Span>;
  /** Full names by the last part of them. */
  byLast: ReadonlyMap<string, readonly string[]>;
}

let table: Table | undefined;

function loadTable(): Table {
  if (table) return table;
  const spans = new Map<string, Span>();
  const byLast = new Map<string, string[]>();
  for (const [key, names] of Object.entries(API_VERSIONS)) {
    const parts = key.split(' ');
    const until = parts.find((part) => part.startsWith('-'))?.slice(1);
    const span: Span = { since: parts.filter((part) => !part.startsWith('-')), until };
    for (const name of names.split(' ')) {
      spans.set(name, span);
      const last = lastOf(name);
      byLast.set(last, [...(byLast.get(last) ?? []), name]);
    }
  }
  return (table = { spans, byLast });
}

/** Whether a version of Node has something of the table; undefined for what is not in it: every Node has it, or none. */
export function isInNode(name: string, version: string): boolean | undefined {
  const span = loadTable().spans.get(name);
  return span && has(span, version);
}

/** All names of the table. */
export function apiNames(): string[] {
  return [...loadTable().spans.keys()];
}

/**
 * What to do about an error of a context that runs `node`: names what that Node has not and which has it. Undefined when the error does not look like that, or
 * when that Node has it.
 */
export function adviceForMissingApi(error: unknown, node: string, at?: ThrownAt): string | undefined {
  if (!(error instanceof Error) || !/^v?\d+\./.test(node)) return undefined;
  const version = node.replace(/^v/, '');
  const message = error.message.slice(0, 1000);
  return (
    missingFlag(message, version) ??
    missingModule(message, version) ??
    missingName(message, version, at) ??
    missingObject(message, version, at)
  );
}

// ---- what the message tells

/** `Cannot find module 'node:sqlite'`, `No such built-in module: node:test`. */
function missingModule(message: string, version: string): string | undefined {
  const [, prefix, name] = /^(?:Cannot find module '|No such built-in module: )(node:)?([\w/]+)/.exec(message) ?? [];
  if (name === undefined) return undefined;
  const full = `node:${name}`;
  const known = tell(full, version);
  if (known !== undefined || prefix === undefined || has(PREFIX, version)) return known;
  return sentence(`The prefix in "${full}"`, PREFIX, version);
}

const PREFIX: Span = { since: ['16.0.0', '14.18.0'], until: undefined };

/** `structuredClone is not defined`, `list.at is not a function`, `(0 , fs.cp) is not a function`, `util.MIMEType is not a constructor`. */
function missingName(message: string, version: string, at: ThrownAt | undefined): string | undefined {
  const [, free] = /^([\w$]+) is not defined$/.exec(message) ?? [];
  if (free !== undefined) return tell(free, version);
  const [, expression] = /^(.*?)\)* is not (?:a function|a constructor)\b/.exec(message) ?? [];
  // Of what is no name, such as `(intermediate value).at`, only the end is of use.
  const path = /(?:(?:^|[ (!])(?:[\w$]+\.)*|\.)[\w$]+$/.exec(expression ?? '')?.[0].replace(/^[ (!]/, '');
  if (path === undefined) return undefined;
  // In what is sent, names of imports are rewritten: the user's own text has them as they were.
  return missingMember((at && pathAt(at, lastOf(path))) ?? path, version, at);
}

/** `Cannot read property 'digest' of undefined`: the line tells of what. */
function missingObject(message: string, version: string, at: ThrownAt | undefined): string | undefined {
  const [, old, recent] = /^Cannot read propert(?:y '([\w$]+)' of undefined|ies of undefined \(reading '([\w$]+)'\))/.exec(message) ?? [];
  const name = old ?? recent;
  const isBase = message.startsWith('Class extends value undefined');
  if (!at || (name === undefined && !isBase)) return undefined;
  const path = isBase ? /\bextends\s+([\w$.]+)/.exec(lineOf(at).line)?.[1] : pathAt(at, name as string)?.replace(/\.[^.]*$/, '');
  return path === undefined || (!isBase && path === name) ? undefined : missingMember(path, version, at, true);
}

/** `Invalid regular expression flags`, `Invalid flags supplied to RegExp constructor 'v'`. */
function missingFlag(message: string, version: string): string | undefined {
  const [, flags = ''] = /^Invalid flags supplied to RegExp constructor '(\w*)'/.exec(message) ?? [];
  for (const [flag, since] of Object.entries(FLAGS)) {
    if (flags.includes(flag) && !has(since, version)) return sentence(`The flag "${flag}" of regular expressions`, since, version);
  }
  return undefined;
}

const FLAGS: Readonly<Record<string, Span>> = {
  d: { since: ['16.0.0'], until: undefined },
  v: { since: ['20.0.0'], until: undefined },
};

/** What `path` (`Object.hasOwn`, `fs.cp`, `list.at`, or only `cp`) can be that this version has not. */
function missingMember(path: string, version: string, at: ThrownAt | undefined, isExactOnly?: boolean): string | undefined {
  const last = lastOf(path);
  const [first = '', ...rest] = path.split('.');
  const binding = at && bindingsOf(at.text).get(first);
  if (binding) {
    const inside = [...binding.path, ...rest].join('.');
    const isGlobalToo = binding.module === 'process' || binding.module === 'console';
    return (
      tellFirst(isGlobalToo ? `${binding.module}.${inside}` : `node:${binding.module}.${inside}`, version) ?? tellFirst(inside, version)
    );
  }
  const exact = tellFirst(path, version);
  if (exact !== undefined || isExactOnly || rest.length === 0) return exact;
  return guessMethod(last, version);
}

/** A method of an object that is not known here: of the language's own classes, if no other of them has one of that name. */
function guessMethod(last: string, version: string): string | undefined {
  const candidates = (loadTable().byLast.get(last) ?? []).filter((name) => !has(spanOf(name), version));
  const methods = candidates.filter((name) => LANGUAGE.has(name.replace(`.prototype.${last}`, '')));
  if (methods.length === 0 || hasOtherOwner(last, version)) return undefined;
  const shown = methods
    .map((name) => `"${name}"`)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
  return sentence(`If that is ${shown}: it`, spanOf(methods[0] as string), version);
}

const LANGUAGE = new Set([
  'Array',
  'String',
  'TypedArray',
  'Object',
  'Promise',
  'Map',
  'Set',
  'WeakMap',
  'RegExp',
  'Iterator',
  'ArrayBuffer',
]);

/** Whether a method of that name is on a class of the language in that version: then an object without it is just another object. */
function hasOtherOwner(last: string, version: string): boolean {
  const { spans } = loadTable();
  for (const owner of LANGUAGE) {
    const Class = (globalThis as unknown as Record<string, { prototype?: object } | undefined>)[owner];
    const span = spans.get(`${owner}.prototype.${last}`) ?? spans.get(owner);
    if (Class?.prototype && Object.hasOwn(Class.prototype, last) && (!span || has(span, version))) return true;
  }
  return false;
}

// ---- what the program's text tells

function lineOf({ text, offset }: ThrownAt): { line: string; column: number } {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return { line: text.slice(start, end < 0 ? text.length : end), column: offset - start };
}

/** `a.b.name` as it stands at a place, or just behind it. */
function pathAt(at: ThrownAt, name: string): string | undefined {
  const { line, column } = lineOf(at);
  const there = line.startsWith(name, column) ? column : line.indexOf(name, column);
  // An import under another name: as it stands there, or ends there.
  if (there < 0) return `${/[\w$]*$/.exec(line.slice(0, column))?.[0]}${/^[\w$]*/.exec(line.slice(column))?.[0]}` || undefined;
  const before = /(?:[\w$]+\??\.)*$/.exec(line.slice(0, there))?.[0] ?? '';
  return before.replaceAll('?', '') + name;
}

/** The names that a text imports or requires: from which module, and what of it. */
function bindingsOf(text: string): Map<string, { module: string; path: string[] }> {
  const found = new Map<string, { module: string; path: string[] }>();
  const imports = /\bimport\s+(?:([\w$]+)\s*,?\s*)?(?:\*\s*as\s+([\w$]+)\s*|\{([^}]*)\}\s*)?from\s*['"](?:node:)?([^'"\n]+)['"]/g;
  const requires = /(?:([\w$]+)|\{([^{}]*)\})\s*=\s*(?:await\s+import|require)\s*\(\s*['"](?:node:)?([^'"\n]+)['"]\s*\)((?:\.[\w$]+)*)/g;
  const note = (module: string, list: string, as: RegExp, above: string[]): void => {
    for (const item of list.split(',')) {
      const [name = '', local = name] = item.trim().split(as);
      if (name !== '') found.set(local, { module, path: name === 'default' ? above : [...above, name] });
    }
  };
  for (const [, standard, namespace, names = '', module = ''] of text.matchAll(imports)) {
    for (const local of [standard, namespace]) if (local !== undefined) found.set(local, { module, path: [] });
    note(module, names, /\s+as\s+/, []);
  }
  for (const [, whole, names = '', module = '', path = ''] of text.matchAll(requires)) {
    const above = path.split('.').filter(Boolean);
    if (whole !== undefined) found.set(whole, { module, path: above });
    note(module, names, /\s*:\s*/, above);
  }
  return found;
}

// ---- the table

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function spanOf(name: string): Span {
  return loadTable().spans.get(name) as Span;
}

function has({ since, until }: Span, version: string): boolean {
  const major = Number.parseInt(version, 10);
  if (until !== undefined && major >= Number(until)) return false;
  return since.length === 0 || since.some((one, i) => compare(version, one) >= 0 && (i === 0 || Number.parseInt(one, 10) === major));
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The advice for something of the table that this version has not. */
function tell(name: string, version: string): string | undefined {
  const span = loadTable().spans.get(name);
  return span && !has(span, version) ? sentence(`"${name.replace(/^node:(?=.*\.)/, '')}"`, span, version) : undefined;
}

/** The same for the first thing on the way to it that is not there. */
function tellFirst(path: string, version: string): string | undefined {
  const parts = path.split('.');
  for (let count = 1; count <= parts.length; count++) {
    const told = tell(parts.slice(0, count).join('.'), version);
    if (told !== undefined) return told;
  }
  return undefined;
}

function sentence(subject: string, span: Span, version: string): string {
  const { since, until } = span;
  const own = has(span, process.versions.node) ? ", or with runtime: 'push'" : '';
  if (until !== undefined && Number.parseInt(version, 10) >= Number(until))
    return `${subject} is gone since Node ${until}, this context runs ${version}; start it with an older Node${own}`;
  const versions = since.map((one) => one.replace(/(\.0)+$/, ''));
  const older = versions.length > 1 ? ` (and ${versions.slice(1).join(', ')})` : '';
  return `${subject} is there from Node ${versions[0]}${older} on, this context runs ${version}; start it with a newer Node${own}`;
}
