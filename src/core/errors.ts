/**
 * Errors that mitos itself raises. Every one has a `code` from {@link ErrorCode}; subclasses exist only where callers catch differently.
 * Parent and child hold different copies of these classes, so identity goes by brand: use {@link MitosError.is}.
 */

/** All error codes; each is described in `docs/errors.md`. Never renamed in a minor version. */
export type ErrorCode = `ERR_MITOS_${
  | 'CONNECT_TIMEOUT'
  | 'AUTH'
  | 'HOST_KEY'
  | 'DNS'
  | 'REFUSED'
  | 'TRANSPORT_EXIT'
  | 'PASSWORD_REQUIRED'
  | 'PASSWORD_WRONG'
  | 'TTY_REQUIRED'
  | 'NO_RUNTIME'
  | 'RUNTIME_OLD'
  | 'RUNTIME_PUSH'
  | 'NO_CONTAINER'
  | 'VERSION'
  | 'PROTOCOL'
  | 'NO_ROUTE'
  | 'DISCONNECTED'
  | 'SHUTDOWN'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'CALL'
  | 'EXEC'
  | 'NOT_CALLABLE'
  | 'CAPTURE'
  | 'NOT_SENDABLE'
  | 'TOO_LARGE'
  | 'LIMIT'
  | 'POLICY'
  | 'MODULE_NOT_FOUND'
  | 'MODULE_SYNTAX'
  | 'MODULE_DENIED'
  | 'MODULE_CHANGED'
  | 'MODULE_DAMAGED'
  | 'ADDON'
  | 'CHILD_EXIT'
  | 'RESOURCE'}`;

const BRAND: unique symbol = Symbol.for('mitos.error') as never;

/** What an error may carry beside its code and message. */
export interface MitosErrorOptions {
  /** The error that led to this one. */
  cause?: unknown;
  /** What to do next, one sentence. */
  hint?: string;
  /** Names of the contexts crossed, nearest first. */
  via?: readonly string[];
  /** Further facts, set as own properties (`exitCode`, `stage`, `stderr`, …). */
  data?: Record<string, unknown>;
}

/** The root of all errors that mitos raises. */
export class MitosError extends Error {
  /** What happened, for programs. */
  readonly code: ErrorCode;
  /** Names of the contexts crossed, nearest first. */
  readonly via: readonly string[];
  /** What to do next. */
  declare readonly hint?: string;
  declare cause?: unknown;

  constructor(code: ErrorCode, message: string, options: MitosErrorOptions = {}) {
    super(message);
    this.code = code;
    this.via = options.via ?? [];
    const define = (key: string, value: unknown, enumerable: boolean): void => {
      Object.defineProperty(this, key, { value, enumerable, configurable: true, writable: true });
    };
    if (options.hint !== undefined) define('hint', options.hint, true);
    if (options.cause !== undefined) define('cause', options.cause, false);
    const data = options.data;
    if (data) {
      for (const key of Object.keys(data)) if (!(key in this)) define(key, data[key], true);
    }
  }

  /** Tells whether `value` is an error of mitos, whichever copy of the library made it. */
  static is(value: unknown): value is MitosError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** A context did not come up. `stage`, `argv` (redacted), `exitCode`, `signal`, `stderr` and `elapsedMs` say how far it got. */
export class ConnectError extends MitosError {}
/** The function ran and threw: `cause` is its error, revived. Code `ERR_MITOS_CALL`. */
export class CallError extends MitosError {}
/** The far end of a call or channel is gone, stalled, closed or over a limit. */
export class ChannelError extends MitosError {}
/** A module could not be found, parsed, served or evaluated. */
export class ModuleError extends MitosError {}
/** The request is against the rules of the tree. */
export class PolicyError extends MitosError {}
/** A value cannot cross: `message` names the path to it. */
export class SerializationError extends MitosError {}

const CLASSES = { MitosError, ConnectError, CallError, ChannelError, ModuleError, PolicyError, SerializationError };

for (const name of Object.keys(CLASSES)) {
  const prototype = CLASSES[name as keyof typeof CLASSES].prototype;
  Object.defineProperty(prototype, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(prototype, BRAND, { value: true });
}

/** The class that an error with `code` has. */
export function classForCode(code: string): typeof MitosError {
  const short = code.slice(10);
  if (short === 'CALL') return CallError;
  if (short === 'POLICY') return PolicyError;
  if (short === 'NOT_SENDABLE') return SerializationError;
  if (/^(MODULE_|ADDON|NOT_CALLABLE|CAPTURE)/.test(short)) return ModuleError;
  if (/^(CONNECT|AUTH|HOST|DNS|REFUSED|TRANSP|PASS|TTY|NO_RUN|RUNTIME|NO_CON|VERSION)/.test(short)) return ConnectError;
  if (/^(NO_ROUTE|DISC|SHUT|CHILD|TOO_L|LIMIT|PROTO)/.test(short)) return ChannelError;
  return MitosError;
}

/** Makes the error of the right class for `code`. */
export function mitosError(code: ErrorCode, message: string, options?: MitosErrorOptions): MitosError {
  return new (classForCode(code))(code, message, options);
}
