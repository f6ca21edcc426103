/**
 * The format of payloads: what {@link encode} writes and {@link decode} reads.
 *
 * An empty payload is `undefined`. Otherwise it is JSON text in UTF-8; when values are bytes, it is
 *
 *     00 | u32 length of the text, big endian | text | the bytes of each such value, in the order of the text
 *
 * (JSON never starts with 00). What JSON has no word for is an object whose key `$`, written exactly `"$":`, names the type:
 *
 *     {"$":"undefined","v":0}                holes in arrays too
 *     {"$":"number","v":"NaN"}               NaN, Infinity, -Infinity, -0
 *     {"$":"bigint","v":"-12"}               decimal, at most 4096 bits
 *     {"$":"Date","v":0}                     milliseconds since 1970, null when invalid
 *     {"$":"URL","v":"http://a/"}
 *     {"$":"Map","v":[key,value,key,value]}
 *     {"$":"Set","v":[item]}
 *     {"$":"Uint8Array","v":3}               how many bytes it takes (elements little endian); any name that {@link BYTES} matches
 *     {"$":"Secret","v":3}                   the same
 *     {"$":"Error","v":{"name":"","message":"","stack":"","code":"","cause":{},"errors":[{}],"data":{"key":any}}}
 *                                            `cause` and `errors` hold such objects again, {"value":any} for what is no error
 *     {"$":"object","v":{"$":1}}             a plain object that itself has a key `$`
 *     {"$":"ref","v":0}                      the same object again; objects are numbered from 0 as they open in the text: arrays, plain objects and
 *                                            everything tagged but undefined, number, bigint and ref
 *     {"$":"live","v":descriptor}            a Context, Sender, stream, …; the descriptor is plain JSON, and not looked into
 *
 * Keys that are array indices come first in an object, ascending: the order ECMAScript gives them, on which numbers and bytes rely.
 */
import type { Limits } from './limits.ts';

/** How values that stay where they are (Context, Sender, streams, AbortSignal, AsyncIterable) cross. */
export interface CodecHooks {
  /**
   * Turns a live value into plain JSON data, or gives `undefined` when it is none. Called only for objects that are neither plain nor of a
   * type the codec knows, and for async iterables; never for what an error carries. Encoding can still fail afterwards.
   */
  encodeLive?(value: object, path: string): unknown;
  /** The reverse. The descriptor comes from the peer: check it. */
  decodeLive?(descriptor: unknown): unknown;
}

/** Bounds of one message, on both sides. */
export type CodecLimits = Pick<Limits, 'maxDepth' | 'maxNodes' | 'maxMessageBytes'>;

/** The types that are bytes, by the name of their global class. */
export const BYTES: RegExp = /^(ArrayBuffer|Buffer|DataView|(Big(Ui|I)nt64|(Ui|I)nt(8|16|32)|Uint8Clamped|Float(32|64))Array)$/;
