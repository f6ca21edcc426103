import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, MockAgent, request } from 'undici';

export const about = {
  package: 'undici',
  covers: 'HTTP client with WebAssembly inside; builtins that not every Node has',
  asks: 'its parser for this processor is required when the first connection is made',
  requests: 1,
};

export async function run(): Promise<unknown> {
  const server = http.createServer((one, response) => response.end(JSON.stringify({ url: one.url, method: one.method })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const agent = new Agent({ pipelining: 2 });
  const mock = new MockAgent();
  mock.disableNetConnect();
  mock.get('http://mock.example').intercept({ path: '/a' }).reply(202, { mocked: true });
  try {
    const all = await Promise.all(
      ['/1', '/2'].map(async (path) => (await request(base + path, { dispatcher: agent, method: 'PUT' })).body.json()),
    );
    const mocked = await request('http://mock.example/a', { dispatcher: mock });
    return { all, status: mocked.statusCode, body: await mocked.body.json() };
  } finally {
    await agent.close();
    await mock.close();
    server.close();
  }
}
