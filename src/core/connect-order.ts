/**
 * The data of a CONNECT message: an order to start a child. It is a line of JSON; secrets in the options are not in its text but
 * follow as bytes, so that they can be overwritten after use and are in no text that might be logged.
 */
import type { StartOptions } from './config.ts';
import { mitosError } from './errors.ts';
import { Secret } from './secret.ts';
import type { ContextId } from './wire.ts';

/** An order to start a child. */
export interface ConnectOrder {
  id: ContextId;
  name: string;
  method: string;
  /** Where the program gave a secret, the hop that takes the order has a buffer of its own with the bytes. */
  options: StartOptions & Record<string, unknown>;
  /** Set by the hop that takes the order. */
  search?: RuntimeSearch;
}

/** How the first stage gets at a Node. */
export interface RuntimeSearch {
  /** `never`: it is there, or the first stage ends; `auto` and `look`: where there is none, it waits to be given one; `push`: it does so without looking for one that is installed. */
  mode: 'auto' | 'never' | 'push' | 'look';
  /** What sets the arguments of the shell to a Node that was pushed before, or fails. No other one is looked for then. */
  known?: string | undefined;
}

/** Writes an order. */
export function packOrder(order: ConnectOrder): Buffer {
  const secrets: Uint8Array[] = [];
  const text = JSON.stringify(order, function (this: Record<string, unknown>, key, value) {
    const original = this[key];
    if (!Secret.is(original)) return value as unknown;
    // Another copy of the library may have made it.
    const bytes = Buffer.from(original.reveal());
    secrets.push(bytes);
    return { $secret: bytes.length };
  });
  const packed = Buffer.concat([Buffer.from(`${text}\n`), ...secrets]);
  for (const bytes of secrets) bytes.fill(0);
  return packed;
}

/** Reads an order, and overwrites the secrets in `data`. Throws a MitosError when it is not one. */
export function unpackOrder(data: Buffer): ConnectOrder {
  const end = data.indexOf(10);
  let at = end + 1;
  const order = JSON.parse(data.toString('utf8', 0, end), (_key, value: { $secret?: number } | null) => {
    const size = value ? value.$secret : undefined;
    return typeof size === 'number' ? Buffer.from(data.subarray(at, (at += size))) : value;
  }) as ConnectOrder;
  if (at > data.length) throw mitosError('ERR_MITOS_PROTOCOL', 'An order to connect is cut short');
  data.fill(0, end + 1);
  return order;
}
