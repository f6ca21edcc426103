/**
 * What a child may ask for. A child names modules by specifier, as seen from a module it was served; what that leads to is served only if it is a
 * source file inside the program: in the package of a served module, or in a `node_modules` that such a module reaches.
 */
import { lstatSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModuleAnswer } from '../core/importer.ts';
import { refuseMount } from './resource-rules.ts';
import { packageOf } from './source.ts';

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx|json)$/;
/** Whether a file is a module by its ending. */
export const isModulePath = (path: string): boolean => SOURCE.test(path);

/** Store directories of package managers, under node_modules. */
const STORES = new Set(['.pnpm', '.bun', '.store', '.deno']);
const MAX_SPECIFIER = 1024;

/** The directories of the program that modules have been served from. */
export class Admission {
  readonly #roots = new Set<string>();
  readonly #modules = new Set<string>();
  readonly #dotted = new Set<string>();

  /** Takes note of a file that the master itself decided to serve. */
  add(path: string): void {
    const { root } = packageOf(path);
    this.#roots.add(root);
    for (let at = root; ; at = dirname(at)) {
      this.#modules.add(join(at, 'node_modules'));
      if (at === dirname(at)) break;
    }
    const parts = path.split(sep);
    for (let at = 1; at < parts.length - 1; at++) if (parts[at]?.startsWith('.')) this.#dotted.add(parts.slice(0, at + 1).join(sep));
  }

  /** Why a specifier from a child is refused before anything is looked up; undefined if it may be resolved. */
  refuseSpecifier(specifier: string, from: string): string | undefined {
    if (typeof specifier !== 'string' || !specifier || specifier.length > MAX_SPECIFIER) return 'it is not a specifier';
    if (/[\x00-\x1f\x7f\\%]/.test(specifier)) return 'it contains characters that no specifier needs';
    let path: string | undefined;
    if (specifier.startsWith('file:')) {
      try {
        path = fileURLToPath(specifier);
      } catch {
        return 'it is not a file URL of this machine';
      }
    } else if (isAbsolute(specifier)) path = specifier;
    else if (/^\.{0,2}(?:\/|$)/.test(specifier) || specifier.startsWith('.')) path = resolve(dirname(from), specifier);
    else if (/^[a-z][a-z+.-]*:/i.test(specifier)) return 'its scheme is not served';
    else if (specifier.split('/').some((part) => part === '..' || part === '.' || (part.startsWith('.') && part.length > 1)))
      return 'it leaves its package';
    return path !== undefined && !this.#inside(path) ? 'it leads outside of the program' : undefined;
  }

  /** Why a resolved file is refused. With `isResource` it need not be a source file. */
  refuseFile(path: string, isResource = false): string | undefined {
    if (!isResource && !SOURCE.test(path)) return 'it is not a source file';
    if (!this.#inside(path)) return 'it lies outside of the program';
    for (let at = path; at !== dirname(at); at = dirname(at)) {
      const name = at.slice(dirname(at).length).replace(/^[/\\]/, '');
      if (name.startsWith('.') && !this.#dotted.has(at) && !(STORES.has(name) && dirname(at).endsWith(`${sep}node_modules`)))
        return 'it is hidden';
    }
    try {
      const { root } = packageOf(path);
      const stat = lstatSync(path);
      if (!stat.isFile()) return 'it is not a regular file';
      // Package managers fill node_modules with hard links into their stores.
      if (stat.nlink > 1 && !path.includes(`${sep}node_modules${sep}`)) return 'it has a second name (hard link)';
      return refuseMount(root, path);
    } catch {
      return 'it cannot be read';
    }
  }

  #inside(path: string): boolean {
    const below = (root: string): boolean => {
      const rest = relative(root, path);
      return rest !== '' && rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
    };
    for (const root of this.#modules) if (below(root)) return true;
    for (const root of this.#roots) if (below(root)) return true;
    return false;
  }
}

/** An answer that says why a module is not served. */
export function refusal(code: string, message: string, hint?: string): ModuleAnswer {
  return { target: hint === undefined ? { code, message } : { code, message, hint }, modules: [] };
}
