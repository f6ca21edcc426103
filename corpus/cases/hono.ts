import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';

export const about = { package: 'hono', covers: 'web framework; exports map with many subpaths' };

export async function run(): Promise<unknown> {
  const app = new Hono();
  app.use(secureHeaders());
  app.get('/hello/:name', (c) => c.json({ hello: c.req.param('name'), q: c.req.query('q') }));
  const response = await app.request('/hello/a?q=1');
  return [response.status, await response.json(), response.headers.get('x-frame-options'), (await app.request('/x')).status];
}
