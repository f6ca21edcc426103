/** The sending half of the codec: one walk that writes text, reads every property once and collects bytes on the side. */
import { types } from 'util';
import { BYTES, type CodecHooks, type CodecLimits } from './codec-format.ts';
import { type ErrorData, isError, readError } from './error-data.ts';
import { type ErrorCode, MitosError, mitosError } from './errors.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { Secret } from './secret.ts';
import type { Message } from './wire.ts';

interface State {
  readonly root: string;
  readonly limits: CodecLimits;
  readonly hooks: CodecHooks;
  /** The way to the value being written: `steps[depth]`, an index or a key, is set by the container at `depth`. */
  readonly steps: (number | string)[];
  /** Every object met, in the order it opened. */
  readonly objects: object[];
  /** Place in `objects`; made when there are too many to look through. */
  index: Map<object, number> | undefined;
  readonly parts: Uint8Array[];
  /** Values met. */
  nodes: number;
}

const FEW = 16;
const HEADER_BYTES = 5;
/** Text that JSON quotes as it is. */
const SIMPLE = /^[ !#-[\]-~]*$/;
const NOT_SENDABLE = 'ERR_MITOS_NOT_SENDABLE';
const LIMIT = 'ERR_MITOS_LIMIT';
/** What an error carries is left out when it takes more. */
const DATA_LIMITS: CodecLimits = { ...DEFAULT_LIMITS, maxMessageBytes: 0x1000000 };
const MAX_ERRORS_IN_DATA = 3;
const getPrototypeOf = Object.getPrototypeOf as (value: object) => object | null;

/**
 * Writes `value` as a payload after `headroom` free bytes (for the frame's header); `undefined` is an empty payload.
 *
 * Kept: everything named in `codec-format.ts`, with shared references and cycles inside one message. Plain objects are those of `{}`, of a null
 * prototype (they arrive with the usual one) and of another realm. A getter is read once; `toJSON` is never called; symbol keys, properties that are not
 * enumerable and named properties of arrays are left out. A view sends only its own bytes. Up to 4 MiB of bytes are copied here; more are copied as they leave, and must not be changed until then. An error goes as {@link errorToData} tells of it.
 *
 * Throws `ERR_MITOS_NOT_SENDABLE` with the path of the value, `ERR_MITOS_LIMIT` (depth, count, size of a bigint), `ERR_MITOS_TOO_LARGE`.
 *
 * @param path Name of the root in messages: `args` gives `args[1].user`.
 */
export function encode(
  value: unknown,
  path: string,
  headroom: number,
  hooks: CodecHooks = {},
  limits: CodecLimits = DEFAULT_LIMITS,
): Message {
  if (value === undefined) return Buffer.allocUnsafe(headroom);
  const state: State = { root: path, limits, hooks, steps: [], objects: [], index: undefined, parts: [], nodes: 0 };
  let text: string;
  try {
    text = write(state, value, 0);
  } catch (error) {
    throw located(state, 0, error);
  }
  const { parts } = state;
  const textBytes = Buffer.byteLength(text);
  let size = textBytes;
  if (parts.length) size = parts.reduce((sum, part) => sum + part.length, size + HEADER_BYTES);
  checkSize(state, size);
  const isLarge = size - textBytes > COPIED_BYTES;
  const buffer: Message = Buffer.allocUnsafe(headroom + (isLarge ? textBytes + HEADER_BYTES : size));
  let end = headroom;
  if (parts.length) {
    buffer[end] = 0;
    end = buffer.writeUInt32BE(textBytes, end + 1);
  }
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

/** Bytes that are copied when they are encoded; more are left where they are, see {@link Message}. */
const COPIED_BYTES = 4194304;

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

function write(state: State, value: unknown, depth: number): string {
  const { maxNodes } = state.limits;
  if (++state.nodes > maxNodes) throw failed(state, 0, LIMIT, `it has more than ${maxNodes} values (maxNodes)`);
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      if (Number.isFinite(value) && (value !== 0 || 1 / value > 0)) return `${value}`;
      return tagged('number', value === 0 ? '"-0"' : `"${value}"`);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : writeObject(state, value, depth);
    case 'undefined':
      return tagged('undefined', 0);
    case 'bigint':
      if (BigInt.asIntN(4097, value) !== value) throw failed(state, depth, LIMIT, 'it is a bigint of more than 4096 bits');
      return tagged('bigint', `"${value}"`);
    default:
      throw failed(state, depth, NOT_SENDABLE, `a ${typeof value} cannot be sent`);
  }
}

function quote(text: string): string {
  return text.length < 40 && SIMPLE.test(text) ? `"${text}"` : JSON.stringify(text);
}

function tagged(type: string, json: string | number): string {
  return `{"$":"${type}","v":${json}}`;
}

function writeObject(state: State, value: object, depth: number): string {
  const seen = find(state, value);
  if (seen >= 0) return tagged('ref', seen);
  if (depth >= state.limits.maxDepth) throw failed(state, depth, LIMIT, `it is nested deeper than ${depth} levels (maxDepth)`);
  if (Array.isArray(value)) return writeItems(state, value, depth);
  const prototype = getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !isForeignObject(prototype)) return writeSpecial(state, value, depth);
  return Symbol.asyncIterator in value ? writeLive(state, value, depth) : writeMembers(state, value, depth);
}

