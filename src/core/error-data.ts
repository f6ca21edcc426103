/** Errors as data: read without ever throwing, and made again from a fixed table of classes. */
import { types } from 'util';
import { withoutOwnFrames } from './error-text.ts';
import { type ErrorCode, MitosError, mitosError } from './errors.ts';

/** An error as plain data. What was thrown but is no error has only `value`. */
export interface ErrorData {
  name?: string;
  message?: string;
  stack?: string;
  code?: string | number;
  cause?: ErrorData;
  /** Only of an `AggregateError`. */
  errors?: ErrorData[];
  /** The error's own enumerable properties; those of a {@link MitosError} are among them. */
  data?: Record<string, unknown>;
  /** What was thrown, when it was no error. */
  value?: unknown;
}

type Values = Record<string, unknown>;

const MAX_TEXT = 0x10000;
const MAX_ITEMS = 100;
const TOP = ['name', 'message', 'stack', 'code', 'cause'];

/** Gives what `read` gives, or `undefined` if it throws. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCode(value: unknown): value is string | number {
  return isText(value) || Number.isFinite(value);
}

function textOf(value: unknown): string {
  return isText(value) ? value.slice(0, MAX_TEXT) : '';
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, MAX_ITEMS) : [];
}

function define(target: object, key: string, value: unknown, enumerable?: boolean): void {
  Object.defineProperty(target, key, { value, enumerable: enumerable === true, configurable: true, writable: true });
}

/** Tells whether `value` is an error, of any realm. Never throws. */
export function isError(value: unknown): value is Error {
  return attempt(() => types.isNativeError(value) || value instanceof Error || MitosError.is(value)) === true;
}

/**
 * Reads an error and those behind it, down to `depth` and each once. Never throws.
 *
 * @param isSendable Own properties are kept when it says so.
 */
export function readError(error: unknown, isSendable: (value: unknown) => boolean, depth: number, seen: unknown[] = []): ErrorData {
  if (!isError(error)) {
    return isSendable(error) ? { value: error } : { name: 'Error', message: `A value that cannot be sent was thrown: a ${typeof error}` };
  }
  seen.push(error);
  const read = (key: string) => attempt(() => (error as unknown as Values)[key]);
  const nested = (value: unknown) => readError(value, isSendable, depth - 1, seen);
  const isNew = (value: unknown) => depth > 1 && !seen.includes(value);
  const [name, message, stack, code, cause] = TOP.map(read);
  const facts: ErrorData = {
    name: textOf(name) || 'Error',
    message: textOf(message),
    stack: withoutOwnFrames(textOf(stack), MitosError.is(error)),
  };
  if (isCode(code)) facts.code = code;
  if (cause !== undefined && isNew(cause)) facts.cause = nested(cause);
  const isAggregate = name === 'AggregateError';
  if (isAggregate) facts.errors = listOf(read('errors')).filter(isNew).map(nested);
  for (const key of listOf(attempt(() => Object.keys(error))) as string[]) {
    if (TOP.includes(key) || (isAggregate && key === 'errors')) continue;
    const value = read(key);
    if (value !== undefined && isSendable(value)) define((facts.data = facts.data || {}), key, value, true);
  }
  return facts;
}

/**
 * Makes the error again that {@link errorToData} told of, or gives the value that was thrown instead of one.
 *
 * `data` may come from a hostile peer. The classes are the built-in ones and those of mitos (by name and code); an error of another name is an
 * `Error` with that name as its own property. Data never hides what every error has (`toString`, `constructor`, `message`, …).
 */
export function errorFromData(data: unknown): unknown {
  return revive(data, new Map());
}

function revive(data: unknown, made: Map<unknown, unknown>): unknown {
  const facts = Object(data) as ErrorData;
  if (!isText(facts.name)) return facts.value;
  if (made.has(data)) return made.get(data);
  const { name, code, cause, errors } = facts;
  const own = Object(facts.data) as Values;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stack of this place is of no use, and slow to take
  const error = create(name, textOf(facts.message), code, own);
  Error.stackTraceLimit = stackTraceLimit;
  made.set(data, error);
  if (error.name !== name) define(error, 'name', textOf(name));
  define(error, 'stack', textOf(facts.stack) || `${textOf(name)}: ${error.message}`);
  if (isCode(code) && !('code' in error)) define(error, 'code', code, true);
  if (cause !== undefined) define(error, 'cause', revive(cause, made));
  if (errors) {
    define(
      error,
      'errors',
      listOf(errors).map((nested) => revive(nested, made)),
    );
  }
  for (const key of Object.keys(own)) if (!(key in error)) define(error, key, own[key], true);
  return error;
}

function create(name: string, message: string, code: unknown, { via, hint }: Values): Error {
  if (isText(code) && /^ERR_MITOS_\w{2,40}$/.test(code) && /^(Mitos|Connect|Call|Channel|Module|Policy|Serialization)Error$/.test(name)) {
    return mitosError(code as ErrorCode, message, { via: listOf(via).filter(isText), ...(isText(hint) && { hint }) });
  }
  if (!/^(Aggregate|Eval|Range|Reference|Syntax|Type|URI)Error$/.test(name)) return new Error(message);
  const Class = (globalThis as unknown as Record<string, ErrorConstructor | AggregateErrorConstructor | undefined>)[name] || Error;
  return name === 'AggregateError' && Class !== Error
    ? new (Class as AggregateErrorConstructor)([], message)
    : new (Class as ErrorConstructor)(message);
}
