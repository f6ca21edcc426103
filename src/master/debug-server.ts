/**
 * A local server that speaks the protocol of V8's inspector, as `node --inspect` does, for a context anywhere in the tree. Debuggers connect here; what
 * they say travels through the tree.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';
import type { InspectOptions, InspectServer } from '../api/inspect-options.ts';
import { mitosError } from '../core/errors.ts';
import { onNeed } from './on-need.ts';

const ws = onNeed<{ WebSocketServer: typeof WebSocketServer }>('ws');

/** The other end of a debugger's connection. */
export interface DebugSession {
  /** Takes a message of the debugger. */
  send(message: string): void;
  /** The debugger is gone. */
  end(): void;
}

/** What the server serves. */
export interface Debuggee {
  /** Shown as the title of the target. */
  title: string;
  /** Version of Node there. */
  node: string;
  /** Opens a session; messages and the end come back by the callbacks. */
  open(onMessage: (message: string) => void, onEnd: () => void): DebugSession;
  /** The source map of a module, as JSON. */
  sourceMap(id: number): string | undefined;
}

/**
 * Starts one.
 *
 * Throws `ERR_MITOS_RESOURCE` when it cannot listen there.
 */
export async function serveDebugger(debuggee: Debuggee, { host = '127.0.0.1', port = 0, signal }: InspectOptions): Promise<InspectServer> {
  signal?.throwIfAborted();
  const id = randomUUID();
  const server = createServer((request, response) => answer(request, response));
  const sockets = new (ws().WebSocketServer)({ noServer: true, perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const authority = `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  const devtoolsUrl = `devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws=${authority}/${id}`;

  function answer({ url, headers, method }: IncomingMessage, response: ServerResponse): void {
    const path = (url ?? '').replace(/\/$/, '');
    const map = path.startsWith(`/${id}/`) ? /^(\d{1,10})\.map$/.exec(path.slice(id.length + 2))?.[1] : undefined;
    const body = !isLocalName(headers.host) || method !== 'GET' ? undefined : map ? debuggee.sourceMap(Number(map)) : describe(path);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json; charset=UTF-8', 'cache-control': 'no-cache' });
    response.end(body ?? '');
  }

  function describe(path: string): string | undefined {
    if (path === '/json/version') return JSON.stringify({ Browser: `node.js/v${debuggee.node}`, 'Protocol-Version': '1.1' });
    if (path !== '/json' && path !== '/json/list') return undefined;
    const target = {
      description: 'a context of mitos',
      devtoolsFrontendUrl: devtoolsUrl,
      id,
      title: debuggee.title,
      type: 'node',
      url: 'file://',
    };
    return JSON.stringify([{ ...target, webSocketDebuggerUrl: `ws://${authority}/${id}` }]);
  }

  server.on('upgrade', (request, socket, head) => {
    // A page in a browser says where it comes from; debuggers do not, or are no pages.
    const isPage = /^https?:/.test(request.headers.origin ?? '');
    if (request.url !== `/${id}` || !isLocalName(request.headers.host) || isPage) socket.destroy();
    else
      sockets.handleUpgrade(request, socket, head, (socket) =>
        connect(socket, debuggee, (module) => `http://${authority}/${id}/${module}.map`),
      );
  });

  let closing: Promise<void> | undefined;
  const closed = once(server, 'close').then(() => {});
  const close = (): Promise<void> => {
    closing ??= (async () => {
      signal?.removeEventListener('abort', onAbort);
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await closed;
    })();
    return closing;
  };
  const onAbort = (): void => void close();
  signal?.addEventListener('abort', onAbort);
  return {
    url: `ws://${authority}/${id}`,
    host: address.address,
    port: address.port,
    devtoolsUrl,
    closed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { message } = error as Error;
    throw mitosError('ERR_MITOS_RESOURCE', `Cannot listen for a debugger on ${host}:${port}: ${message}`, {
      hint: 'choose another port, or 0',
      cause: error,
    });
  }
}

/** A name that a page elsewhere cannot have pointed at this machine. */
function isLocalName(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function connect(socket: WebSocket, debuggee: Debuggee, mapUrl: (module: string) => string): void {
  const session = debuggee.open(
    (message) => socket.send(withSourceMap(message, mapUrl)),
    () => socket.close(),
  );
  socket.on('message', (data) => session.send((data as Buffer).toString()));
  socket.on('error', () => {});
  socket.on('close', () => session.end());
}

/** Tells the debugger where the source map of a shipped module is. */
function withSourceMap(message: string, mapUrl: (module: string) => string): string {
  if (!message.includes('"method":"Debugger.scriptParsed"')) return message;
  const parsed = JSON.parse(message) as { params: { url: string; sourceMapURL?: string } };
  const id = /^mitos:(\d+)\//.exec(parsed.params.url)?.[1];
  if (id === undefined) return message;
  parsed.params.sourceMapURL = mapUrl(id);
  return JSON.stringify(parsed);
}
