/**
 * The mailboxes of one context: messages in and out, requests and their replies. A *message* is a Buffer like a frame
 * (header, then data) but of any length; large ones cross as fragments, see {@link BulkSender} and {@link Assembler}.
 *
 * Messages for one mailbox of one context arrive in the order they were sent, at most once.
 */
import type { Bulk } from './bulk.ts';
import { MitosError, mitosError } from './errors.ts';
import * as handles from './handles.ts';
import type { Limits } from './limits.ts';
import { rare } from './rare.ts';
import { fromReason, type Reason, toReason } from './reason.ts';
import { holds } from './route-table.ts';
import type { TreeNotice } from './router.ts';
import {
  authOf,
  CONTROL,
  type ContextId,
  DEAD,
  dataOf,
  FRAGMENT,
  HEADER,
  handleOf,
  jsonFrame,
  jsonOf,
  MAX_FRAME_DATA,
  type Message,
  NORMAL,
  replyToOf,
  sizeOf,
  srcOf,
  writeHeader,
} from './wire.ts';

/** Takes a message from a mailbox. */
export type MessageHandler = (message: Buffer) => void;

/** What waits for the reply to a request. Exactly one of the two is called, once. */
export interface ReplyHandler {
  /** The reply; its ERROR flag tells whether it is an error. */
  onReply(message: Buffer): void;
  /** There will be no reply. */
  onDead(reason: MitosError): void;
}

interface Pending {
  dst: ContextId;
  handler: ReplyHandler;
}

/** The mailboxes of one context. */
export class Endpoint {
  readonly id: ContextId;
  readonly limits: Limits;
  /** Contexts that this one obeys: its parent, and so on up to the master. */
  readonly ancestors: readonly ContextId[];
  /** Told of every change in the tree before anything else. */
  onTree: (notice: TreeNotice) => void = () => {};
  /** While set, messages other than replies and modules wait in a queue (a blocking request for this handle is under way). */
  #only = 0;
  readonly #parked: Buffer[] = [];
  readonly #sendFrame: (frame: Buffer) => void;
  readonly #handlers: Map<number, MessageHandler> = new Map();
  readonly #pending: Map<number, Pending> = new Map();
  #bulk: Bulk | undefined;
  /** Fragments that have come and were not looked at. */
  readonly #fragments: Buffer[] = [];
  #nextReply: number = handles.FIRST_REPLY;

  constructor(id: ContextId, ancestors: readonly ContextId[], limits: Limits, sendFrame: (frame: Buffer) => void) {
    this.id = id;
    this.ancestors = ancestors;
    this.limits = limits;
    this.#sendFrame = sendFrame;
  }

  /** Opens a mailbox. Replaces a handler that is there. */
  on(handle: number, handler: MessageHandler): void {
    this.#handlers.set(handle, handler);
  }

  /** Closes a mailbox; what still comes is answered as dead. */
  off(handle: number): void {
    this.#handlers.delete(handle);
  }

  /** Whether there is a mailbox. */
  has(handle: number): boolean {
    return this.#handlers.has(handle);
  }

  /** Number of mailboxes, of requests without reply, and of contexts with large messages under way. */
  get size(): number {
    const bulk = this.#bulk;
    return this.#handlers.size + this.#pending.size + (bulk ? bulk.sender.size + bulk.assembler.size : 0);
  }

  /** Whether an order with this authority is to be obeyed. */
  obeys(auth: ContextId): boolean {
    return auth === this.id || this.ancestors.includes(auth);
  }

  /**
   * Sends a message. `message` holds {@link HEADER} free bytes and then the data, and belongs to the endpoint from now on.
   * @throws ChannelError `ERR_MITOS_TOO_LARGE` before anything is sent.
   */
  send(dst: ContextId, handle: number, replyTo: number, message: Message, flags: number = NORMAL): void {
    const size = sizeOf(message) - HEADER;
    const limit = handle < handles.FIRST_MAILBOX ? MAX_FRAME_DATA : this.limits.maxMessageBytes;
    if (size > limit) {
      throw mitosError('ERR_MITOS_TOO_LARGE', `Cannot send ${size} bytes: the limit is ${limit} (maxMessageBytes)`, {
        hint: 'send a stream or several smaller values',
        data: { size, limit },
      });
    }
    writeHeader(message, flags, dst, this.id, handle, replyTo);
    const bulk = size > MAX_FRAME_DATA ? this.#getBulk() : this.#bulk;
    if (!bulk || !bulk.sender.take(message, dst, handle)) this.#sendFrame(message);
  }

  /** Sends JSON. */
  sendJson(dst: ContextId, handle: number, replyTo: number, value: unknown, flags: number = NORMAL): void {
    this.send(dst, handle, replyTo, jsonFrame(flags, dst, this.id, handle, replyTo, value), flags);
  }

  /** Says that there is no answer to `message`, and why. */
  refuse(message: Buffer, reason: MitosError): void {
    const replyTo = replyToOf(message);
    if (replyTo && !((message[2] as number) & DEAD)) this.sendJson(srcOf(message), replyTo, 0, toReason(reason), CONTROL | DEAD);
  }

