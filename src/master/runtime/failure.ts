/** Errors of the store of runtimes. */
import { MitosError, type MitosErrorOptions, mitosError } from '../../core/errors.ts';

/** The hint where nothing better is known. */
export const USUAL_HINT =
  'install Node 12.22 or later on the target, or run mitos runtime fetch where there is a network, or put a build into the directory of the option runtimes';

/** A runtime cannot be provided: `ERR_MITOS_RUNTIME_PUSH`. */
export function pushError(what: string, options: MitosErrorOptions = {}): MitosError {
  return mitosError('ERR_MITOS_RUNTIME_PUSH', `Cannot provide a Node to push: ${what}`, { hint: USUAL_HINT, ...options });
}

/** Says of an error of the system what it means here; errors of mitos stay what they are. */
export function asFailure(error: unknown, directory: string): unknown {
  if (MitosError.is(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return spaceError(directory, error);
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return pushError(message, { cause: error });
  return error;
}

/** There is no space in the cache: `ERR_MITOS_RESOURCE`. */
export function spaceError(directory: string, cause?: unknown): MitosError {
  return mitosError(
    'ERR_MITOS_RESOURCE',
    `Cannot keep a Node to push: no space is left in ${JSON.stringify(directory)}; some 200 MB are needed`,
    {
      cause,
      hint: 'run mitos runtime prune, or let MITOS_CACHE_DIR name a directory with space',
    },
  );
}
