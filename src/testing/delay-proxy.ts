import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Where a {@link DelayProxy} leads and how far away that is. */
export interface DelayProxyOptions {
  /** The port behind it. */
  port: number;
  /** The host behind it. @default '127.0.0.1' */
  host?: string;
  /** How long each byte travels, in each direction. @default 0 */
  oneWayMs?: number;
}

/** What went through a {@link DelayProxy}, over all connections. "Up" is from the side that connected. */
export interface DelayProxyCounters {
  connections: number;
  bytesUp: number;
  bytesDown: number;
  /** Reads from the side that connected: as many as packets when the sender pauses between them. */
  chunksUp: number;
  chunksDown: number;
  /** Changes of direction in a connection, as data reaches the proxy; two are a round trip when the two sides take turns. */
  flips: number;
}

/** A running proxy. See {@link delayProxy}. */
export interface DelayProxy extends AsyncDisposable {
  /** The loopback port it listens on. */
  readonly port: number;
  /** The counts since it was started or last reset. */
  counters(): DelayProxyCounters;
  /** Sets the counts to zero. */
  reset(): void;
  /** Stops listening and cuts the connections. Idempotent. */
  close(): Promise<void>;
}

type Direction = 'up' | 'down';

/**
 * Starts a TCP proxy on loopback that delays everything by the same time and counts it: for measuring round trips where the kernel cannot delay.
 *
 * Order and half-closed connections are kept, bandwidth is not limited, and what is on the way is held in memory without a bound. The handshake
 * of TCP itself is not delayed; a real link adds one round trip there.
 *
 * @example
 * ```ts
 * await using proxy = await delayProxy({ port: 22, oneWayMs: 100 });
 * // … connect to 127.0.0.1, proxy.port …
 * console.log(proxy.counters().bytesUp);
 * ```
 */
export async function delayProxy({ port, host = '127.0.0.1', oneWayMs = 0 }: DelayProxyOptions): Promise<DelayProxy> {
  let counts = zero();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    counts.connections += 1;
    let last: Direction | undefined;
    const count = (direction: Direction, bytes: number): void => {
      if (last !== undefined && last !== direction) counts.flips += 1;
      last = direction;
      if (direction === 'up') {
        counts.chunksUp += 1;
        counts.bytesUp += bytes;
      } else {
        counts.chunksDown += 1;
        counts.bytesDown += bytes;
      }
    };
    const target = connect({ port, host, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    carry(client, target, oneWayMs, (bytes) => count('up', bytes));
    carry(target, client, oneWayMs, (bytes) => count('down', bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  };
  return {
    port: (server.address() as AddressInfo).port,
    counters: () => ({ ...counts }),
    reset: () => {
      counts = zero();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function zero(): DelayProxyCounters {
  return { connections: 0, bytesUp: 0, bytesDown: 0, chunksUp: 0, chunksDown: 0, flips: 0 };
}

/** Writes to `to`, `delayMs` later, what `from` gives, then its end; a connection that breaks takes the other with it. */
function carry(from: Socket, to: Socket, delayMs: number, count: (bytes: number) => void): void {
  const line: { dueMs: number; act: () => void }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    for (let next = line[0]; next !== undefined && next.dueMs <= performance.now(); next = line[0]) {
      line.shift();
      next.act();
    }
    if (line[0] !== undefined) timer = setTimeout(deliver, Math.ceil(line[0].dueMs - performance.now()));
  };
  // Timers keep no order among themselves, so there is one for the whole line.
  const later = (act: () => void): void => {
    line.push({ dueMs: performance.now() + delayMs, act });
    if (timer === undefined) deliver();
  };
  from.on('data', (data: Buffer) => {
    count(data.length);
    later(() => to.write(data));
  });
  from.on('end', () => later(() => to.end()));
  from.on('error', () => later(() => to.resetAndDestroy()));
  to.once('close', () => {
    clearTimeout(timer);
    line.length = 0;
  });
}
