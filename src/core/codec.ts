/** Values to payloads and back. The format is told in `codec-format.ts`. */
export { decode } from './codec-decode.ts';
export { encode, errorToData } from './codec-encode.ts';
export type { CodecHooks, CodecLimits } from './codec-format.ts';
export { type ErrorData, errorFromData } from './error-data.ts';
