import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { delayProxy, testWithOracle } from '#src/testing/index.js';

/** A server on loopback that ends with the block that uses it. */
async function serve(talk: (socket: Socket) => void): Promise<AsyncDisposable & { port: number }> {
  const server: Server = createServer({ allowHalfOpen: true }, talk).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  const dispose = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: dispose };
}

/** Settles when the socket is closed, however it came to that; reads to see the end. */
async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume();
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

testWithOracle('delayProxy carries bytes and ends both ways, in order, and counts them', async () => {
  await using server = await serve((socket) => socket.pipe(socket));
  await using proxy = await delayProxy({ port: server.port, oneWayMs: 1 });
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  const sent = 'x'.repeat(300_000) + 'end';
  socket.end(sent);
  assert.equal(await text(socket), sent);
  const { connections, bytesUp, bytesDown } = proxy.counters();
  assert.deepEqual({ connections, bytesUp, bytesDown }, { connections: 1, bytesUp: sent.length, bytesDown: sent.length });
});

testWithOracle('delayProxy lets no byte arrive before its time, and counts changes of direction', async () => {
  await using server = await serve((socket) => socket.on('data', () => socket.write('pong')).on('end', () => socket.end()));
  await using proxy = await delayProxy({ port: server.port, oneWayMs: 30 });
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const start = performance.now();
  for (let turn = 0; turn < 3; turn += 1) {
    socket.write('ping');
    await once(socket, 'data');
  }
  // Early is wrong on any machine; late is not.
  assert.ok(performance.now() - start >= 3 * 2 * 30 - 1);
  assert.deepEqual(proxy.counters(), { connections: 1, bytesUp: 12, bytesDown: 12, chunksUp: 3, chunksDown: 3, flips: 5 });
  proxy.reset();
  assert.equal(proxy.counters().bytesUp, 0);
  socket.end();
  await once(socket, 'close');
});

testWithOracle('delayProxy cuts a connection when the other side of it breaks, and all of them when it is closed', async () => {
  await using server = await serve((socket) => socket.on('error', () => {}).once('data', () => socket.resetAndDestroy()));
  const proxy = await delayProxy({ port: server.port });
  const broken = connect({ port: proxy.port, host: '127.0.0.1' });
  broken.write('now');
  await closed(broken);
  const waiting = connect({ port: proxy.port, host: '127.0.0.1' });
  await once(waiting, 'connect');
  await proxy.close();
  await proxy.close();
  await closed(waiting);
});

testWithOracle('delayProxy ends the connection when nothing listens behind it', async () => {
  const gone = await serve(() => {});
  await gone[Symbol.asyncDispose]();
  await using proxy = await delayProxy({ port: gone.port });
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  await closed(socket);
});
