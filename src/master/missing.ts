/** Why a module cannot be had, in words that help: who asked, from where, and what was searched. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Dep } from '../core/module-batch.ts';
import { isAboutTsconfig } from './resolve.ts';

/** What is known of a specifier that leads nowhere. */
export interface MissingModule {
  specifier: string;
  /** The file that asks. */
  from: string;
  /** Who imported that file, back to where it began. */
  chain: string;
  /** What the resolver says. */
  reason: string;
}

/** The answer to who asked. `node` is the code that Node itself gives, where it is not the one for a module that is not there. */
export function missingModule({ specifier, from, chain, reason }: MissingModule): Dep {
  const code = 'ERR_MITOS_MODULE_NOT_FOUND';
  const start = `Cannot find module '${specifier}', imported by ${chain}`;
  if (/ is not exported /.test(reason)) return { code, message: `${start}: ${reason}`, node: 'ERR_PACKAGE_PATH_NOT_EXPORTED' };
  if (/^Package import specifier|^Cannot find module '#/.test(reason))
    return { code, message: `${start}: ${reason}`, node: 'ERR_PACKAGE_IMPORT_NOT_DEFINED' };
  const why = searched(specifier, from);
  return { code, message: `${start}: ${isAboutTsconfig(reason) ? `${why}; its tsconfig.json cannot be used: ${reason}` : why}` };
}

function searched(specifier: string, from: string): string {
  if (/^\.{0,2}\//.test(specifier) || /^\.{1,2}$/.test(specifier)) return `there is no ${resolve(dirname(from), specifier)}`;
  if (specifier.startsWith('file:')) return 'there is no such file';
  if (/^[a-z][a-z+.-]+:/i.test(specifier)) return 'its scheme is not known';
  const name = (/^(?:@[^/]+\/)?[^/]+/.exec(specifier) as RegExpExecArray)[0];
  const folders: string[] = [];
  for (let at = dirname(from); ; at = dirname(at)) {
    const folder = join(at, 'node_modules');
    if (!at.endsWith('node_modules') && existsSync(folder)) {
      if (existsSync(join(folder, name))) return `${join(folder, name)} has no such file`;
      folders.push(folder);
    }
    if (at === dirname(at)) break;
  }
  return folders.length ? `searched ${folders.join(', ')}` : `there is no node_modules in ${dirname(from)} or above`;
}
