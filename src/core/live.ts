/**
 * Values that stay alive when they are sent: contexts, channels, streams, iterables and abort signals cross as small
 * descriptors, and messages between their two ends do the rest. Handing one over also opens the way to it.
 */

import type { Channels, ItemCodec } from './channel.ts';
import { decode } from './codec-decode.ts';
import { encode } from './codec-encode.ts';
import type { CodecHooks } from './codec-format.ts';
import type { Endpoint } from './endpoint.ts';
import type { MitosError } from './errors.ts';
import { rare } from './rare.ts';
import type { IdSet } from './route-table.ts';
import { type ContextId, HEADER } from './wire.ts';

/** Marks the Context class of whatever copy of the library. */
export const CONTEXT: unique symbol = Symbol.for('mitos.context') as never;

/** Encodes and decodes messages of one endpoint, live values included. */
export class LiveValues implements ItemCodec {
  readonly endpoint: Endpoint;
  /** Id of the module that holds the Context class; told along with every context. */
  apiModule: number | undefined;
  /** Makes a Context; set by whoever has that class. */
  makeContext: (id: ContextId, name: string) => unknown = () => undefined;
  /** Called when a context is about to be handed to `dst`, which needs the Context class then. */
  onContextSent: (dst: ContextId, id: ContextId) => void = () => {};
  /** While set, what has to be undone when the call at hand is over is put here. */
  disposers: (() => void)[] | undefined;
  #channels: Channels | undefined;
  readonly #hooks: CodecHooks;
  #dst: ContextId = 0;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.#hooks = {
      encodeLive: (value) => rare().encodeLive(this, value, this.#dst),
      decodeLive: (descriptor) => rare().decodeLive(this, descriptor),
    };
  }

  /** The channels that end here. */
  get channels(): Channels {
    return this.#channels || (this.#channels = new (rare().Channels)(this.endpoint, this));
  }

  /** A message for `dst`, with room for the header and `extra` bytes in front of the payload. */
  encode(value: unknown, path: string, dst: ContextId, extra: number = 0): Buffer {
    this.#dst = dst;
    return encode(value, path, HEADER + extra, this.#hooks, this.endpoint.limits);
  }

  /** The value of a message whose payload starts `extra` bytes behind the header. */
  decode(message: Buffer, extra: number = 0): unknown {
    return decode(message.subarray(HEADER + extra), this.#hooks, this.endpoint.limits);
  }

  /** Ends the channels to contexts that are gone. */
  onGone(gone: IdSet, reason: MitosError): void {
    if (this.#channels) this.#channels.onGone(gone, reason);
  }
}
