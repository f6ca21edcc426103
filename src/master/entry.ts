/** Which files are main scripts: never evaluated on a target, only cut into slices. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realPath } from './resolve.ts';
import { langOf } from './strip.ts';
import { child, children, nameOf, parse } from './syntax.ts';

const API_FILES = new Set(
  ['../index.js', '../index.ts']
    .map((file) => fileURLToPath(new URL(file, import.meta.url)))
    .filter((file) => existsSync(file))
    .map(realPath),
);

/** True if a specifier means this library. */
export function isApi(specifier: string, from: string): boolean {
  if (specifier === 'mitos') return true;
  if (!/^(?:\.|file:|\/)/.test(specifier) || !/\bindex\.[jt]s$/.test(specifier)) return false;
  const path = specifier.startsWith('file:') ? fileURLToPath(specifier) : resolve(dirname(from), specifier);
  return API_FILES.has(realPath(path)) || API_FILES.has(realPath(path.replace(/\.js$/, '.ts')));
}

/** True if `path` is the file that this process, or this test runner, was started with. */
export function isMainScript(path: string): boolean {
  const main = process.argv[1];
  if (main !== undefined) {
    const real = realPath(resolve(main));
    if (path === real || path.replace(/\.[cm]?[jt]sx?$/, '') === real || path === resolve(real, 'index.js')) return true;
  }
  const worker = (globalThis as { __vitest_worker__?: { filepath?: unknown } }).__vitest_worker__;
  return typeof worker?.filepath === 'string' && path === realPath(worker.filepath);
}

/** True if a text says of itself that it is a program or a test: it imports a test runner, or calls `main` of this library. */
export function isProgramText(path: string, text: string): boolean {
  if (!/node:test|vitest|\bmain\b/.test(text)) return false;
  if (/\brequire\s*\(\s*['"](?:node:test|vitest)['"]\s*\)/.test(text)) return true;
  for (const node of children(parse(path, text, langOf(path), 'unambiguous').program, 'body')) {
    if (node.type !== 'ImportDeclaration' || node['importKind'] === 'type') continue;
    const specifier = nameOf(child(node, 'source'));
    if (specifier === 'node:test' || specifier === 'vitest') return true;
    if (!isApi(specifier, path)) continue;
    for (const one of children(node, 'specifiers')) {
      const local = nameOf(child(one, 'local')).replace(/\$/g, '\\$&');
      if (nameOf(child(one, 'imported')) === 'main' && new RegExp(`\\b${local}\\s*\\(`).test(text)) return true;
    }
  }
  return false;
}
