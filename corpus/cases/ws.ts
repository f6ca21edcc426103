import WebSocket, { WebSocketServer } from 'ws';

export const about = {
  package: 'ws',
  covers: 'ES module wrapper; optional native parts (bufferutil) that are probed for',
  requests: 7,
  asks: 'an optional native part (bufferutil) is looked for where the master has one installed',
};

export async function run(): Promise<unknown> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 10 } });
  await new Promise((resolve) => server.on('listening', resolve));
  server.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(isBinary ? data : `${data} back`, { binary: isBinary })),
  );
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
  const got: string[] = [];
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject).on('open', () => {
      client.send('text that is long enough');
      client.send(new Uint8Array([1, 2, 3]));
    });
    client.on('message', (data, isBinary) => {
      got.push(isBinary ? (data as Buffer).toString('hex') : String(data));
      if (got.length === 2) resolve();
    });
  });
  client.close();
  server.close();
  return got;
}
