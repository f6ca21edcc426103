/** A context as a program holds it. */
import { EventEmitter } from 'events';
import type { ContextInfo } from '../core/config.ts';
import { type ErrorCode, type MitosError, mitosError } from '../core/errors.ts';
import { SHUTDOWN } from '../core/handles.ts';
import { CONTEXT } from '../core/live.ts';
import type { LogLevel, LogSource } from '../core/log.ts';
import { CONTROL, type ContextId } from '../core/wire.ts';
import type { InspectOptions, InspectServer } from './inspect-options.ts';
import { ContextOperations } from './operations.ts';
import type { MaybePromise, Runtime } from './runtime.ts';

/** Why a context is gone. */
export interface DisconnectReason {
  code: ErrorCode;
  message: string;
  /** Set when its process has exited. */
  exitCode?: number;
  /** Set when its process was ended by a signal. */
  signal?: string;
}

/** One line that a context printed or logged. `text` is raw: escape it before it goes to a terminal. */
export interface LogRecord {
  context: Context;
  source: LogSource;
  level: LogLevel;
  text: string;
  /** When it arrived, in milliseconds since 1970. */
  time: number;
}

/** Events of a context. */
export interface ContextEvents {
  disconnect: [reason: DisconnectReason];
  log: [record: LogRecord];
}

/** One addressable process or thread in the tree. There is one object for each in a process. */
export class Context extends ContextOperations {
  /** Its number in the tree. */
  readonly id: ContextId;
  /** Its name, set by whoever started it. */
  readonly name: string;
  /** The context that started it; null for the master, and for one whose parent is not known here. */
  readonly via: Context | null;
  /** The connection method that started it. */
  readonly method: string;
  /** Settles when the context is gone. Never rejects. */
  readonly closed: Promise<DisconnectReason>;
  /** @internal */
  readonly runtime: Runtime;
  /** @internal Why it is gone. */
  reason: MitosError | undefined;
  /** @internal What it said of itself. */
  facts: ContextInfo | undefined;
  /** @internal The shortest time that a call has taken. */
  roundTripMs: number | undefined;
  /** @internal How many calls have been timed for that. */
  timedCalls = 0;
  readonly #events: EventEmitter = new EventEmitter();
  #isAssumed = false;
  #resolveClosed: (reason: DisconnectReason) => void = () => {};
  /** Set while a call waits for its function to be identified; later calls wait behind it. */
  #turn: Promise<void> | undefined;

  /** @internal */
  constructor(runtime: Runtime, id: ContextId, name: string, via: Context | null, method: string) {
    super();
    this.runtime = runtime;
    this.id = id;
    this.name = name;
    this.via = via;
    this.method = method;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    Object.defineProperty(this, CONTEXT, { value: true });
  }

  /** Whether it is up. */
  get connected(): boolean {
    return (this.#isAssumed || this.facts !== undefined) && !this.reason;
  }

  /** What is known of its process. Rejects when the context does not come up. */
  info(): Promise<ContextInfo> {
    if (this.facts) return Promise.resolve({ ...this.facts });
    return new Promise((resolve, reject) => {
      this.#events.once('up', () => resolve({ ...(this.facts as ContextInfo) }));
      void this.closed.then(() => reject(this.reason));
    });
  }

  /**
   * Opens the debugger of this context on a local port, as `node --inspect` would there: Chrome DevTools or VS Code attach to it. It
   * travels through the tree; no port is opened on the other machine, and everything else goes on while the program stands at a breakpoint. Sources
   * are shown as the user's own files.
   *
   * Whoever can reach that port can run anything in the context. Only in the program itself (`ERR_MITOS_POLICY`), and not for contexts with one
   * thread (`ERR_MITOS_RESOURCE`); the same code when the port is taken.
   */
  async inspect(options: InspectOptions = {}): Promise<InspectServer> {
    if (!this.runtime.inspect)
      throw mitosError('ERR_MITOS_POLICY', 'Cannot inspect from here', { hint: 'call inspect() in the program itself' });
    return this.runtime.inspect(this, options);
  }

  /** Listens to an event. */
  on<E extends keyof ContextEvents>(event: E, listener: (...args: ContextEvents[E]) => void): this {
    this.#events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Listens to the next event only. */
  once<E extends keyof ContextEvents>(event: E, listener: (...args: ContextEvents[E]) => void): this {
    this.#events.once(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Stops listening. */
  off<E extends keyof ContextEvents>(event: E, listener: (...args: ContextEvents[E]) => void): this {
    this.#events.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /** @internal */
  emit<E extends keyof ContextEvents>(event: E, ...args: ContextEvents[E]): void {
    this.#events.emit(event, ...args);
  }

  /** @internal */
  target(): Context {
    return this;
  }

  /** @internal Whether a call may be sent at once: it is not gone, and no earlier call waits. */
  get isIdle(): boolean {
    return !this.#turn && !this.reason;
  }

  /** @internal Runs `act` with what `prepare` gives, after everything that was asked before. */
  inOrder<T>(prepare: () => MaybePromise<T>, act: (value: T) => void, fail: (error: unknown) => void): void {
    const run = (): void | Promise<void> => {
      try {
        if (this.reason) throw this.reason;
        const value = prepare();
        if (!(value instanceof Promise)) return act(value);
        return value.then(act).catch(fail);
      } catch (error) {
        fail(error);
      }
    };
    const done = this.#turn ? this.#turn.then(run) : run();
    if (!done) return;
    const turn = done.then(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    this.#turn = turn;
  }

  /** @internal Returns whether it is news. */
  markConnected(info: ContextInfo): boolean {
    if (this.facts || this.reason) return false;
    this.facts = info;
    this.#events.emit('up');
    return true;
  }

  /** @internal Keeps the shortest time that a call has taken. */
  noteRoundTrip(ms: number): void {
    if (this.roundTripMs === undefined || ms < this.roundTripMs) this.roundTripMs = ms;
  }

  /** @internal Takes a context for up that somebody told of. */
  assumeConnected(): void {
    this.#isAssumed = true;
  }

  /** @internal */
  markClosed(reason: MitosError): void {
    if (this.reason) return;
    this.reason = reason;
    const { exitCode, signal } = reason as { exitCode?: number | null; signal?: string | null };
    const told: DisconnectReason = { code: reason.code, message: reason.message };
    if (typeof exitCode === 'number') told.exitCode = exitCode;
    if (typeof signal === 'string') told.signal = signal;
    this.#resolveClosed(told);
    this.#events.emit('disconnect', told);
  }

  /** @internal Ends it, through its parent if that is known. */
  end(graceMs: number): Promise<void> {
    if (this.reason) return Promise.resolve();
    const { endpoint } = this.runtime;
    if (this.id === endpoint.id)
      throw mitosError('ERR_MITOS_POLICY', 'A context cannot shut itself down', { hint: 'end the process, or close the router' });
    const dst = this.via ? this.via.id : this.id;
    return new Promise((resolve) => {
      const done = (): void => resolve();
      const replyTo = endpoint.expect(dst, { onReply: done, onDead: done });
      void this.closed.then(() => resolve());
      endpoint.sendJson(dst, SHUTDOWN, replyTo, { id: this.id, graceMs }, CONTROL);
    });
  }

  /** Name and state. */
  override toString(): string {
    return `Context { id: ${this.id}, name: '${this.name}', ${this.reason ? 'closed' : this.connected ? 'connected' : 'connecting'} }`;
  }
}

Object.defineProperty(Context.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: Context.prototype.toString });
