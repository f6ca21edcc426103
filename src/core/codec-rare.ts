/** The part of the codec for what is rare: types that JSON has no word for, live values, bytes; and the errors for what cannot be sent. */
import { types } from 'util';
import { failed, open, PROTOCOL, type Reading, revive } from './codec-decode.ts';
import { checkSize, encode, quote, tagged, type Writing, write, writeItems, writeMembers } from './codec-encode.ts';
import { BYTES, type CodecLimits } from './codec-format.ts';
import { type ErrorData, errorFromData, isError, readError } from './error-data.ts';
import { type ErrorCode, MitosError, mitosError } from './errors.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { Secret } from './secret.ts';
import type { Message } from './wire.ts';

type ViewConstructor = new (buffer: ArrayBuffer) => ArrayBufferView;

const HEADER_BYTES = 5;
/** Bytes that are copied when they are encoded; more are left where they are, see {@link Message}. */
const COPIED_BYTES = 4194304;
/** Byte arrays from here on are views: a message this large was put together from fragments and has its buffer to itself. */
const VIEW_BYTES = 0x10000;
const NOT_SENDABLE = 'ERR_MITOS_NOT_SENDABLE';
const LIMIT = 'ERR_MITOS_LIMIT';
/** What an error carries is left out when it takes more. */
const DATA_LIMITS: CodecLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 0x1000000 };
const MAX_ERRORS_IN_DATA = 3;
const getPrototypeOf = Object.getPrototypeOf as (value: object) => object | null;

// ---- writing

/** Writes what is neither text, number, list nor plain object of this realm; or refuses it. */
export function writeRare(state: Writing, value: unknown, depth: number): string {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(4097, value) !== value) throw unsendable(state, depth, LIMIT, 'it is a bigint of more than 4096 bits');
    return tagged('bigint', `"${value}"`);
  }
  if (typeof value !== 'object') throw unsendable(state, depth, NOT_SENDABLE, `a ${typeof value} cannot be sent`);
  const object = value as object;
  const prototype = getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isForeignObject(prototype)) return writeSpecial(state, object, depth);
  return Symbol.asyncIterator in object ? writeLive(state, object, depth) : writeMembers(state, object, depth);
}

/** `Object.prototype` of another realm. */
function isForeignObject(prototype: object): boolean {
  return getPrototypeOf(prototype) === null && Object.prototype.hasOwnProperty.call(prototype, 'isPrototypeOf');
}

