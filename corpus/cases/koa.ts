import http from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';

export const about = { package: 'koa', covers: 'HTTP server on loopback; async_hooks' };

export async function run(): Promise<unknown> {
  const app = new Koa({ asyncLocalStorage: true });
  app.silent = true;
  app.use(async (_context, next) => {
    await next();
    app.currentContext?.set('x-path', app.currentContext.path);
  });
  app.use((context) => {
    if (context.path === '/bad') context.throw(418, 'short');
    context.body = { query: context.query };
  });
  const server = http.createServer(app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const good = await fetch(`${base}/a?b=1`);
    const bad = await fetch(`${base}/bad`);
    return [good.headers.get('x-path'), await good.json(), bad.status, await bad.text()];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
