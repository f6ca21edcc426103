/** TCP connections that another context makes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { MitosError } from 'mitos';
import { dial } from '#src/api/dial.js';
import { inEveryMode } from './modes-table.js';

/** A server on this machine that gives its connections to `serve`. */
async function listen(serve: (socket: Socket) => void): Promise<{ host: string; port: number } & AsyncDisposable> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function errorOf(stream: Duplex): Promise<MitosError> {
  const [error] = (await once(stream, 'close').then(
    () => [undefined],
    (cause: unknown) => [cause],
  )) as [MitosError];
  return error;
}

inEveryMode('a connection ends half by half', async ({ open }) => {
  await using server = await listen((socket) => {
    socket.write('hello ');
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += String(chunk)));
    socket.on('end', () => socket.end(`you said ${heard}`));
  });
  const stream = dial(await open(), server);
  const chunks = stream.iterator();
  stream.write('one ');
  assert.equal(String((await chunks.next()).value), 'hello ');
  stream.end('two');
  assert.equal(String((await chunks.next()).value), 'you said one two');
  assert.equal((await chunks.next()).done, true);
});

inEveryMode('bytes arrive as they were, many of them, both ways at once', async ({ open }) => {
  await using server = await listen((socket) => void socket.pipe(socket));
  const bytes = Buffer.alloc(8_000_000, Array.from({ length: 251 }, (_, index) => String.fromCharCode(index)).join(''), 'latin1');
  const stream = dial(await open(), server);
  stream.end(bytes);
  assert.ok((await buffer(stream)).equals(bytes));
});

inEveryMode('a reader that waits holds the server back, and a server that waits the writer', async ({ open }) => {
  const chunk = Buffer.alloc(65536);
  let sent = 0;
  let stalled = (): void => {};
  const isStalled = new Promise<void>((resolve) => (stalled = resolve));
  await using server = await listen((socket) => {
    socket.pause();
    const fill = (): void => {
      while (socket.write(chunk)) sent += chunk.length;
      // The system's own buffers are full as well when nothing has moved for a while.
      timer.refresh();
    };
    const timer = setTimeout(stalled, 300);
    socket.on('drain', fill);
    socket.on('close', () => clearTimeout(timer));
    fill();
  });
  const stream = dial(await open(), server);
  await isStalled;
  assert.ok(sent < 32_000_000, String(sent));
  let written = 0;
  const full = new Promise<void>((resolve) => {
    const write = (): void => {
      written += chunk.length;
      if (written > 64_000_000) return resolve();
      const timer = setTimeout(resolve, 300);
      stream.write(chunk, () => {
        clearTimeout(timer);
        write();
      });
    };
    write();
  });
  await full;
  assert.ok(written < 32_000_000, String(written));
  stream.destroy();
});

inEveryMode('destroying the stream closes the connection at once', async ({ open }) => {
  let connected: (socket: Socket) => void = () => {};
  const socket = new Promise<Socket>((resolve) => (connected = resolve));
  await using server = await listen((made) => connected(made.resume()));
  const stream = dial(await open(), server);
  const far = await socket;
  stream.destroy();
  await once(far, 'end').catch(() => {});
});

inEveryMode('what kept the connection from being made is told by code', async ({ open }) => {
  const context = await open();
  let port = 0;
  {
    await using server = await listen(() => {});
    port = server.port;
  }
  const refused = await errorOf(dial(context, { host: '127.0.0.1', port }));
  assert.equal(refused.code, 'ERR_MITOS_REFUSED');
  assert.match(refused.message, new RegExp(`^Cannot reach 127\\.0\\.0\\.1:${port} from "${context.name}": `));
  assert.equal((await errorOf(dial(context, { host: 'no-such-host.invalid', port }))).code, 'ERR_MITOS_DNS');
});

inEveryMode('a connection that breaks, and a context that ends, are told apart from an orderly end', async ({ open }) => {
  await using server = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const context = await open();
  const broken = dial(context, server);
  broken.write('x');
  broken.resume();
  assert.equal((await errorOf(broken)).code, 'ERR_MITOS_DISCONNECTED');
  const lost = dial(context, server);
  lost.resume();
  const failure = errorOf(lost);
  await context.shutdown();
  assert.equal((await failure).code, 'ERR_MITOS_SHUTDOWN');
});
