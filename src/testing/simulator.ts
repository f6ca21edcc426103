/**
 * A whole tree of contexts in one process and in virtual time: the real router, endpoint, channels and dispatcher of each,
 * joined by links in memory that are slow, cut or stalled as a seed says. What happens depends on the seed alone.
 */
import { starting } from '../core/dispatcher.ts';
import { MitosError, mitosError } from '../core/errors.ts';
import { CALL, CANCEL, CONNECT, GRANT, OPEN } from '../core/handles.ts';
import { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
import type { Stream } from '../core/stream.ts';
import { CONTROL, type ContextId, ERROR } from '../core/wire.ts';
import { createRandom, type Random } from './random.ts';
import { encodeCall, SimulatedContext, type SimulatedFunction } from './simulator-context.ts';
import { type LinkFaults, SimulatedLink } from './simulator-link.ts';
import { Oracle } from './simulator-oracle.ts';
import { VirtualClock } from './virtual-clock.ts';

/** What a simulation is like. */
export interface SimulationOptions {
  /** Decides everything that is left to chance. */
  seed: number;
  /** What the links are like. @default delays to 20 ms, slices to 2000 bytes on half of the links */
  link?: LinkFaults;
  /** Whether siblings may talk only where they were joined. @default true */
  isUnidirectional?: boolean;
  /** Bounds other than the usual. */
  limits?: Partial<Limits>;
  /** When a quiet link is probed. @default 1000 */
  keepAliveMs?: number;
  /** Functions that can be called, beside {@link BASIC_FUNCTIONS}. `this` is the context. */
  functions?: Record<string, SimulatedFunction>;
}

/** How a call went. */
export interface CallRecord {
  readonly from: SimulatedContext;
  readonly to: SimulatedContext;
  readonly head: string;
  /** Virtual time at which it has to be over. */
  readonly deadlineAt: number;
  /** How often it ended; anything but 1 is a fault once the deadline has passed. */
  endings: number;
  value: unknown;
  error: unknown;
  /** @internal */
  timer: unknown;
}

/** How to call. */
export interface SimulatedCallOptions {
  /** Virtual time until the caller gives up. @default 60000 */
  timeoutMs?: number;
  /** Chain of calls. */
  chain?: number;
}

/** Functions of every simulated context: `echo(value)`, `fail(text)`, `hang()` until it is cancelled, `after(ms, value)`. */
export const BASIC_FUNCTIONS: Readonly<Record<string, SimulatedFunction>> = {
  echo: (value: unknown) => value,
  fail: (text: string) => {
    throw new Error(text);
  },
  hang: () =>
    new Promise((_resolve, reject) => {
      const { invocation } = starting;
      if (invocation) invocation.onAbort = () => reject(invocation.reason);
    }),
};

/** A tree in virtual time. */
export class Simulation {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  readonly master: SimulatedContext;
  /** All contexts that ever were, by id. */
  readonly contexts: Map<ContextId, SimulatedContext> = new Map();
  readonly calls: CallRecord[] = [];
  readonly oracle: Oracle;
  readonly options: SimulationOptions;
  readonly #limits: Limits;
  readonly #ordered: Map<ContextId, SimulatedContext> = new Map();
  readonly #world: ConstructorParameters<typeof SimulatedContext>[0];
  #nextId = 1;
  /** Entries in the tables of the master's endpoint while nothing happens. */
  #mailboxes: number;

  constructor(options: SimulationOptions) {
    const { seed, isUnidirectional = true, keepAliveMs = 1000 } = options;
    this.options = options;
    this.random = createRandom(seed);
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.oracle = new Oracle(this.contexts, isUnidirectional);
    const after = (ms: number, value: unknown): Promise<unknown> =>
      new Promise((resolve) => this.clock.setTimeout(() => resolve(value), ms));
    this.#world = {
      clock: this.clock,
      limits: this.#limits,
      keepAlive: { intervalMs: keepAliveMs, timeoutMs: 3 * keepAliveMs },
      isUnidirectional,
      functions: new Map(Object.entries({ ...BASIC_FUNCTIONS, after, ...options.functions })),
      draw: (maxMs) => this.random.int(maxMs + 1),
      createChild: (parent, id) => this.#createChild(parent, id),
      onRouted: (at, stream, frame) => this.oracle.checkStamp(at, stream, frame),
      onSent: (at, stream: Stream, frame) => this.oracle.checkCrossing(at, stream, frame),
      onDead: (context) => {
        for (const call of this.calls) if (call.from === context) this.clock.clearTimeout(call.timer);
      },
    };
    this.master = new SimulatedContext(this.#world, 0, undefined);
    this.contexts.set(0, this.master);
    this.#mailboxes = this.master.endpoint.size;
  }

  /** Contexts that have begun and not died. */
  get alive(): SimulatedContext[] {
    return [...this.contexts.values()].filter((context) => context.isUp);
  }

  /** Starts a child of `parent` on the order of the master. It can be called at once; `ready` tells when it is up. */
  spawn(parent: SimulatedContext = this.master): SimulatedContext {
    return this.#order(this.master, parent, this.#nextId++);
  }

  /** Starts a child of `parent` on the order of `creator`, which stands above it or is it, with an id of its own block. */
  async spawnBy(creator: SimulatedContext, parent: SimulatedContext): Promise<SimulatedContext> {
    const id = await creator.allocateId();
    if (id % 256 === 0) this.oracle.grantPage(id, creator);
    return this.#order(creator, parent, id);
  }

  /** Calls a function; the record says how it went. */
  call(
    from: SimulatedContext,
    to: SimulatedContext,
    head: string,
    args: readonly unknown[] = [],
    options: SimulatedCallOptions = {},
  ): CallRecord {
    const { timeoutMs = 60_000, chain } = options;
    const record: CallRecord = {
      from,
      to,
      head,
      deadlineAt: this.clock.now() + timeoutMs,
      endings: 0,
      value: undefined,
      error: undefined,
      timer: undefined,
    };
    this.calls.push(record);
    const disposers: (() => void)[] = [];
    const end = (error: unknown, value?: unknown): void => {
      this.clock.clearTimeout(record.timer);
      for (const dispose of disposers) dispose();
      record.endings++;
      record.error = error;
      record.value = value;
    };
    const replyTo = from.endpoint.expect(to.id, {
      onReply: (reply) => {
        const value = from.live.decode(reply);
        if ((reply[2] as number) & ERROR) end((value as [number, unknown])[1]);
        else end(undefined, value);
      },
      onDead: end,
    });
    record.timer = this.clock.setTimeout(() => {
      from.endpoint.forget(replyTo);
      from.endpoint.sendJson(to.id, CANCEL, 0, { call: replyTo, reason: 'timeout' });
      end(mitosError('ERR_MITOS_TIMEOUT', `The call in "${to.name}" took too long`));
    }, timeoutMs);
    const text = chain === undefined ? head : `${head}\n${JSON.stringify({ c: chain })}`;
    from.live.disposers = disposers;
    const message = encodeCall(from, to.id, text, args);
    from.live.disposers = undefined;
    from.endpoint.send(to.id, CALL, replyTo, message);
    return record;
  }

  /** Lets `from` talk to `to` on the authority of `giver`, who stands above both; with `own` only as itself. */
  handOver(giver: SimulatedContext, from: SimulatedContext, to: SimulatedContext, own: boolean = false): void {
    this.oracle.join(from.id, to.id, own);
    giver.endpoint.sendJson(giver.id, OPEN, 0, { from: from.id, to: to.id, own }, CONTROL);
  }

  /** Lets virtual time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  /** Lets time pass until every call is over, and then so long that every dead link has been noticed. */
  async settle(): Promise<void> {
    const openCalls = (): boolean => this.calls.some((call) => !call.endings && !call.from.isDead);
    for (let turn = 0; turn < 200 && openCalls(); turn++) await this.pass(500);
    await this.pass(6000);
  }

  /**
   * Everything that went wrong so far, in words. Call it after {@link Simulation.settle}.
   *
   * @param mayLie Says of a call that it was made to or by somebody who lies: then it only has to end, once.
   */
  problems(mayLie: (call: CallRecord) => boolean = () => false): string[] {
    const found = [...this.oracle.problems];
    for (const call of this.calls) {
      const what = `the call of ${call.head} in ${call.to.name} by ${call.from.name}`;
      if (call.endings > 1) found.push(`${what} ended ${call.endings} times`);
      if (call.endings === 0 && !call.from.isDead && this.clock.now() >= call.deadlineAt) found.push(`${what} never ended`);
      if (mayLie(call)) continue;
      const isTimeout = MitosError.is(call.error) && call.error.code === 'ERR_MITOS_TIMEOUT';
      if (isTimeout && call.head !== 'hang') found.push(`${what} ended only by its deadline`);
      if (call.error !== undefined && !(call.error instanceof Error)) found.push(`${what} ended with what is no error`);
    }
    return found;
  }

  /** Opens a mailbox of a context for good. */
  listen(context: SimulatedContext, handle: number, handler: (message: Buffer) => void): void {
    context.endpoint.on(handle, handler);
    if (context === this.master) this.#mailboxes++;
  }

  /** Ends all contexts but the master and says what is left in its tables. */
  async closeAll(): Promise<string[]> {
    const before = [...this.master.links];
    for (const context of this.contexts.values()) if (context.parent === this.master) context.kill();
    for (const link of before) link.resume();
    await this.pass(10_000);
    const { router, live, dispatcher, endpoint } = this.master;
    const left: string[] = [];
    for (const context of this.alive) if (context !== this.master) left.push(`${context.name} is alive`);
    if (router.size) left.push(`the router holds ${router.size} entries`);
    if (live.channels.flows.size) left.push(`${live.channels.flows.size} channels are open`);
    if (dispatcher.running) left.push(`${dispatcher.running} calls run`);
    if (endpoint.size !== this.#mailboxes) left.push(`the endpoint holds ${endpoint.size} entries instead of ${this.#mailboxes}`);
    if (this.clock.pending) left.push(`${this.clock.pending} timers wait`);
    return left;
  }

  #order(creator: SimulatedContext, parent: SimulatedContext, id: ContextId): SimulatedContext {
    const child = new SimulatedContext(this.#world, id, parent);
    this.#ordered.set(id, child);
    this.contexts.set(id, child);
    const { endpoint } = creator;
    if (parent !== creator) endpoint.sendJson(creator.id, GRANT, 0, { start: id, count: 1, via: parent.id }, CONTROL);
    child.ready = new Promise((onReply, onDead) => {
      // As urgent as the grant before it, so that neither overtakes the other.
      endpoint.sendJson(parent.id, CONNECT, endpoint.expect(parent.id, { onReply, onDead }), { id }, CONTROL);
    });
    child.ready.catch(() => child.kill());
    return child;
  }

  #createChild(parent: SimulatedContext, id: ContextId): { child: SimulatedContext; link: SimulatedLink } | undefined {
    const child = this.#ordered.get(id);
    if (!child || child.parent !== parent || child.isDead) return undefined;
    this.#ordered.delete(id);
    const faults = this.options.link ?? { maxDelayMs: 20, maxSliceBytes: 2000 };
    const link = new SimulatedLink(this.clock, this.random.fork(id), faults);
    child.link = link;
    return { child, link };
  }
}

/** Makes a tree of one context, the master. */
export function createSimulation(options: SimulationOptions): Simulation {
  return new Simulation(options);
}
