import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';

export const about = {
  package: 'express',
  covers: 'HTTP server on loopback; some 60 CommonJS packages',
  asks: 'a parser of bodies looks for encodings when it reads the first one',
  requests: 1,
};

export async function run(): Promise<unknown> {
  const app = express();
  app.use(express.json());
  app.get('/items/:id', (request, response) => void response.json({ id: request.params.id, q: request.query }));
  app.post('/echo', (request, response) => void response.status(201).type('text/plain').send(JSON.stringify(request.body)));
  app.get('/fails', () => {
    throw new Error('on purpose');
  });
  app.use(
    (error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) =>
      void response.status(500).send(error.message),
  );
  const server = http.createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const one = await fetch(`${base}/items/7?a[b]=1&c=2`);
    const two = await fetch(`${base}/echo`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"x":[1]}' });
    const three = await fetch(`${base}/fails`);
    return [
      await one.json(),
      one.headers.get('etag'),
      two.status,
      await two.text(),
      three.status,
      await three.text(),
      (await fetch(`${base}/none`)).status,
    ];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
