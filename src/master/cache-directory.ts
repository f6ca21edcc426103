/** The user's cache directory: what is made once and may be thrown away at any time. */
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** What is kept there: modules made ready to be sent, and runtimes for targets that have none. */
export type CachePart = 'modules' | 'runtimes';

/**
 * The directory of one part of the cache, made if it is not there (mode 0700): `$MITOS_CACHE_DIR`, else `$XDG_CACHE_HOME/mitos`, else
 * `~/.cache/mitos`, and below it the part.
 *
 * `undefined` when it cannot be had: it cannot be made, is no directory (a symbolic link is none), belongs to someone else, or others may
 * write into it. With `MITOS_CACHE=off` there is none for modules. Never throws; nothing depends on a cache.
 */
export function cacheDirectory(part: CachePart, env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (part === 'modules' && env['MITOS_CACHE'] === 'off') return undefined;
  try {
    const base = baseOf(env);
    const directory = join(base, part);
    make(directory);
    return isOurs(base) && isOurs(directory) ? directory : undefined;
  } catch {
    return undefined;
  }
}

function baseOf(env: NodeJS.ProcessEnv): string {
  const own = env['MITOS_CACHE_DIR'];
  if (own && isAbsolute(own)) return own;
  // As the XDG rules say: a path that is not absolute counts for nothing.
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'mitos');
}

/** Step by step: the recursive form of `mkdir` never returns for a path below /proc. */
function make(directory: string): void {
  if (existsSync(directory)) return;
  if (dirname(directory) !== directory) make(dirname(directory));
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Only the user may have put something there. */
function isOurs(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
}
