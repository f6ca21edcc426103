/**
 * The receiving half of the codec. Everything here may come from a hostile peer: bounded, and nothing is trusted but after a check. What is not plain
 * data is for `codec-rare.ts`.
 */
import type { CodecHooks, CodecLimits } from './codec-format.ts';
import { type ErrorCode, MitosError, mitosError } from './errors.ts';
import { rare } from './rare.ts';

/** A message that is being read. */
export interface Reading {
  readonly payload: Buffer;
  readonly limits: CodecLimits;
  readonly hooks: CodecHooks;
  /** Every object made, in the order it opened in the text. */
  readonly objects: unknown[];
  /** Where the bytes of the next value start. */
  cursor: number;
}

interface Tagged {
  readonly $: unknown;
  readonly v?: unknown;
}

type Members = Record<string, unknown>;

const HEADER_BYTES = 5;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
/** `{`, and `[` with the bit SMALL; the same for `}` and `]`. */
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SMALL = 0x20;
const LIMIT = 'ERR_MITOS_LIMIT';
/** The code for what cannot be read. */
export const PROTOCOL = 'ERR_MITOS_PROTOCOL' as const;

/**
 * Reads a payload that {@link encode} wrote, here or on another version or machine.
 *
 * Takes ownership of `payload`: a `Uint8Array` or `Buffer` of 64 KiB and more is a view on it, all other bytes are copies; those of a `Secret` are then
 * zeroed in it. A key `__proto__` becomes an own property like any other.
 *
 * Throws `ERR_MITOS_PROTOCOL` when the payload is malformed, `ERR_MITOS_LIMIT` and `ERR_MITOS_TOO_LARGE` when it is over a limit, and nothing else.
 */
export function decode(payload: Buffer, hooks: CodecHooks, limits: CodecLimits): unknown {
  const size = payload.length;
  if (size === 0) return undefined;
  if (size > limits.maxMessageBytes)
    throw failed('ERR_MITOS_TOO_LARGE', `it takes ${size} bytes, the limit is ${limits.maxMessageBytes} (maxMessageBytes)`);
  try {
    const start = payload[0] === 0 ? HEADER_BYTES : 0;
    const end = start ? start + payload.readUInt32BE(1) : size;
    const text = payload.toString('utf8', start, end);
    const isTagged = text.includes('"$":');
    checkText(payload, start, Math.min(end, size), isTagged, limits);
    let value: unknown = JSON.parse(text);
    const state: Reading = { payload, limits, hooks, objects: [], cursor: end };
    if (isTagged) value = revive(state, value, 0);
    if (state.cursor !== size) throw failed(PROTOCOL, 'its sizes do not add up');
    return value;
  } catch (error) {
    // A SyntaxError quotes the payload, which may be secret.
    throw MitosError.is(error) ? error : failed(PROTOCOL, 'it is malformed', error instanceof SyntaxError ? undefined : error);
  }
}

/** The error for a message that cannot be read. */
export function failed(code: ErrorCode, what: string, cause?: unknown): MitosError {
  return mitosError(code, `Cannot read a message: ${what}`, { cause });
}

function checkDepth(depth: number, limit: number): void {
  if (depth > limit) throw failed(LIMIT, `it is nested deeper than ${limit} levels (maxDepth)`);
}

/** Counts depth and values before anything is allocated for them. Text too short to be over a limit is not looked at. */
function checkText(payload: Buffer, start: number, end: number, isTagged: boolean, limits: CodecLimits): void {
  // One tagged value is written as up to two levels and four values; descriptors and errors have a few levels more.
  const maxDepth = isTagged ? 2 * limits.maxDepth + 16 : limits.maxDepth;
  const maxNodes = isTagged ? 4 * limits.maxNodes : limits.maxNodes;
  if (end - start < 2 * Math.min(maxDepth, maxNodes)) return;
  let depth = 0;
  let nodes = 1;
  for (let at = start; at < end; at++) {
    const byte = payload[at]!; // at < end, which is inside
    if (byte === QUOTE) {
      while (++at < end && payload[at] !== QUOTE) if (payload[at] === BACKSLASH) at++;
    } else if (byte === COMMA) {
      nodes++;
    } else if ((byte | SMALL) === OPEN) {
      if ((payload[at + 1]! | SMALL) !== CLOSE) nodes++;
      checkDepth(++depth, maxDepth);
    } else if ((byte | SMALL) === CLOSE) {
      depth--;
    }
  }
  if (nodes > maxNodes) throw failed(LIMIT, `it has more than ${maxNodes} values (maxNodes)`);
}

/** Replaces what is tagged in `value`, in place. Assigning is safe: every key assigned to is an own property already. */
export function revive(state: Reading, value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.prototype.hasOwnProperty.call(value, '$')) return reviveTagged(state, value as Tagged, depth);
  return reviveMembers(state, open(state, value, depth), depth);
}

/** Takes the next number for an object. */
export function open<T>({ objects, limits }: Reading, object: T, depth: number): T {
  checkDepth(depth + 1, limits.maxDepth);
  objects.push(object);
  return object;
}

function reviveMembers(state: Reading, value: object, depth: number): object {
  for (const key of Object.keys(value)) {
    const item = (value as Members)[key];
    if (typeof item === 'object') (value as Members)[key] = revive(state, item, depth + 1);
  }
  return value;
}

function reviveTagged(state: Reading, { $: type, v }: Tagged, depth: number): unknown {
  const { objects } = state;
  switch (type) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(v);
    case 'ref':
      if (!Number.isInteger(v) || !((v as number) in objects)) throw failed(PROTOCOL, 'it refers to an object it does not have');
      return objects[v as number];
    case 'object':
      return reviveMembers(state, open(state, v as object, depth), depth);
    default:
      return rare().reviveRare(state, type, v, depth);
  }
}
