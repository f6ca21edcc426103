/**
 * What the program itself has loaded of a file. V8 keeps the text of every script, so plain JavaScript can be had as it was however often the file
 * has been changed since. Of what a loader has translated (tsx, vitest) V8 has the translation: the original is there only if the source map holds
 * it; else the two can be compared.
 */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { eachMapping } from '@jridgewell/trace-mapping';
import { loadedScripts, scriptText } from '../api/locate.ts';
import { Lines } from './patch.ts';
import { loadedCommonModules, realPath } from './resolve.ts';
import { readSourceMap } from './source.ts';
import { langOf } from './strip.ts';

/** What is known of a file that the program may have loaded: nothing, its text, or that its text is lost. */
export type Loaded = { state: 'not loaded' } | { state: 'known'; text: string } | { state: 'lost' };

/** What the program has loaded of a file. `now` is what stands there now; it is the answer where nothing speaks against it. */
export function loadedText(path: string, now: string): Loaded {
  if (path.endsWith('.json')) return loadedJson(path, now);
  const script = scriptOf(path);
  if (script === undefined) return { state: 'not loaded' };
  const text = originalOf(path, script, now);
  return text === undefined ? { state: 'lost' } : { state: 'known', text };
}

/** Whether V8's text of a file was made of `now`, as far as that can be told. */
export function isMadeOf(path: string, script: string, now: string): boolean {
  return originalOf(path, script, now) === now;
}

function loadedJson(path: string, now: string): Loaded {
  const module = loadedCommonModules()[path];
  if (!module) return { state: 'not loaded' };
  try {
    if (isDeepStrictEqual(module.exports, JSON.parse(now))) return { state: 'known', text: now };
    const text = JSON.stringify(module.exports) as string | undefined;
    return text !== undefined && isDeepStrictEqual(JSON.parse(text), module.exports) ? { state: 'known', text } : { state: 'lost' };
  } catch {
    return { state: 'lost' };
  }
}

/** V8's text of a file. A file that was loaded several times (with a query behind its name) is what it was at last. */
function scriptOf(path: string): string | undefined {
  const id = scriptsNamed(basename(path)).findLast(([, file]) => realPath(file) === path)?.[0];
  return id === undefined ? undefined : scriptText(id);
}

type Script = readonly [id: string, path: string];
const scripts = new Map<string, Script[]>();
let scriptCount = 0;

/** Scripts by the names of their files: programs are made of thousands. */
function scriptsNamed(name: string): readonly Script[] {
  const loaded = loadedScripts();
  if (loaded.size !== scriptCount) {
    scripts.clear();
    scriptCount = loaded.size;
    for (const [id, url] of loaded) {
      const file = fileOf(url.replace(/[?#].*$/, ''));
      const named = scripts.get(basename(file));
      if (named) named.push([id, file]);
      else scripts.set(basename(file), [[id, file]]);
    }
  }
  return scripts.get(name) ?? [];
}

function fileOf(url: string): string {
  try {
    return url.startsWith('file:') ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}

function originalOf(path: string, script: string, now: string): string | undefined {
  if (script === now) return now;
  const map = readSourceMap(/^\/\/# sourceMappingURL=data:/m.test(script) ? script : '', path);
  // Not translated, or types blanked out by Node: it stands for itself.
  if (!map) return langOf(path) !== 'js' && isBlanked(script, now) ? now : script;
  const { sourcesContent } = map.trace;
  const original = sourcesContent?.length === 1 ? sourcesContent[0] : undefined;
  if (typeof original === 'string') return original.replace(/^\uFEFF/, '');
  return isTranslation(map.trace, script, now) ? now : undefined;
}

/** Whether `script` is `now` with some characters replaced by blanks. Node may add a line at the end. */
function isBlanked(script: string, now: string): boolean {
  for (let at = 0; at < now.length; at++) {
    const one = script[at];
    if (one !== now[at] && one !== ' ' && one !== ';') return false;
  }
  return /^\s*(?:\/\/# sourceURL=.*\s*)?$/.test(script.slice(now.length));
}

const TOKEN = /[\p{ID_Start}$_][\p{ID_Continue}$]*|\d[\w.]*|"[^"\\\n]*"|'[^'\\\n]*'|`[^`\\$]*`/uy;

function tokenAt(text: string, offset: number): string {
  TOKEN.lastIndex = offset;
  return TOKEN.exec(text)?.[0] ?? '';
}

/** Words that translations move or replace. */
const KEYWORD =
  /^(?:var|let|const|enum|return|async|export|static|void|undefined|default|class|function|import|declare|abstract|namespace|module)$/;

/** Whether words, numbers and strings of a translation are those of the text at the places that its map gives. */
function isTranslation(trace: Parameters<typeof eachMapping>[0], script: string, now: string): boolean {
  const generated = new Lines(script);
  const original = new Lines(now);
  let isSame = true;
  eachMapping(trace, ({ generatedLine, generatedColumn, originalLine, originalColumn }) => {
    if (!isSame || originalLine === null) return;
    const there = tokenAt(script, generated.offset(generatedLine - 1, generatedColumn));
    isSame = isAlike(there, tokenAt(now, original.offset(originalLine - 1, originalColumn)), now);
  });
  // What was added to the text is not in the map.
  const exported = now.matchAll(/^export\s+(?:async\s+)?(?:function\*?|const|let|var|class)\s+([\w$]+)/gm);
  return isSame && [...exported].every(([, name]) => script.includes(name as string));
}

/** Whether a token of a translation may stand for one of the original: loaders write some otherwise, and add names of their own. */
function isAlike(there: string, here: string, now: string): boolean {
  const kind = kindOf(there);
  if (kind === '' || kind !== kindOf(here)) return true;
  if (kind === 'string') return there.slice(1, -1) === here.slice(1, -1);
  if (kind === 'number') return numberOf(there) === numberOf(here);
  if (there === here || KEYWORD.test(there) || KEYWORD.test(here) || /^(?:import_|__)|_default$/.test(there)) return true;
  // `Kind2` for the inside of `enum Kind`.
  return /\d$/.test(there) && now.includes(there.replace(/\d+$/, ''));
}

function numberOf(token: string): number {
  return Number(token.replace(/_/g, ''));
}

function kindOf(token: string): '' | 'word' | 'number' | 'string' {
  if (token === '') return '';
  if (/^\d/.test(token)) return Number.isNaN(numberOf(token)) ? '' : 'number';
  return /^["'`]/.test(token) ? 'string' : 'word';
}
