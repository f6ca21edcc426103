/**
 * The sending half of the codec: one walk that writes text, reads every property once and collects bytes on the side. What is not plain data, and what
 * cannot be sent, is for `codec-rare.ts`.
 */
import type { CodecHooks, CodecLimits } from './codec-format.ts';
import { rare } from './rare.ts';
import type { Message } from './wire.ts';

/** A message that is being written. */
export interface Writing {
  readonly root: string;
  readonly limits: CodecLimits;
  readonly hooks: CodecHooks;
  /** The way to the value being written: `steps[depth]`, an index or a key, is set by the container at `depth`. */
  readonly steps: (number | string)[];
  /** How many of the steps lead to what is being read. */
  depth: number;
  /** Every object met, in the order it opened. */
  readonly objects: object[];
  /** Place in `objects`; made when there are too many to look through. */
  index: Map<object, number> | undefined;
  readonly parts: Uint8Array[];
  /** Values met. */
  nodes: number;
}

const FEW = 16;
/** Text that JSON quotes as it is. */
const SIMPLE = /^[ !#-[\]-~]*$/;

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
export function encode(value: unknown, path: string, headroom: number, hooks: CodecHooks, limits: CodecLimits): Message {
  if (value === undefined) return Buffer.allocUnsafe(headroom);
  const state: Writing = { root: path, limits, hooks, steps: [], depth: 0, objects: [], index: undefined, parts: [], nodes: 0 };
  let text: string;
  try {
    text = write(state, value, 0);
  } catch (error) {
    throw rare().refusal(state, error);
  }
  if (state.parts.length) return rare().joinParts(state, text, headroom);
  const size = Buffer.byteLength(text);
  checkSize(state, size);
  const buffer = Buffer.allocUnsafe(headroom + size);
  buffer.write(text, headroom, size === text.length ? 'latin1' : 'utf8');
  return buffer;
}

/** Writes any value that is met at `depth`. */
export function write(state: Writing, value: unknown, depth: number): string {
  if (++state.nodes > state.limits.maxNodes) throw rare().tooMany(state);
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      if (Number.isFinite(value) && (value !== 0 || 1 / value > 0)) return `${value}`;
      return tagged('number', value === 0 ? '"-0"' : `"${value}"`);
    case 'boolean':
      return `${value}`;
    case 'object':
      return value === null ? 'null' : writeObject(state, value, depth);
    case 'undefined':
      return tagged('undefined', 0);
    default:
      return rare().writeRare(state, value, depth);
  }
}

/** A text as JSON. */
export function quote(text: string): string {
  return text.length < 40 && SIMPLE.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** What JSON has no word for. */
export function tagged(type: string, json: string | number): string {
  return `{"$":"${type}","v":${json}}`;
}

function writeObject(state: Writing, value: object, depth: number): string {
  const seen = find(state, value);
  if (seen >= 0) return tagged('ref', seen);
  if (depth >= state.limits.maxDepth) throw rare().tooDeep(state, depth);
  if (Array.isArray(value)) return writeItems(state, value, depth);
  const prototype = Object.getPrototypeOf(value) as unknown;
  return (prototype !== Object.prototype && prototype !== null) || Symbol.asyncIterator in value
    ? rare().writeRare(state, value, depth)
    : writeMembers(state, value, depth);
}

/** The place of an object that was met before; else registers it and gives -1. */
function find(state: Writing, value: object): number {
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

/** Writes a list as an array. */
export function writeItems(state: Writing, items: readonly unknown[], depth: number): string {
  let text = '[';
  for (let at = 0; at < items.length; at++) {
    step(state, depth, at);
    const item = write(state, items[at], depth + 1);
    text += at ? `,${item}` : item;
    checkSize(state, text.length);
  }
  return `${text}]`;
}

/** Writes the properties of an object as a plain one. */
export function writeMembers(state: Writing, value: object, depth: number): string {
  const keys = Object.keys(value);
  let text = '';
  for (const key of keys) {
    step(state, depth, key);
    const item = `${quote(key)}:${write(state, (value as Record<string, unknown>)[key], depth + 1)}`;
    text += text ? `,${item}` : item;
    checkSize(state, text.length);
  }
  text = `{${text}}`;
  return keys.includes('$') ? tagged('object', text) : text;
}

function step(state: Writing, depth: number, to: number | string): void {
  state.steps[depth] = to;
  state.depth = depth + 1;
}

/** Refuses a message that is too large. */
export function checkSize(state: Writing, bytes: number): void {
  if (bytes > state.limits.maxMessageBytes) throw rare().tooLarge(state, bytes);
}
