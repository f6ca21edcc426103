import http from 'node:http';
import type { AddressInfo } from 'node:net';
import got, { HTTPError } from 'got';

export const about = { package: 'got', covers: 'HTTP client; ES module only with CommonJS dependencies' };

export async function run(): Promise<unknown> {
  let calls = 0;
  const server = http.createServer((request, response) => {
    calls++;
    if (request.url === '/flaky' && calls === 1) return void response.writeHead(503).end();
    if (request.url === '/none') return void response.writeHead(404).end('none');
    response.end(JSON.stringify({ calls, url: request.url }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const prefixUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const retried = await got('flaky', {
      prefixUrl,
      retry: { limit: 1, calculateDelay: ({ attemptCount }) => (attemptCount > 1 ? 0 : 1) },
    }).json();
    const failed = await got('none', { prefixUrl, retry: { limit: 0 } }).catch((error) => [
      error instanceof HTTPError,
      error.response.statusCode,
    ]);
    const paged = await got('x', { prefixUrl, searchParams: { a: 1 } }).json();
    return { retried, failed, paged };
  } finally {
    server.close();
  }
}
