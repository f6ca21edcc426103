import http from 'node:http';
import type { AddressInfo } from 'node:net';
import axios from 'axios';

export const about = { package: 'axios', covers: 'HTTP client; conditions of exports, form-data, follow-redirects' };

export async function run(): Promise<unknown> {
  const server = http.createServer((request, response) => {
    if (request.url === '/moved') return void response.writeHead(302, { location: '/data' }).end();
    if (request.url === '/missing') return void response.writeHead(404).end('no');
    response.setHeader('content-type', 'application/json');
    let body = '';
    request.on('data', (chunk) => (body += chunk)).on('end', () => response.end(JSON.stringify({ method: request.method, body })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const client = axios.create({ baseURL, proxy: false });
    client.interceptors.response.use((response) => ({ ...response, data: { ...response.data, seen: true } }));
    const got = await client.get('/moved');
    const posted = await client.post('/data', { a: 1 });
    const missing = await client.get('/missing').catch((error) => [axios.isAxiosError(error), error.code, error.response.status]);
    return { got: got.data, posted: posted.data, missing };
  } finally {
    server.close();
  }
}
