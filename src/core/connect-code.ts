/** What errors of the system mean for a connection that was to be made. */
import type { ErrorCode } from './errors.ts';

const CODES: Record<string, ErrorCode> = {
  ENOTFOUND: 'ERR_MITOS_DNS',
  EAI_AGAIN: 'ERR_MITOS_DNS',
  EAI_FAIL: 'ERR_MITOS_DNS',
  ECONNREFUSED: 'ERR_MITOS_REFUSED',
  EHOSTUNREACH: 'ERR_MITOS_REFUSED',
  ENETUNREACH: 'ERR_MITOS_REFUSED',
  EACCES: 'ERR_MITOS_REFUSED',
  ENOENT: 'ERR_MITOS_REFUSED',
  ETIMEDOUT: 'ERR_MITOS_CONNECT_TIMEOUT',
  EMFILE: 'ERR_MITOS_RESOURCE',
  ENFILE: 'ERR_MITOS_RESOURCE',
};

/** Our code for an error of the system while connecting; undefined when it says nothing in particular. */
export function connectCode(code: unknown): ErrorCode | undefined {
  return Object.prototype.hasOwnProperty.call(CODES, String(code)) ? CODES[String(code)] : undefined;
}
