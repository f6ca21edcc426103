/** The whole codec, with all types and with limits that hold when nothing else is said: see `codec-format.ts`. */
import { decode as read } from './codec-decode.ts';
import { encode as write } from './codec-encode.ts';
import type { CodecHooks, CodecLimits } from './codec-format.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Message } from './wire.ts';
import './whole.ts';

export type { CodecHooks, CodecLimits } from './codec-format.ts';
export { errorToData } from './codec-rare.ts';
export { type ErrorData, errorFromData } from './error-data.ts';

/** Values to payloads. */
export function encode(
  value: unknown,
  path: string,
  headroom: number,
  hooks: CodecHooks = {},
  limits: CodecLimits = DEFAULT_LIMITS,
): Message {
  return write(value, path, headroom, hooks, limits);
}

/** And back. */
export function decode(payload: Buffer, hooks: CodecHooks = {}, limits: CodecLimits = DEFAULT_LIMITS): unknown {
  return read(payload, hooks, limits);
}