  /** Reserves a handle for one reply from `dst`. */
  expect(dst: ContextId, handler: ReplyHandler): number {
    let handle = this.#nextReply++;
    while (this.#pending.has(handle)) handle = this.#nextReply++;
    if (this.#nextReply >= handles.FIRST_CHANNEL) this.#nextReply = handles.FIRST_REPLY;
    this.#pending.set(handle, { dst, handler });
    return handle;
  }

  /** Gives up waiting for a reply; a late one is dropped. */
  forget(handle: number): void {
    this.#pending.delete(handle);
  }

  /** Sends JSON and gives the JSON of the reply. */
  requestJson(dst: ContextId, handle: number, value: unknown): Promise<unknown> {
    return this.request(dst, handle, value).then(jsonOf);
  }

  /** Sends JSON and gives the reply as it is. Rejects with the reason when there is none. */
  request(dst: ContextId, handle: number, value: unknown): Promise<Buffer> {
    return new Promise((onReply, onDead) => {
      const replyTo = this.expect(dst, { onReply, onDead });
      try {
        this.sendJson(dst, handle, replyTo, value);
      } catch (error) {
        this.forget(replyTo);
        onDead(error);
      }
    });
  }

  /**
   * Sends JSON and blocks this thread for the reply. `pump` must bring frames in by {@link receive}, or return false when
   * no more can come. Everything else that arrives meanwhile is kept and handled afterwards.
   */
  requestSync(dst: ContextId, handle: number, value: unknown, pump: () => boolean): Buffer {
    let reply: Buffer | undefined;
    let dead: MitosError | undefined;
    const outer = this.#only;
    this.#only = this.expect(dst, { onReply: (m) => (reply = m), onDead: (r) => (dead = r) });
    this.sendJson(dst, handle, this.#only, value);
    while (!reply && !dead && pump());
    this.forget(this.#only);
    this.#only = outer;
    if (!outer && this.#parked.length) setImmediate(() => this.#unpark());
    if (reply) return reply;
    throw dead || mitosError('ERR_MITOS_SHUTDOWN', 'This context is being shut down');
  }

  #unpark(): void {
    while (!this.#only && this.#parked.length) this.#handle(this.#parked.shift() as Buffer);
  }

  /** Takes a frame that the router delivers. */
  receive(frame: Buffer): void {
    const handle = handleOf(frame);
    if ((frame[2] as number) & FRAGMENT) {
      this.#onFragment(frame);
    } else if (handle === handles.BULK_CREDIT) {
      if (this.#bulk) this.#bulk.sender.credit(srcOf(frame), dataOf(frame));
    } else if (handle === handles.TREE) {
      if (this.obeys(authOf(frame))) this.#onNotice(jsonOf(frame) as TreeNotice);
    } else {
      this.#dispatch(frame);
    }
  }

  #getBulk(): Bulk {
    return this.#bulk || (this.#bulk = rare().createBulk(this.id, this.limits, this.#sendFrame));
  }

  /** More may come while the code is fetched, or while a handler blocks: then that call goes on where this one was. */
  #onFragment(frame: Buffer): void {
    const fragments = this.#fragments;
    if (fragments.push(frame) > 1 && !this.#bulk) return;
    const { assembler } = this.#getBulk();
    for (let next = fragments.shift(); next; next = fragments.shift()) {
      const message = assembler.add(next);
      if (message) this.#dispatch(message);
    }
  }

  #dispatch(message: Buffer): void {
    const handle = handleOf(message);
    if (handle >= handles.FIRST_REPLY && handle < handles.FIRST_CHANNEL) {
      this.#onReply(handle, message);
    } else if (handle !== handles.LOAD && (this.#only || this.#parked.length)) {
      this.#parked.push(message);
    } else {
      this.#handle(message);
    }
  }

  /** What a peer sent must not end the link it came on: a mailbox that cannot read it refuses it. */
  #handle(message: Buffer): void {
    const handle = handleOf(message);
    try {
      const handler = this.#handlers.get(handle);
      if (!handler) throw mitosError('ERR_MITOS_DISCONNECTED', `Context ${this.id} has no mailbox ${handle}`);
      handler(message);
    } catch (error) {
      this.refuse(
        message,
        MitosError.is(error) ? error : mitosError('ERR_MITOS_PROTOCOL', `Mailbox ${handle} of context ${this.id}: ${String(error)}`),
      );
    }
  }

  #onReply(handle: number, message: Buffer): void {
    const pending = this.#pending.get(handle);
    if (!pending || pending.dst !== srcOf(message)) return;
    this.#pending.delete(handle);
    try {
      if ((message[2] as number) & DEAD) pending.handler.onDead(fromReason(jsonOf(message)));
      else pending.handler.onReply(message);
    } catch (error) {
      pending.handler.onDead(mitosError('ERR_MITOS_PROTOCOL', `Cannot read the reply of context ${pending.dst}: ${String(error)}`));
    }
  }

  #onNotice(notice: TreeNotice): void {
    if (!notice) return;
    const gone = notice.kind === 'gone' ? notice : undefined;
    if (gone) {
      this.#bulk?.sender.forget(gone);
      this.#bulk?.assembler.forget(gone);
    }
    try {
      this.onTree(notice);
    } catch {
      // what a notice says of a context comes from that context: it must not harm the link, nor what follows here
    }
    if (!gone) return;
    for (const [handle, pending] of this.#pending) {
      if (!holds(gone, pending.dst)) continue;
      this.#pending.delete(handle);
      pending.handler.onDead(fromReason(gone.reason));
    }
  }

  /** Ends every request with `reason`: nothing will come any more. */
  abandon(reason: Reason): void {
    for (const [handle, pending] of this.#pending) {
      this.#pending.delete(handle);
      pending.handler.onDead(fromReason(reason));
    }
  }
}
