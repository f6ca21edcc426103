import { Receiver, Sender } from '../core/channel.ts';
import { CALL, FIRST_CHANNEL, FIRST_REPLY } from '../core/handles.ts';
import { BULK, DEAD, dataOf, ERROR, FRAGMENT, HEADER, makeFrame, srcOf } from '../core/wire.ts';
import type { Random } from './random.ts';
import { type CallRecord, type Simulation, Simulation as Tree } from './simulator.ts';
import type { SimulatedContext } from './simulator-context.ts';

/** What {@link simulate} does. */
export interface SimulationRunOptions {
  /** Decides everything. */
  seed: number;
  /** Number of things that happen. @default 60 */
  events?: number;
  /** Whether contexts die and links are cut and stalled. @default true */
  hasFaults?: boolean;
  /** Whether one context sends frames that no honest one would. @default false */
  isHostile?: boolean;
}

/** Mailboxes of every simulated context that take numbered messages. */
const MAILBOXES = [200, 201, 202];
const WINDOW = 65536;

interface Flow {
  name: string;
  sent: number;
  got: number;
  isOver: boolean;
}

/** Grows a tree and lets it live: calls, numbered messages, channels, hand-overs, deaths; all by chance. */
class Traffic {
  readonly tree: Simulation;
  readonly problems: string[] = [];
  faults = 0;
  readonly #options: Required<SimulationRunOptions>;
  readonly #random: Random;
  readonly #flows: Flow[] = [];
  /** Numbers of messages by `src>dst:mailbox`: the next to send, and the next that may come. */
  readonly #sent: Map<string, number> = new Map();
  readonly #seen: Map<string, number> = new Map();
  readonly #started: Set<SimulatedContext> = new Set();
  readonly #lastCall: Map<string, number> = new Map();
  readonly #ran: Set<number> = new Set();
  #hostile: SimulatedContext | undefined;
  #callNumber = 0;

  constructor(options: Required<SimulationRunOptions>) {
    this.#options = options;
    const note = (caller: string, number: number, value: unknown): unknown => this.#noteRun(caller, number, value);
    this.tree = new Tree({
      seed: options.seed,
      limits: { bulkWindowBytes: WINDOW * 4, channelWindowBytes: 16384 },
      functions: {
        note,
        produce: async (sender: Sender<Item>, count: number, bytes: number) => {
          for (let at = 0; at < count; at++) await sender.send({ at, data: Buffer.alloc(bytes) });
          sender.close();
          return count;
        },
        count: async function* (count: number, bytes: number) {
          for (let at = 0; at < count; at++) yield { at, data: Buffer.alloc(bytes) };
        },
        sum: async (items: AsyncIterable<Item>) => {
          let count = 0;
          for await (const item of items) if (item.at !== count++) throw new Error(`item ${item.at} came as ${count - 1}`);
          return count;
        },
      },
    });
    this.#random = this.tree.random.fork('traffic');
    this.#open(this.tree.master);
  }

  async run(): Promise<void> {
    for (let count = 0; count < this.#options.events; count++) {
      this.#step(count);
      await this.tree.pass(this.#random.int(40));
    }
    for (const context of this.tree.contexts.values()) context.link?.resume();
    await this.tree.settle();
    this.problems.push(
      ...this.tree.problems((call) => this.#isHostile(call.to.id) || this.#isHostile(call.from.id)),
      ...this.#flowProblems(),
    );
    this.problems.push(...(await this.tree.closeAll()));
  }

  #step(count: number): void {
    const random = this.#random;
    const { alive } = this.tree;
    if (this.#options.isHostile && count > 10 && alive.length > 2) this.#attack();
    const dice = random.int(100);
    const context = random.pick(alive);
    if (this.tree.contexts.size < 3 || dice < 12) this.#spawn(context);
    else if (dice < 50) this.#call(context);
    else if (dice < 65) this.#message(context);
    else if (dice < 75) this.#channel(context);
    else if (dice < 80) this.#handOver();
    else if (this.#options.hasFaults && dice > 95) this.#hurt();
    else this.#call(context);
  }

  #spawn(parent: SimulatedContext): void {
    if (this.tree.contexts.size > 20) return;
    if (parent !== this.tree.master && this.#random.bool(0.3)) {
      this.tree.spawnBy(parent, parent).then(
        (child) => this.#open(child),
        () => {},
      );
    } else {
      const child = this.tree.spawn(parent);
      this.#open(child);
      // A child of a child that is not up yet, and a call to it, in one flight.
      if (this.#random.bool(0.2)) {
        this.#open(this.tree.spawn(child));
        this.#numbered(this.tree.master, child);
      }
    }
  }

  #open(context: SimulatedContext): void {
    if (this.#started.has(context)) return;
    this.#started.add(context);
    for (const mailbox of MAILBOXES) this.tree.listen(context, mailbox, (message) => this.#onMessage(context, mailbox, message));
  }

  /** Somebody below `context`, or itself. */
  #below(context: SimulatedContext): SimulatedContext {
    return this.#random.pick([...this.tree.contexts.values()].filter((other) => context.isAbove(other)));
  }

  #call(from: SimulatedContext): void {
    const to = this.#below(from);
    const random = this.#random;
    const chain = random.bool(0.2) ? random.int(3) : undefined;
    const options = chain === undefined ? {} : { chain };
    const kind = random.int(10);
    if (kind === 0) this.tree.call(from, to, 'hang', [], { timeoutMs: random.int(3000) });
    else if (kind === 1) this.tree.call(from, to, 'fail', ['as told'], options);
    else if (kind === 2) this.tree.call(from, to, 'nowhere');
    else if (kind === 3) this.#check(this.tree.call(from, to, 'echo', [Buffer.alloc(random.int(300_000))]));
    else if (kind === 4) this.tree.call(from, to, 'after', [random.int(500), 1], options);
    else this.#numbered(from, to);
  }

  /** Calls whose functions must start in the order of the calls, also when some of them have to be fetched first. */
  #numbered(from: SimulatedContext, to: SimulatedContext): void {
    const number = ++this.#callNumber;
    const head = this.#random.bool(0.2) ? `note@${this.#random.int(100)}` : 'note';
    const padding = this.#random.bool(0.1) ? Buffer.alloc(this.#random.int(200_000)) : number;
    this.tree.call(from, to, head, [`${from.id}>${to.id}`, number, padding]);
  }

