/** The debuggers of a master: `context.inspect()`. */
import type { Context } from '../api/context.ts';
import type { InspectOptions, InspectServer } from '../api/inspect-options.ts';
import type { Endpoint } from '../core/endpoint.ts';
import { mitosError } from '../core/errors.ts';
import { INSPECT, INSPECTED } from '../core/handles.ts';
import { END_SESSION, InspectLane, makePart, OPEN_SESSION, readPart } from '../core/inspect-message.ts';
import { type ContextId, dataOf, HEADER, srcOf } from '../core/wire.ts';
import { type Debuggee, type DebugSession, serveDebugger } from './debug-server.ts';

/** What debuggers need of the master. */
export interface DebuggersHost {
  endpoint: Endpoint;
  /** Sends the code that this needs to a context that lacks it. */
  prepare(context: Context): void;
  /** The source map of a module. */
  sourceMap(id: number): string | undefined;
}

interface Open {
  lane: InspectLane;
  onEnd(): void;
}

/** Debug sessions of all contexts. */
export class Debuggers {
  readonly #host: DebuggersHost;
  readonly #servers = new Set<InspectServer>();
  readonly #open = new Map<string, Open>();
  #lastSession = 0;

  constructor(host: DebuggersHost) {
    this.#host = host;
    host.endpoint.on(INSPECTED, (message) => {
      const { session, flags, text } = readPart(dataOf(message));
      const open = this.#open.get(`${srcOf(message)} ${session}`);
      if (flags & END_SESSION) open?.onEnd();
      else open?.lane.take(flags, text);
    });
  }

  /** Opens a local port for debuggers of `context`. */
  async inspect(context: Context, options: InspectOptions): Promise<InspectServer> {
    if (!context.via) {
      throw mitosError('ERR_MITOS_POLICY', 'Cannot inspect this process itself', { hint: 'start it with node --inspect' });
    }
    const { node } = await context.info();
    this.#host.prepare(context);
    // Fails here, and not in the debugger, where the context cannot be debugged.
    this.#end(context.id, await this.#request(context.id));
    const debuggee: Debuggee = {
      title: `${context.name} (mitos)`,
      node,
      open: (onMessage, onEnd) => this.#session(context.id, onMessage, onEnd),
      sourceMap: (id) => this.#host.sourceMap(id),
    };
    const server = await serveDebugger(debuggee, options);
    this.#servers.add(server);
    void server.closed.then(() => this.#servers.delete(server));
    void context.closed.then(() => server.close());
    return server;
  }

  /** Closes every server. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()));
  }

  #send(dst: ContextId, part: Buffer, replyTo = 0): void {
    this.#host.endpoint.send(dst, INSPECT, replyTo, Buffer.concat([Buffer.alloc(HEADER), part]));
  }

  #newSession(): number {
    this.#lastSession = (this.#lastSession + 1) % 65536;
    return this.#lastSession;
  }

  /** Opens a session there; rejects with why it cannot be. */
  #request(dst: ContextId, session = this.#newSession()): Promise<number> {
    return new Promise((resolve, reject) => {
      const replyTo = this.#host.endpoint.expect(dst, { onReply: () => resolve(session), onDead: reject });
      this.#send(dst, makePart(session, OPEN_SESSION), replyTo);
    });
  }

  #end(dst: ContextId, session: number): void {
    this.#open.delete(`${dst} ${session}`);
    this.#send(dst, makePart(session, END_SESSION));
  }

  #session(dst: ContextId, onMessage: (message: string) => void, onEnd: () => void): DebugSession {
    const session = this.#newSession();
    const lane = new InspectLane(session, (part) => this.#send(dst, part), onMessage);
    this.#open.set(`${dst} ${session}`, { lane, onEnd });
    this.#request(dst, session).catch(() => {
      this.#open.delete(`${dst} ${session}`);
      onEnd();
    });
    return { send: (message) => lane.send(message), end: () => this.#open.has(`${dst} ${session}`) && this.#end(dst, session) };
  }
}