/** `Object.prototype` of another realm. */
function isForeignObject(prototype: object): boolean {
  return getPrototypeOf(prototype) === null && Object.prototype.hasOwnProperty.call(prototype, 'isPrototypeOf');
}

/** The place of an object that was met before; else registers it and gives -1. */
function find(state: State, value: object): number {
  const { objects } = state;
  const count = objects.length;
  if (count === FEW) state.index = new Map(objects.map((object, at) => [object, at]));
  const { index } = state;
  const place = index ? index.get(value) : objects.indexOf(value);
  if (place !== undefined && place >= 0) return place;
  if (index) index.set(value, count);
  objects.push(value);
  return -1;
}

function writeItems(state: State, items: readonly unknown[], depth: number): string {
  let text = '[';
  try {
    for (let at = 0; at < items.length; at++) {
      state.steps[depth] = at;
      const item = write(state, items[at], depth + 1);
      text += at ? `,${item}` : item;
      checkSize(state, text.length);
    }
  } catch (error) {
    throw located(state, depth + 1, error);
  }
  return `${text}]`;
}

function writeMembers(state: State, value: object, depth: number): string {
  const keys = Object.keys(value);
  let text = '';
  try {
    for (const key of keys) {
      state.steps[depth] = key;
      const item = `${quote(key)}:${write(state, (value as Record<string, unknown>)[key], depth + 1)}`;
      text += text ? `,${item}` : item;
      checkSize(state, text.length);
    }
  } catch (error) {
    throw located(state, depth + 1, error);
  }
  text = `{${text}}`;
  return keys.includes('$') ? tagged('object', text) : text;
}

/** Writes what is neither an array nor a plain object. A subclass of a built-in class is a class of its own and refused, but for errors. */
function writeSpecial(state: State, value: object, depth: number): string {
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

function writePart(state: State, type: string, bytes: Uint8Array): string {
  state.parts.push(bytes);
  return tagged(type, bytes.length);
}

function writeLive(state: State, value: object, depth: number): string {
  const { hooks } = state;
  const descriptor = hooks.encodeLive && hooks.encodeLive(value, pathOf(state, depth));
  if (descriptor !== undefined) return tagged('live', JSON.stringify(descriptor));
  const name = className(value);
  const advice = name === 'Promise' ? 'await it first' : 'send a plain object';
  throw failed(state, depth, NOT_SENDABLE, `an instance of class ${name} cannot be sent; ${advice}`);
}

function checkSize(state: State, bytes: number): void {
  const limit = state.limits.maxMessageBytes;
  if (bytes > limit)
    throw failed(state, 0, 'ERR_MITOS_TOO_LARGE', `it takes ${bytes} bytes or more, the limit is ${limit} (maxMessageBytes)`);
}

/** Turns what a getter or a trap of a proxy threw into a refusal. */
function located(state: State, depth: number, error: unknown): unknown {
  return MitosError.is(error) ? error : failed(state, depth, NOT_SENDABLE, 'reading it threw an error', error);
}

function failed(state: State, depth: number, code: ErrorCode, what: string, cause?: unknown): MitosError {
  return mitosError(code, `Cannot send ${pathOf(state, depth)}: ${what}`, { cause });
}

function pathOf(state: State, depth: number): string {
  let path = state.root;
  for (const step of state.steps.slice(0, depth)) {
    path += typeof step === 'string' && /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  return path.length > 200 ? `${path.slice(0, 100)}...${path.slice(-90)}` : path;
}
