/** Contexts that can be used before they are up. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { ContextPromise } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

inEveryMode('a ContextPromise has the operations of a Context, and is a promise of it', async ({ open, router }) => {
  const promise = open();
  assert.ok(promise instanceof ContextPromise);
  const early = promise.call(() => process.pid);
  const chained = promise.chain().call(os.hostname);
  const scoped = promise.with({ timeoutMs: 10_000 }).call(os.hostname);
  promise.notify(os.hostname);
  const context = await promise;
  assert.equal(await early, (await context.info()).pid);
  assert.deepEqual([await chained, await scoped], [os.hostname(), os.hostname()]);
  assert.equal(await promise.then((one) => one.name), context.name);
  assert.equal(await promise.finally(() => {}), context);
  assert.equal(await promise.catch(() => null), context);
  assert.ok(router.contexts().includes(context));
  await promise.shutdown();
  assert.equal(context.connected, false);
});

withRouter('connecting through two hops and calling there leaves in one write', async ({ router }) => {
  const call = router
    .local()
    .local()
    .call((n: number) => n + 1, 41);
  await Promise.resolve();
  assert.equal(await call, 42);
  const stats = router.stats();
  assert.equal(stats.requests, 0);
  const [first] = stats.streams;
  assert.ok(first);
  assert.equal(stats.streams.length, 1);
  // The preamble, then everything else; a third one may be a question for signs of life.
  assert.ok(first.writes <= 2, `${first.writes} writes`);
});

inEveryMode('calls made before the context is up keep their order', async ({ open }) => {
  const promise = open();
  const results: number[] = [];
  await Promise.all(Array.from({ length: 20 }, (_, i) => promise.call((n: number) => n, i).then((n) => results.push(n))));
  assert.deepEqual(
    results,
    Array.from({ length: 20 }, (_, i) => i),
  );
});

for (const threaded of [false, true]) {
  withRouter(
    `when a hop fails everything behind it rejects with that hop's error and nothing is left unhandled (threaded: ${threaded})`,
    async ({ router }) => {
      const bad = router.local({ name: 'bad', node: '/bin/false' });
      const behind = bad.local();
      const further = behind.worker();
      void further.call(os.hostname).catch(() => {});
      const errors = await Promise.all([
        rejection(bad),
        rejection(behind),
        rejection(further),
        rejection(bad.call(os.hostname)),
        rejection(behind.call(os.hostname)),
        rejection(further.with({ timeoutMs: 10_000 }).call(os.hostname)),
        rejection(further.chain().call(os.hostname)),
        rejection(
          further.import('node:os', { from: import.meta.url }).then((remote) => (remote as { hostname(): Promise<string> }).hostname()),
        ),
      ]);
      const { code, message } = errors[0] as Error & { code: string };
      assert.match(code, /^ERR_MITOS_(TRANSPORT_EXIT|NO_RUNTIME)$/);
      for (const error of errors) assert.deepEqual([(error as { code?: string }).code, error.message], [code, message]);
      further.notify(os.hostname);
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(router.contexts(), [router.self]);
    },
    { router: { threaded } },
  );
}

withRouter('a promise of a context that fails and that nobody looks at is not an unhandled rejection', async ({ router }) => {
  router.local({ node: '/nonexistent/node' }).local().worker();
  await rejection(router.local({ node: '/nonexistent/node' }));
  await new Promise((resolve) => setImmediate(resolve));
});

withRouter('connections are made in parallel', async ({ router }) => {
  const contexts = await Promise.all(Array.from({ length: 4 }, () => router.local()));
  const pids = await Promise.all(contexts.map((context) => context.call(() => process.pid)));
  assert.equal(new Set(pids).size, 4);
});

withRouter('connectTimeoutMs bounds the whole bootstrap', async ({ router, oracle }) => {
  const { writeFileSync, rmSync } = await import('node:fs');
  const { join } = await import('node:path');
  const folder = oracle.temporaryDirectory();
  const node = join(folder, 'hang');
  writeFileSync(node, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
  const error = await rejection(router.local({ node, connectTimeoutMs: 200 }));
  assert.equal(error.code, 'ERR_MITOS_CONNECT_TIMEOUT');
  rmSync(folder, { recursive: true });
});
