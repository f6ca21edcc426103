/** Runs a program's main job: only in the program itself, with a router that is closed at the end, whatever happens. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MitosError } from '../core/errors.ts';
import { Router, type RouterOptions } from './router.ts';

/** Time that a signal leaves for an orderly end, in milliseconds. */
const SIGNAL_LIMIT_MS = 700;
/** Part of it that running calls have; what does not end is killed 300 ms later. */
const SIGNAL_GRACE_MS = 200;

/** What tells `main` which module it stands in: `import.meta`, or `module` of CommonJS. */
export type ModuleMark = { url?: string } | { filename?: string };

/**
 * Runs `fn(router)` if the module that calls this is the program itself; does nothing when it was imported, or on a target.
 *
 * Afterwards, or when `fn` fails, the router is closed and the process exits: with `process.exitCode` if that is set, else
 * with 0, or with 1 and the error on stderr. SIGINT and SIGTERM close the router within a second and end the process by that
 * same signal; a second one ends it at once.
 *
 * @example
 * ```ts
 * await main(import.meta, async (router) => {
 *   console.log(await router.local().call(os.hostname));
 * });
 * ```
 */
export async function main(mark: ModuleMark, fn: (router: Router) => unknown, options?: RouterOptions): Promise<void> {
  if (typeof fn !== 'function') throw new TypeError('The second argument of main must be a function');
  if (!isProgram(mark)) return;
  const router = new Router(options);
  let isInterrupted = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    const end = (): void => {
      stopListening();
      process.kill(process.pid, signal);
    };
    if (isInterrupted) {
      end();
      return;
    }
    isInterrupted = true;
    // Soon the system does it, even when this thread is busy; not yet, as a second signal of this very turn would be lost.
    setTimeout(stopListening, 20);
    setTimeout(end, SIGNAL_LIMIT_MS);
    router.close({ graceMs: SIGNAL_GRACE_MS }).then(end, end);
  };
  const stopListening = (): void => {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  let code = 0;
  try {
    await fn(router);
  } catch (error) {
    code = 1;
    // What was under way when a signal came fails because of it: that is no news.
    if (!(isInterrupted && MitosError.is(error) && error.code === 'ERR_MITOS_SHUTDOWN')) console.error(error);
  }
  await router.close();
  if (isInterrupted) return;
  if (process.exitCode === undefined) process.exitCode = code;
  process.exit();
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function isProgram(mark: ModuleMark): boolean {
  const path = process.argv[1];
  if (path === undefined || !mark) return false;
  const own = 'url' in mark && mark.url ? fileURLToPath(mark.url) : (mark as { filename?: string }).filename;
  if (!own) return false;
  return real(own) === real(path) || real(own) === require_(path);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** `node script` finds `script.js` too. */
function require_(path: string): string {
  for (const ending of ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '/index.js']) {
    const full = real(path + ending);
    if (full !== path + ending || full.endsWith(ending)) return full;
  }
  return path;
}
