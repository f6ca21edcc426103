/** TCP connections that another context makes, as streams of this one. */

import { Duplex } from 'stream';
import { createAbort } from '../core/abort.ts';
import { Receiver, Sender } from '../core/channel.ts';
import type { DialFlows, DialOrder, DialOutcome } from '../core/dial-order.ts';
import { mitosError } from '../core/errors.ts';
import type { Context } from './context.ts';
import { ExecStdin } from './exec-input.ts';
import { callService } from './service-call.ts';

/** Where to connect to. */
export interface DialTarget {
  /** A host, as it is called there. */
  host: string;
  port: number;
}

/**
 * Connects from `context` to a TCP port. The stream can be written to at once; it ends half by half, and both sides hold each other back.
 *
 * It fails with `ERR_MITOS_DNS`, `ERR_MITOS_REFUSED` or `ERR_MITOS_CONNECT_TIMEOUT` when the connection cannot be made, with
 * `ERR_MITOS_DISCONNECTED` when it breaks, and with the reason when the context ends. Destroying the stream closes the connection.
 */
export function dial(context: Context, target: DialTarget): Duplex {
  return new Dialed(context, target);
}

class Dialed extends Duplex {
  readonly #context: Context;
  readonly #target: DialTarget;
  /** Not there on old Nodes, where the far side notices with the next bytes. */
  readonly #controller: AbortController = createAbort();
  readonly #input: ExecStdin = new ExecStdin();
  readonly #receiver: Receiver<Uint8Array>;
  readonly #output: AsyncIterator<Uint8Array>;
  /** What was written in the turn in which this was made: it travels with the order. */
  #first: Uint8Array[] | undefined = [];

  constructor(context: Context, target: DialTarget) {
    super();
    this.#context = context;
    this.#target = target;
    this.#receiver = new Receiver<Uint8Array>(context.runtime.live.channels, context.id);
    this.#output = this.#receiver[Symbol.asyncIterator]();
    setImmediate(() => this.#order());
  }

  #order(): void {
    if (this.destroyed) return;
    const { runtime } = this.#context;
    const order: DialOrder = { ...this.#target, first: Buffer.concat(this.#first || []) };
    this.#first = undefined;
    const output = new Sender<Uint8Array>(runtime.live.channels, runtime.endpoint.id, this.#receiver.handle);
    const flows: DialFlows = { input: this.#input, output };
    callService(this.#context, 'mitos:dial#connect', [order, flows], { signal: this.#controller.signal }).then(
      (outcome) => this.#onOutcome(outcome as DialOutcome),
      (error) => this.destroy(error as Error),
    );
  }

  #onOutcome({ failure }: DialOutcome): void {
    // What came last may still be on its way to the reader.
    if (!failure) return;
    const { host, port } = this.#target;
    this.destroy(mitosError(failure.code, `Cannot reach ${host}:${port} from "${this.#context.name}": ${failure.message}`));
  }

  override _write(chunk: Uint8Array, _encoding: string, taken: (error?: Error | null) => void): void {
    if (!this.#first) this.#input.write(chunk, taken);
    else {
      this.#first.push(chunk);
      taken();
    }
  }

  override _final(done: () => void): void {
    this.#input.end();
    done();
  }

  override _read(): void {
    this.#output.next().then(
      ({ done, value }) => this.push(done ? null : Buffer.from(value.buffer, value.byteOffset, value.length)),
      (error) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#controller.abort();
    this.#input.destroy();
    this.#receiver.close();
    done(error);
  }
}
