/** Why something has no answer, as data in a dead message or a notice. */
import { type ErrorCode, type MitosError, mitosError } from './errors.ts';

/** The reason on the wire. */
export interface Reason {
  code: ErrorCode;
  message: string;
  hint?: string | undefined;
  via?: readonly string[];
  data?: Record<string, unknown>;
}

const CODE = /^ERR_MITOS_[A-Z_]{1,40}$/;

/** An error as a reason. */
export function toReason(error: MitosError): Reason {
  const { code, message, hint, via } = error;
  const data: Record<string, unknown> = {};
  for (const key of Object.keys(error)) {
    if (key !== 'code' && key !== 'hint' && key !== 'via') data[key] = (error as unknown as Record<string, unknown>)[key];
  }
  return { code, message, hint, via, data };
}

/** A reason that fits into a frame: without its facts when it is too long. */
export function shortReason(reason: Reason): Reason {
  if (JSON.stringify(reason).length <= 16384) return reason;
  const { code, message, hint } = reason;
  return { code, message: message.slice(0, 2048), hint: hint && hint.slice(0, 512) };
}

/** A reason as an error. Takes anything, as it may come from below. */
export function fromReason(value: unknown): MitosError {
  const { code, message, hint, via, data } = (value && typeof value === 'object' ? value : {}) as Partial<Reason>;
  return mitosError(
    typeof code === 'string' && CODE.test(code) ? code : 'ERR_MITOS_DISCONNECTED',
    typeof message === 'string' ? message.slice(0, 8192) : 'The peer gave no reason',
    {
      ...(typeof hint === 'string' ? { hint: hint.slice(0, 1024) } : {}),
      ...(Array.isArray(via) ? { via: via.slice(0, 64).filter((name) => typeof name === 'string') } : {}),
      ...(data && typeof data === 'object' ? { data } : {}),
    },
  );
}
