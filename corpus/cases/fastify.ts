import Fastify from 'fastify';

export const about = {
  package: 'fastify',
  covers: 'HTTP server on loopback; compiles validators and serialisers at run time',
  asks: 'compilers and test parts are required inside fastify()',
  requests: 5,
};

export async function run(): Promise<unknown> {
  const app = Fastify();
  app.addHook('onSend', async (_request, reply) => void reply.header('x-hook', '1'));
  app.post(
    '/sum',
    {
      schema: {
        body: { type: 'object', required: ['a', 'b'], properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
        response: { 200: { type: 'object', properties: { sum: { type: 'integer' } } } },
      },
    },
    async (request) => {
      const { a, b } = request.body as { a: number; b: number };
      return { sum: a + b, hidden: 1 };
    },
  );
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  try {
    const headers = { 'content-type': 'application/json' };
    const good = await fetch(`${address}/sum`, { method: 'POST', headers, body: '{"a":1,"b":2}' });
    const bad = await fetch(`${address}/sum`, { method: 'POST', headers, body: '{"a":1}' });
    const injected = await app.inject({ method: 'GET', url: '/none' });
    return [good.headers.get('x-hook'), await good.json(), bad.status, await bad.json(), injected.statusCode];
  } finally {
    await app.close();
  }
}