  #noteRun(line: string, number: number, value: unknown): unknown {
    if (this.#ran.has(number)) this.problems.push(`call ${number} ran twice`);
    this.#ran.add(number);
    const last = this.#lastCall.get(line) ?? 0;
    if (number < last) this.problems.push(`call ${number} started after call ${last} of the same caller`);
    this.#lastCall.set(line, number);
    return value;
  }

  #check(record: CallRecord): void {
    this.#flows.push({
      name: `${record.head} in ${record.to.name}`,
      sent: 1,
      get got() {
        return record.endings;
      },
      get isOver() {
        return record.endings > 0;
      },
    });
  }

  #message(from: SimulatedContext): void {
    const others = [...this.tree.contexts.values()].filter((to) => to !== from && to.isUp && this.tree.oracle.mayTalk(from.id, to.id, 200));
    if (!others.length) return;
    const to = this.#random.pick(others);
    const mailbox = this.#random.pick(MAILBOXES);
    const key = `${from.id}>${to.id}:${mailbox}`;
    const number = this.#sent.get(key) ?? 0;
    this.#sent.set(key, number + 1);
    const message = Buffer.alloc(HEADER + 4 + this.#random.int(this.#random.bool(0.3) ? 400_000 : 2000));
    message.writeUInt32BE(number, HEADER);
    from.endpoint.send(to.id, mailbox, 0, message);
  }

  #onMessage(at: SimulatedContext, mailbox: number, message: Buffer): void {
    const key = `${srcOf(message)}>${at.id}:${mailbox}`;
    if (((message[2] as number) & DEAD) !== 0 || this.#isHostile(srcOf(message))) return;
    const number = dataOf(message).readUInt32BE(0);
    const next = this.#seen.get(key) ?? 0;
    if (number < next) this.problems.push(`message ${number} of ${key} came after ${next - 1}`);
    if (number > next && !this.#isDisturbed) this.problems.push(`message ${next} of ${key} was lost`);
    this.#seen.set(key, number + 1);
  }

  /** Whether a frame of `id` may be the work of the hostile context. */
  #isHostile(id: number): boolean {
    const context = this.tree.contexts.get(id);
    return this.#hostile !== undefined && (context === undefined || this.#hostile.isAbove(context));
  }

  get #isDisturbed(): boolean {
    return this.faults > 0 || this.#options.isHostile;
  }

  #channel(from: SimulatedContext): void {
    const to = this.#below(from);
    const count = 1 + this.#random.int(40);
    const bytes = this.#random.bool(0.1) ? this.#random.int(150_000) : this.#random.int(3000);
    const kind = this.#random.int(3);
    if (kind === 0) {
      const receiver = new Receiver<Item>(from.live.channels);
      const call = this.tree.call(from, to, 'produce', [new Sender(from.live.channels, from.id, receiver.handle), count, bytes]);
      this.#read(`produce in ${to.name}`, receiver, count, call);
    } else if (kind === 1) {
      const call = this.tree.call(from, to, 'count', [count, bytes]);
      this.#readResult(call, count);
    } else {
      async function* items(): AsyncGenerator<Item> {
        for (let at = 0; at < count; at++) yield { at, data: Buffer.alloc(bytes) };
      }
      this.#check(this.tree.call(from, to, 'sum', [items()]));
    }
  }

  #readResult(call: CallRecord, count: number): void {
    const look = (): void => {
      if (call.endings === 0 && !call.from.isDead) this.tree.clock.setTimeout(look, 50);
      else if (call.value instanceof Receiver) this.#read(`count in ${call.to.name}`, call.value as Receiver<Item>, count, call);
    };
    look();
  }

  #read(name: string, receiver: Receiver<Item>, count: number, call: CallRecord): void {
    const flow: Flow = { name, sent: count, got: 0, isOver: false };
    this.#flows.push(flow);
    const pause = this.#random.int(30);
    const look = (): void => {
      const isLie = call.to.isDead && this.#isHostile(call.to.id);
      if (call.from.isDead || call.error !== undefined || isLie) receiver.close();
      if (!call.from.isDead && !flow.isOver) this.tree.clock.setTimeout(look, 200);
    };
    look();
    const read = async (): Promise<void> => {
      for await (const item of receiver) {
        if (item.at !== flow.got) this.problems.push(`item ${item.at} of ${name} came as ${flow.got}`);
        flow.got++;
        await new Promise<void>((resolve) => this.tree.clock.setTimeout(resolve, pause));
      }
    };
    read().then(
      () => this.#endFlow(flow, call, undefined),
      (error: unknown) => this.#endFlow(flow, call, error),
    );
  }

  #endFlow(flow: Flow, call: CallRecord, error: unknown): void {
    flow.isOver = true;
    if (flow.got < flow.sent && error === undefined && call.error === undefined && !call.from.isDead && !this.#isHostile(call.to.id)) {
      this.problems.push(`${flow.name} ended after ${flow.got} of ${flow.sent} items, without an error`);
    }
  }

  #flowProblems(): string[] {
    const open = this.#flows.filter((flow) => !flow.isOver && !this.#isDisturbed);
    const lost = [...this.#sent].filter(([key, sent]) => !this.#isDisturbed && (this.#seen.get(key) ?? 0) < sent);
    return [
      ...open.map((flow) => `${flow.name} is not over: ${flow.got} of ${flow.sent}`),
      ...lost.map(([key, sent]) => `of ${sent} messages ${key} only ${this.#seen.get(key) ?? 0} came`),
    ];
  }

  #handOver(): void {
    const { alive, master } = this.tree;
    const from = this.#random.pick(alive);
    const to = this.#random.pick(alive);
    if (from === to || from.isAbove(to) || to.isAbove(from) || from === this.#hostile) return;
    const givers = alive.filter((giver) => giver.isAbove(from) && giver.isAbove(to) && giver !== this.#hostile);
    this.tree.handOver(givers.length ? this.#random.pick(givers) : master, from, to, this.#random.bool());
  }

  #hurt(): void {
    const children = this.tree.alive.filter((context) => context.parent);
    if (!children.length) return;
    const context = this.#random.pick(children);
    this.faults++;
    const kind = this.#random.int(4);
    if (kind === 0) context.kill();
    else if (kind === 1) context.link?.cut();
    else if (kind === 2) context.link?.stall();
    else if (context.link) {
      const { link } = context;
      link.stall();
      this.tree.clock.setTimeout(() => link.resume(), this.#random.int(2500));
    }
  }

  /** One context, always the same, sends whatever it likes to its parent. */
  #attack(): void {
    const { contexts, alive } = this.tree;
    this.#hostile ??= this.#random.pick(alive.filter((context) => context.parent && context.router.parent));
    const stream = this.#hostile?.router.parent;
    if (!stream || this.#hostile?.isDead) return;
    for (let count = this.#random.int(20); count > 0; count--) stream.send(forge(this.#random, [...contexts.keys()]));
  }
}

interface Item {
  at: number;
  data: Uint8Array;
}

/** A frame that is well formed and a lie. */
export function forge(random: Random, ids: readonly number[]): Buffer {
  const id = (): number => (random.bool(0.8) ? random.pick(ids) : random.int(2 ** 32));
  const handle = (): number =>
    random.pick([random.int(80), random.int(80), CALL, 200, FIRST_REPLY + random.int(50), FIRST_CHANNEL + random.int(50)]);
  const data = random.pick([
    () => random.bytes(random.int(200)),
    () => Buffer.from(JSON.stringify({ from: id(), to: id(), own: random.bool() })),
    () =>
      Buffer.from(
        JSON.stringify({
          ids: [id(), id()],
          pages: [random.int(70000)],
          reason: random.pick<unknown>([null, 5, { code: 1, message: {} }]),
        }),
      ),
    () => Buffer.from(JSON.stringify({ kind: 'gone', ids: [id()], pages: [], reason: {} })),
    () => Buffer.from(JSON.stringify({ start: id(), count: random.pick([1, 256]), via: id() })),
    () => Buffer.from(JSON.stringify(random.pick<unknown>([null, 1, 'text', [], { call: FIRST_REPLY + random.int(50) }]))),
  ])();
  const flags = random.pick([0, 1, 2, DEAD, ERROR | 1, FRAGMENT | BULK, random.int(256)]);
  const frame = makeFrame(flags, id(), id(), handle(), random.bool() ? handle() : 0, data);
  frame.writeUInt32BE(id(), 12);
  return frame;
}

/** Lets a tree live as `seed` says; gives what went wrong, in words, and some counts. */
export async function simulate(
  options: SimulationRunOptions,
): Promise<{ problems: string[]; calls: number; frames: number; contexts: number }> {
  const traffic = new Traffic({ events: 60, hasFaults: true, isHostile: false, ...options });
  await traffic.run();
  const { tree, problems } = traffic;
  return { problems, calls: tree.calls.length, frames: tree.oracle.frames, contexts: tree.contexts.size };
}