/** Writes what is neither an array nor a plain object. A subclass of a built-in class is a class of its own and refused, but for errors. */
function writeSpecial(state: Writing, value: object, depth: number): string {
  if (isError(value)) return tagged('Error', write(state, errorToData(value), depth + 1));
  if (Secret.is(value)) return writePart(state, 'Secret', value.bytes());
  const name = className(value);
  if (name === 'Date' && types.isDate(value)) return tagged(name, JSON.stringify(Date.prototype.getTime.call(value)));
  if (name === 'URL' && value instanceof URL) return tagged(name, quote(value.href));
  if ((name === 'Set' && types.isSet(value)) || (name === 'Map' && types.isMap(value))) {
    const items: unknown[] = [];
    (value as Map<unknown, unknown>).forEach((item, key) => (name === 'Set' ? items.push(item) : items.push(key, item)));
    return tagged(name, writeItems(state, items, depth));
  }
  if (BYTES.test(name)) {
    if (ArrayBuffer.isView(value)) return writePart(state, name, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    if (types.isArrayBuffer(value)) return writePart(state, name, new Uint8Array(value));
  }
  return writeLive(state, value, depth);
}

function className(value: object): string {
  const { constructor } = value;
  return (typeof constructor === 'function' && constructor.name) || '(anonymous)';
}

function writePart(state: Writing, type: string, bytes: Uint8Array): string {
  state.parts.push(bytes);
  return tagged(type, bytes.length);
}

function writeLive(state: Writing, value: object, depth: number): string {
  const { hooks } = state;
  const descriptor = hooks.encodeLive && hooks.encodeLive(value, pathOf(state, depth));
  if (descriptor !== undefined) return tagged('live', JSON.stringify(descriptor));
  const name = className(value);
  const advice = name === 'Promise' ? 'await it first' : 'send a plain object';
  throw unsendable(state, depth, NOT_SENDABLE, `an instance of class ${name} cannot be sent; ${advice}`);
}

/** A payload of text and the bytes that belong to it. */
export function joinParts(state: Writing, text: string, headroom: number): Message {
  const { parts } = state;
  const textBytes = Buffer.byteLength(text);
  const size = parts.reduce((sum, part) => sum + part.length, textBytes + HEADER_BYTES);
  checkSize(state, size);
  const isLarge = size - textBytes > COPIED_BYTES;
  const buffer: Message = Buffer.allocUnsafe(headroom + (isLarge ? textBytes + HEADER_BYTES : size));
  buffer[headroom] = 0;
  let end = buffer.writeUInt32BE(textBytes, headroom + 1);
  end += buffer.write(text, end, textBytes === text.length ? 'latin1' : 'utf8');
  if (isLarge) {
    buffer.pieces = parts;
    return buffer;
  }
  for (const part of parts) {
    buffer.set(part, end);
    end += part.length;
  }
  return buffer;
}

// ---- errors on the way

/**
 * Turns whatever was thrown into data that {@link encode} accepts. Never throws.
 *
 * Causes (and the errors of an `AggregateError`) are followed down to `depth`, each error once; own properties that cannot be sent or take more than
 * 16 MiB are left out, live values too; names, messages and stacks are cut at 64 Ki characters. What is not an error is kept in `value`, or told of when
 * it cannot be sent.
 *
 * @param depth Errors behind one another. @default 8
 */
export function errorToData(error: unknown, depth: number = 8): ErrorData {
  return readError(error, isSendable, depth);
}

/** How many errors, each in the data of the one before, are being tried. */
let errorsInData = 0;

function isSendable(value: unknown): boolean {
  if (errorsInData > MAX_ERRORS_IN_DATA) return false;
  errorsInData++;
  try {
    encode(value, '', 0, {}, DATA_LIMITS);
    return true;
  } catch {
    return false;
  } finally {
    errorsInData--;
  }
}

// ---- what is refused

/** The error for what was thrown while a value was read: a getter or a trap of a proxy may throw anything. */
export function refusal(state: Writing, error: unknown): unknown {
  return MitosError.is(error) ? error : unsendable(state, state.depth, NOT_SENDABLE, 'reading it threw an error', error);
}

/** The error for a value with too much in it. */
export function tooMany(state: Writing): MitosError {
  return unsendable(state, 0, LIMIT, `it has more than ${state.limits.maxNodes} values (maxNodes)`);
}

/** The error for a value inside too many others. */
export function tooDeep(state: Writing, depth: number): MitosError {
  return unsendable(state, depth, LIMIT, `it is nested deeper than ${depth} levels (maxDepth)`);
}

/** The error for a value that takes too many bytes. */
export function tooLarge(state: Writing, bytes: number): MitosError {
  const limit = state.limits.maxMessageBytes;
  return unsendable(state, 0, 'ERR_MITOS_TOO_LARGE', `it takes ${bytes} bytes or more, the limit is ${limit} (maxMessageBytes)`);
}

function unsendable(state: Writing, depth: number, code: ErrorCode, what: string, cause?: unknown): MitosError {
  return mitosError(code, `Cannot send ${pathOf(state, depth)}: ${what}`, { cause });
}

function pathOf(state: Writing, depth: number): string {
  let path = state.root;
  for (const step of state.steps.slice(0, depth)) {
    path += typeof step === 'string' && /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  return path.length > 200 ? `${path.slice(0, 100)}...${path.slice(-90)}` : path;
}

// ---- reading

/** Makes what is tagged with `type`. What makes a constructor throw here is reported as malformed by `decode`. */
export function reviveRare(state: Reading, type: unknown, v: unknown, depth: number): unknown {
  const { objects } = state;
  const text = typeof v === 'string' ? v : '';
  switch (type) {
    case 'bigint':
      return BigInt(text.slice(0, 1235));
    case 'Date':
      return open(state, new Date(typeof v === 'number' ? v : NaN), depth);
    case 'URL':
      return open(state, new URL(text), depth);
    case 'Set':
    case 'Map':
      return reviveCollection(state, type === 'Map', v, depth);
    case 'Error':
    case 'live': {
      const place = objects.length;
      open(state, undefined, depth);
      return (objects[place] = type === 'Error' ? errorFromData(revive(state, v, depth + 1)) : reviveLive(state, v));
    }
    default:
      return open(state, reviveBytes(state, String(type), v), depth);
  }
}

function reviveCollection(state: Reading, isMap: boolean, list: unknown, depth: number): unknown {
  const collection = open(state, isMap ? new Map() : new Set(), depth) as Map<unknown, unknown> & Set<unknown>;
  const items = Array.isArray(list) ? (list as unknown[]) : [];
  for (let at = 0; at < items.length; at++) {
    const item = revive(state, items[at], depth + 1);
    if (isMap) collection.set(item, revive(state, items[++at], depth + 1));
    else collection.add(item);
  }
  return collection;
}

function reviveLive({ hooks }: Reading, descriptor: unknown): unknown {
  if (!hooks.decodeLive) throw failed(PROTOCOL, 'a live value in it has no meaning here');
  return hooks.decodeLive(descriptor);
}

function reviveBytes(state: Reading, type: string, length: unknown): object {
  const { payload, cursor } = state;
  const bytes = payload.subarray(cursor, cursor + (length as number));
  if (bytes.length !== length || !(type === 'Secret' || BYTES.test(type)))
    throw failed(PROTOCOL, 'bytes of it are missing or of no known type');
  state.cursor += length;
  if (type === 'Secret') {
    const secret = new Secret(bytes);
    bytes.fill(0);
    return secret;
  }
  const isLarge = length >= VIEW_BYTES;
  if (type === 'Buffer') return isLarge ? bytes : Buffer.from(bytes);
  if (type === 'Uint8Array' && isLarge) return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
  const copy = new Uint8Array(bytes);
  if (type === 'ArrayBuffer') return copy.buffer;
  // BYTES has let through the names of view classes only.
  return new (globalThis as unknown as Record<string, ViewConstructor>)[type]!(copy.buffer);
}
