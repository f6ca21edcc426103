/** Node's own resolution, with what TypeScript programs add to it: `.js` that means `.ts`, tsconfig paths, missing extensions. */

import { realpathSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type { ResolverFactory } from 'oxc-resolver';
import { onNeed } from './on-need.ts';
import { langOf } from './strip.ts';

/** How a specifier is asked for. */
export type RequestKind = 'import' | 'require';

/** Where a specifier leads. */
export type Resolution = { path: string } | { builtin: string } | { missing: string };

const INSTALLED = `${sep}node_modules${sep}`;
const oxc = onNeed<typeof import('oxc-resolver')>('oxc-resolver');
const resolvers = new Map<string, ResolverFactory>();
/** What was found from installed packages: where a specifier leads is a matter of the directory there, and many modules of one say the same. */
const found = new Map<string, Resolution>();

function resolverFor(kind: RequestKind, isTs: boolean, hasTsconfig = true): ResolverFactory {
  const name = `${kind} ${isTs} ${hasTsconfig}`;
  let resolver = resolvers.get(name);
  if (!resolver) {
    // From TypeScript, "./x.js" is x.ts where there is one; from JavaScript, what is written comes first.
    const both = (js: string, ...ts: string[]): string[] => (isTs ? [...ts, js] : [js, ...ts]);
    resolver = new (oxc().ResolverFactory)({
      conditionNames:
        kind === 'import' ? ['node', 'import', 'module-sync', 'node-addons'] : ['node', 'require', 'module-sync', 'node-addons'],
      extensions: [...both('.js', '.ts', '.tsx', '.jsx'), '.json', '.node', '.mjs', '.cjs', '.mts', '.cts'],
      extensionAlias: {
        '.js': both('.js', '.ts', '.tsx', '.jsx'),
        '.mjs': both('.mjs', '.mts'),
        '.cjs': both('.cjs', '.cts'),
        '.jsx': both('.jsx', '.tsx'),
      },
      mainFields: ['main'],
      ...(hasTsconfig && { tsconfig: 'auto' }),
      symlinks: true,
    });
    resolvers.set(name, resolver);
  }
  return resolver;
}

/** Forgets what is known of the disk: files have been changed. */
export function clearResolvers(): void {
  found.clear();
  for (const resolver of resolvers.values()) resolver.clearCache();
}

/** True for the name of a builtin of this Node, with or without `node:`. */
export function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') ? /^node:[a-z_/0-9]+$/.test(specifier) : builtinModules.includes(specifier);
}

/** True for a reason to find nothing that has to do with the specifier only in so far as a `tsconfig.json` could say where it leads. */
export function isAboutTsconfig(reason: string | undefined): boolean {
  return reason !== undefined && /^(?:Tsconfig not found|Failed to load tsconfig)/.test(reason);
}

/** Resolves a specifier from a file. The path found is a real path. */
export function resolveFrom(file: string, specifier: string, kind: RequestKind): Resolution {
  if (isBuiltin(specifier)) return { builtin: specifier };
  const directory = dirname(file);
  const isTs = langOf(file) !== 'js';
  if (isTs || !directory.includes(INSTALLED)) return look(file, specifier, kind, isTs);
  const name = `${kind} ${directory}\0${specifier}`;
  let resolution = found.get(name);
  if (!resolution) found.set(name, (resolution = look(file, specifier, kind, isTs)));
  return resolution;
}

function look(file: string, specifier: string, kind: RequestKind, isTs: boolean): Resolution {
  const first = resolverFor(kind, isTs).resolveFileSync(file, specifier);
  const { error } = first;
  // Node does not care about a tsconfig.json that cannot be read.
  const { path } = isAboutTsconfig(error) ? resolverFor(kind, isTs, false).resolveFileSync(file, specifier) : first;
  const clean = /[?#]/.test(specifier) ? path?.replace(/[?#].*$/, (tail) => (specifier.endsWith(tail) ? '' : tail)) : path;
  if (clean !== undefined) return { path: clean };
  return { missing: error ?? `Cannot find module '${specifier}'` };
}

/** `require.cache` of this process. */
export function loadedCommonModules(): Record<string, { exports: unknown } | undefined> {
  return createRequire(import.meta.url).cache as Record<string, { exports: unknown } | undefined>;
}

/** The real path of a file, or the path itself where there is none. */
export function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
