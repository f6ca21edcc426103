/** The error of a program that failed. */
import { type MitosError, mitosError } from '../core/errors.ts';
import type { ExecFailure } from '../core/exec-order.ts';
import type { Context } from './context.ts';
import type { ExecResult } from './exec-options.ts';
import { printable } from './exec-quote.ts';
import type { ExecRequest } from './exec-run.ts';

/** How much of its standard error a program's error shows. */
const LAST_LINES = 3;
const LAST_CHARACTERS = 500;

/** Makes the error of a program that ended with `result`, or that could not be run or had to be stopped for the reason in `failure`. */
export function execError(
  { program, site }: ExecRequest,
  context: Context | undefined,
  result: ExecResult<string | Uint8Array>,
  failure: ExecFailure | undefined,
): MitosError {
  const { code, message, hint } = failure ?? { code: 'ERR_MITOS_EXEC' as const, message: endOf(result), hint: undefined };
  const place = context && context.via ? ` in "${context.name}"` : '';
  const via: string[] = [];
  for (let at: Context | null | undefined = context; at?.via; at = at.via) via.unshift(at.name);
  const error = mitosError(code, `Cannot run ${printable(program)}${place}: ${message}`, {
    via,
    data: { ...result },
    ...(hint ? { hint } : {}),
  });
  const frames = (site.stack ?? '').replace(/^[^\n]*/, '');
  Object.defineProperty(error, 'stack', { value: `${error.name}: ${error.message}${frames}`, configurable: true, writable: true });
  return error;
}

function endOf({ exitCode, signal, stderr }: ExecResult<string | Uint8Array>): string {
  const end = signal === null ? `it exited with code ${exitCode}` : `it was ended by ${signal}`;
  const text = typeof stderr === 'string' ? stderr.slice(-4 * LAST_CHARACTERS) : Buffer.from(stderr.slice(-4 * LAST_CHARACTERS)).toString();
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  const last = lines.slice(-LAST_LINES).join('\n').slice(-LAST_CHARACTERS);
  return last ? `${end}; last stderr: ${printable(last)}` : end;
}
