/** Runs a program's main job: only in the program itself, with a router that is closed at the end, whatever happens. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Router, type RouterOptions } from './router.ts';

/** Time that a signal leaves for an orderly end, in milliseconds. */
const SIGNAL_GRACE_MS = 700;

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
  const onSignal = (signal: NodeJS.Signals): void => {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    const end = (): void => {
      process.kill(process.pid, signal);
    };
    setTimeout(end, SIGNAL_GRACE_MS);
    router.close({ graceMs: SIGNAL_GRACE_MS / 2 }).then(end, end);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  let code = 0;
  try {
    await fn(router);
  } catch (error) {
    code = 1;
    console.error(error);
  }
  await router.close();
  process.exit(process.exitCode === undefined ? code : undefined);
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
