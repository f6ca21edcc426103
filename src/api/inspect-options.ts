/** What `context.inspect()` takes and gives. */

/** Options of `context.inspect()`. */
export interface InspectOptions {
  /** The local address to listen on. Whoever can reach it can run anything in the context. @default 127.0.0.1 */
  host?: string;
  /** The local port; 0 for any that is free. @default 0 */
  port?: number;
  /** Closes it again. */
  signal?: AbortSignal;
}

/** A local way to the debugger of a context. */
export interface InspectServer {
  /** Where a debugger connects: `ws://127.0.0.1:9229/…`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** What opens Chrome's own DevTools on it. */
  readonly devtoolsUrl: string;
  /** Settles when it no longer listens: it was closed, or the context is gone. */
  readonly closed: Promise<void>;
  /** Lets go: debuggers are disconnected, and a context that stood at a breakpoint goes on. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
