/**
 * Errors for what a context's Node has not: which part of Node it is, which version has it. What V8 says (`x.at is not a function`) tells a name and seldom the
 * object; the line of the program tells more. Nothing is claimed that the words leave open: what only may be so is said to be.
 */
import { onNeed } from './on-need.ts';

/** The place in the program where an error was thrown, if it is known here. */
export interface ThrownAt {
  /** The text of the file. */
  text: string;
  /** Counts from 1, as V8 does. */
  line: number;
  column: number;
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

const data = onNeed<{ API_VERSIONS: Readonly<Record<string, string>> }>('./api-versions-data.js');
let table: Table | undefined;

function loadTable(): Table {
  if (table) return table;
  const spans = new Map<string, Span>();
  const byLast = new Map<string, string[]>();
  for (const [key, names] of Object.entries(data().API_VERSIONS)) {
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

/**
 * What to do about an error of a context that runs `node`: names what that Node has not and which has it. Undefined when the error does not look like that, or
 * when that Node has it.
 */
export function adviceForMissingApi(error: unknown, node: string, at?: ThrownAt): string | undefined {
  if (!(error instanceof Error) || !/^v?\d+\./.test(node)) return undefined;
  const version = node.replace(/^v/, '');
  const message = error.message.slice(0, 1000);
  return (
    missingFlag(message, version) ?? missingModule(message, version) ?? missingName(message, version, at) ?? missingObject(message, version, at)
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
  const [, path] = /((?:[\w$]+\.)*[\w$]+)$/.exec(expression ?? '') ?? [];
  if (path === undefined) return undefined;
  // In what is sent, names of imports are rewritten: the user's own text has them as they were.
  const written = at && pathAt(at, lastOf(path));
  return missingMember(written ?? path, version, at);
}

/** `Cannot read property 'digest' of undefined`: the line tells of what. */
function missingObject(message: string, version: string, at: ThrownAt | undefined): string | undefined {
  const [, old, recent] = /^Cannot read propert(?:y '([\w$]+)' of undefined|ies of undefined \(reading '([\w$]+)'\))/.exec(message) ?? [];
  const name = old ?? recent;
  const isBase = /^Class extends value undefined/.test(message);
  if (!at || (name === undefined && !isBase)) return undefined;
  const path = isBase ? /\bextends\s+([\w$.]+)/.exec(lineOf(at))?.[1] : pathAt(at, name as string)?.replace(/\.[^.]*$/, '');
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
  const exact = tell(path, version);
  if (exact !== undefined && isGlobal(path)) return exact;
  const last = lastOf(path);
  const candidates = (loadTable().byLast.get(last) ?? []).filter((name) => !has(spanOf(name), version));
  const modules = at ? importedModules(at.text) : undefined;
  const receiver = path.slice(0, -last.length - 1);
  for (const name of candidates) {
    const [, module = '', inside = ''] = /^node:([\w/]+)\.(.*)$/.exec(name) ?? [];
    if (!modules?.has(module)) continue;
    // `fs.promises.rm`, `promises.rm`, `rm`: as much of it as is written must be so; the first word is whatever it was imported as.
    const isSure = receiver === '' ? inside === last : `${receiver.replace(/^[^.]*\.?/, '')}.${last}`.replace(/^\./, '') === inside;
    if (isSure) return tell(name, version);
  }
  if (isExactOnly || receiver === '') return undefined;
  return guessMethod(last, candidates, version);
}

/** A method of an object that is not known here: of the language's own classes, if no other of them has one of that name. */
function guessMethod(last: string, candidates: readonly string[], version: string): string | undefined {
  const methods = candidates.filter((name) => /^[A-Z]\w*\.prototype\./.test(name) && LANGUAGE.has(name.slice(0, name.indexOf('.'))));
  if (methods.length === 0 || hasOtherOwner(last, version)) return undefined;
  const shown = methods.map((name) => `"${name}"`).join(' or ');
  return sentence(`If that is ${shown}: it`, spanOf(methods[0] as string), version);
}

const LANGUAGE = new Set(['Array', 'String', 'TypedArray', 'Object', 'Promise', 'Map', 'Set', 'WeakMap', 'RegExp', 'Iterator', 'ArrayBuffer']);

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

function lineOf({ text, line }: ThrownAt): string {
  return text.split('\n', line)[line - 1] ?? '';
}

/** `a.b.name` as it stands at a place, or just behind it. */
function pathAt(at: ThrownAt, name: string): string | undefined {
  const line = lineOf(at);
  const from = Math.max(0, at.column - 1);
  const there = line.startsWith(name, from) ? from : line.indexOf(name, from);
  if (there < 0) return undefined;
  const before = /(?:[\w$]+(?:\?)?\.)*$/.exec(line.slice(0, there))?.[0] ?? '';
  return before.replaceAll('?', '') + name;
}

/** The builtin modules that a text imports or requires. */
function importedModules(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, name = ''] of text.matchAll(/\b(?:from|import|require)\s*\(?\s*['"](?:node:)?([a-z][\w/]*)['"]/g)) found.add(name);
  return found;
}

// ---- the table

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function spanOf(name: string): Span {
  return loadTable().spans.get(name) as Span;
}

/** A path that begins with a global name of Node means that, unless the program has one of its own; few have. */
function isGlobal(path: string): boolean {
  return path.includes('.') || loadTable().spans.has(path);
}

function has({ since, until }: Span, version: string): boolean {
  const major = Number.parseInt(version, 10);
  if (until !== undefined && major >= Number(until)) return false;
  return (
    since.length === 0 || since.some((one, i) => compare(version, one) >= 0 && (i === 0 || Number.parseInt(one, 10) === major))
  );
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
  return span && !has(span, version) ? sentence(`"${name}"`, span, version) : undefined;
}

function sentence(subject: string, { since, until }: Span, version: string): string {
  if (until !== undefined && Number.parseInt(version, 10) >= Number(until))
    return `${subject} is gone since Node ${until}, this context runs ${version}; start it with an older Node, or with runtime: 'push'`;
  const versions = since.map((one) => one.replace(/(\.0)+$/, ''));
  const older = versions.length > 1 ? ` (and ${versions.slice(1).join(', ')})` : '';
  return `${subject} is there from Node ${versions[0]}${older} on, this context runs ${version}; start it with a newer Node, or with runtime: 'push'`;
}
