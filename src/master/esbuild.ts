/**
 * esbuild in a copy of our own, which starts its program for each text and waits for its end. The other way, with a process that stays, leaves
 * a thread and a process behind; and to stop these would stop them for a program that uses esbuild itself.
 */
import { createRequire } from 'node:module';

type Esbuild = typeof import('esbuild');

let loaded: Esbuild | undefined;

/** esbuild, loaded at the first call. Only its synchronous functions leave nothing behind. */
export function esbuild(): Esbuild {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  const file = require.resolve('esbuild');
  const { cache } = require;
  const theirs = cache[file];
  const setting = process.env['ESBUILD_WORKER_THREADS'];
  delete cache[file];
  process.env['ESBUILD_WORKER_THREADS'] = '0';
  try {
    loaded = require(file) as Esbuild;
  } finally {
    if (setting === undefined) delete process.env['ESBUILD_WORKER_THREADS'];
    else process.env['ESBUILD_WORKER_THREADS'] = setting;
    if (theirs) cache[file] = theirs;
    else delete cache[file];
  }
  return loaded;
}
