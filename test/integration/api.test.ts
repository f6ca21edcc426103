/** Router and Context: what they tell, and how they end. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { type Context, type LogRecord, MitosError, Router } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

inEveryMode('a Context knows its id, name, via and state, and tells of its process', async ({ open, router, nodeVersion }) => {
  const promise = open();
  const context = await promise;
  assert.equal(typeof context.id, 'number');
  assert.notEqual(context.id, router.self.id);
  assert.equal(context.via, router.self);
  assert.equal(context.connected, true);
  const info = await context.info();
  assert.equal(info.node.replace(/^v/, ''), nodeVersion);
  assert.equal(info.pid, await context.call(() => process.pid));
  assert.equal(info.platform, process.platform);
  assert.equal(info.arch, process.arch);
  assert.equal(info.user, os.userInfo().username);
  assert.equal(info.uid, process.getuid?.());
  assert.equal(info.hostname, os.hostname());
  assert.equal(info.cwd, process.cwd());
});

inEveryMode('closing the router settles closed, tells disconnect once, and ends every call', async ({ open, router }) => {
  const events: string[] = [];
  router.on('connect', (context) => events.push(`connect ${context.name}`));
  router.on('disconnect', (context) => events.push(`disconnect ${context.name}`));
  const context = await open();
  context.on('disconnect', ({ code }) => events.push(`own ${code}`));
  const call = rejection(context.call(() => new Promise<void>(() => {})));
  await router.close({ graceMs: 0 });
  await router.close();
  assert.match(String((await call).code), /^ERR_MITOS_(SHUTDOWN|ABORTED)$/);
  assert.equal((await context.closed).code, 'ERR_MITOS_SHUTDOWN');
  assert.deepEqual(events, [`connect ${context.name}`, 'own ERR_MITOS_SHUTDOWN', `disconnect ${context.name}`]);
  assert.equal((await rejection(context.call(os.hostname))).code, 'ERR_MITOS_SHUTDOWN');
  assert.equal((await rejection(router.local())).code, 'ERR_MITOS_SHUTDOWN');
  assert.equal(router.stats().framesOut, 0);
});

inEveryMode('what a context prints arrives as log events, one a line, on the context and on the router', async ({ open, router }) => {
  const context = await open();
  const records: LogRecord[] = [];
  const own: LogRecord[] = [];
  const done = new Promise<void>((resolve) => {
    const wanted = new Set(['two lines', 'second', 'careful', 'to stdout', 'to stderr']);
    router.on('log', (record) => {
      records.push(record);
      wanted.delete(record.text);
      if (wanted.size === 0) resolve();
    });
  });
  context.on('log', (record) => own.push(record));
  await context.call(() => {
    console.log('two lines\nsecond');
    console.warn('careful');
    process.stdout.write('to stdout\n');
    process.stderr.write('to stderr\n');
  });
  await done;
  assert.deepEqual(own, records);
  const of = (text: string): unknown[] => records.filter((r) => r.text === text).map((r) => [r.context === context, r.source, r.level]);
  assert.deepEqual(of('two lines'), [[true, 'console', 'info']]);
  assert.deepEqual(of('second'), [[true, 'console', 'info']]);
  assert.deepEqual(of('careful'), [[true, 'console', 'warn']]);
  assert.equal((of('to stdout')[0] as unknown[])[1], 'stdout');
  assert.equal((of('to stderr')[0] as unknown[])[1], 'stderr');
  for (const record of records) assert.equal(typeof record.time, 'number');
});

withRouter('what a subprocess of a context prints arrives as log events', async ({ router }) => {
  const context = await router.local();
  const seen = new Promise<LogRecord>((resolve) => router.on('log', (record) => record.text === 'from below' && resolve(record)));
  await context.call(async () => {
    const { spawnSync } = await import('node:child_process');
    spawnSync('echo', ['from below'], { stdio: 'inherit' });
  });
  const record = await seen;
  assert.deepEqual([record.context, record.source], [context, 'stdout']);
});

withRouter('contexts() and tree() list the whole tree, the master first', async ({ router }) => {
  const a = await router.local({ name: 'a' });
  const b = await a.local({ name: 'b' });
  const unnamed = await router.local();
  const again = await router.local();
  assert.equal(new Set([a, b, unnamed, again].map((context) => context.name)).size, 4);
  assert.deepEqual(router.contexts(), [router.self, a, b, unnamed, again]);
  await b.call(os.hostname);
  const rows = router.tree();
  assert.deepEqual(
    rows.map(({ id, name, method, parent }) => ({ id, name, method, parent })),
    [
      { id: 0, name: router.self.name, method: rows[0]?.method, parent: null },
      { id: a.id, name: 'a', method: 'local', parent: 0 },
      { id: b.id, name: 'b', method: 'local', parent: a.id },
      { id: unnamed.id, name: unnamed.name, method: 'local', parent: 0 },
      { id: again.id, name: again.name, method: 'local', parent: 0 },
    ],
  );
  assert.equal(rows[2]?.pid, (await b.info()).pid);
  assert.equal(rows[2]?.host, os.hostname());
  assert.equal(rows[2]?.user, os.userInfo().username);
  assert.ok((rows[2]?.roundTripMs ?? 0) > 0);
  JSON.stringify(rows);
  await a.shutdown();
  assert.deepEqual(router.contexts(), [router.self, unnamed, again]);
  assert.equal((await b.closed).code, 'ERR_MITOS_SHUTDOWN');
  assert.equal(b.connected, false);
});

withRouter('stats() counts frames, bytes and modules for each stream', async ({ router }) => {
  const modules: { id: number; url: string; to: number; bytes: number }[] = [];
  router.on('module', (module) => modules.push(module));
  const context = await router.local();
  await context.call((n: number) => n, 1);
  const stats = router.stats();
  assert.ok(stats.framesIn >= 2 && stats.framesOut >= 2 && stats.bytesIn > 0 && stats.bytesOut > 1000);
  assert.equal(stats.streams.length, 1);
  assert.equal(stats.streams[0]?.id, context.id);
  assert.equal(stats.requests, 0);
  assert.ok(stats.modules >= 1);
  assert.equal(modules.length, stats.modules);
  assert.ok(modules.every(({ to }) => to === context.id));
});

withRouter('every connection method of a Context is on the router and means its own context', async ({ router }) => {
  assert.equal(await router.call(() => process.pid), process.pid);
  assert.equal((await router.worker()).via, router.self);
  assert.equal((await router.self.local()).via, router.self);
});

testWithOracle('await using closes the router, and asyncDispose of a context shuts it down', async () => {
  const router = new Router({ logger: false });
  const context = await router.local();
  await context[Symbol.asyncDispose]();
  assert.equal(context.connected, false);
  const other = await router.local();
  await router[Symbol.asyncDispose]();
  assert.equal(other.connected, false);
});

testWithOracle('closing a router while its children start leaves nothing behind', async () => {
  const router = new Router({ logger: false });
  const opening = [router.local(), router.local().local(), router.worker(), router.local({ threadless: true }).worker()];
  const calls = opening.map((context) => rejection(context.call(os.hostname)));
  await router.close();
  for (const error of await Promise.all(calls)) assert.equal(error.code, 'ERR_MITOS_SHUTDOWN');
  for (const context of opening) assert.equal((await rejection(context)).code, 'ERR_MITOS_SHUTDOWN');
});

testWithOracle('a router without children closes', async () => {
  await new Router().close();
  await new Router({ threaded: true }).close();
});

testWithOracle('a Router refuses options that make no sense', async () => {
  const make =
    (options: object): (() => Router) =>
    () =>
      new Router(options);
  assert.throws(make({ limits: { nope: 1 } }), TypeError);
  assert.throws(make({ limits: { maxDepth: -1 } }), RangeError);
  assert.throws(make({ keepAlive: { intervalMs: 0 } }), RangeError);
  assert.throws(make({ logger: 'console' }), TypeError);
  assert.throws(make({ logLevel: 'loud' }), (error) => error instanceof TypeError || error instanceof RangeError);
  assert.throws(make({ threaded: 'yes' }), TypeError);
  assert.throws(make({ unidirectional: 0 }), TypeError);
  assert.throws(() => new Router(null as never), TypeError);
});

testWithOracle('the logger gets what is loud enough for logLevel', async () => {
  const lines: string[] = [];
  const router = new Router({ logLevel: 'warn', logger: (record) => lines.push(record.text) });
  const context = await router.local();
  const all = new Promise<void>((resolve) => router.on('log', (record) => record.text === 'end' && resolve()));
  await context.call(() => {
    console.debug('quiet');
    console.log('normal');
    console.warn('loud');
    console.log('end');
  });
  await all;
  await router.close();
  assert.deepEqual(lines, ['loud']);
});

inEveryMode(
  'a limit holds in the whole tree',
  async ({ open }) => {
    const context = await open();
    const big = await rejection(context.call((text: string) => text.length, 'x'.repeat(70_000)));
    assert.equal(big.code, 'ERR_MITOS_TOO_LARGE');
    const back = await rejection(context.call(() => 'x'.repeat(70_000)));
    assert.equal(back.code, 'ERR_MITOS_TOO_LARGE');
    assert.equal(await context.call((text: string) => text.length, 'x'.repeat(60_000)), 60_000);
  },
  { router: { limits: { maxMessageBytes: 65_536 } } },
);

inEveryMode('a context that kills itself is gone: calls reject, closed and events tell', async ({ open, router }) => {
  const context = await open();
  const gone = new Promise<Context>((resolve) => router.once('disconnect', resolve));
  const error = await rejection(context.call(() => process.exit(3)));
  assert.ok(MitosError.is(error));
  assert.equal(await gone, context);
  const reason = await context.closed;
  assert.equal(reason.exitCode, 3, JSON.stringify(reason));
});

withRouter('a context cannot shut itself down', async ({ router }) => {
  const context = await router.local();
  assert.equal(
    (
      await rejection(
        context.call(async () => {
          const { self } = await import('mitos');
          await self().context.shutdown();
        }),
      )
    ).message,
    'A context cannot shut itself down',
  );
});

withRouter('a program that is not Node ends the connection with an error that tells why', async ({ router }) => {
  const context = router.local({ node: '/bin/false', connectTimeoutMs: 5000 });
  const error = await rejection(context);
  assert.equal(error.name, 'ConnectError');
  assert.ok(MitosError.is(error));
  assert.match(error.message, /local/);
});

withRouter('env, cwd and name are those of the options', async ({ router }) => {
  const context = await router.local({ name: 'here', env: { MITOS_TEST_VALUE: 'set' }, cwd: '/' });
  assert.equal(context.name, 'here');
  assert.deepEqual(await context.call(() => [process.env['MITOS_TEST_VALUE'], process.cwd()]), ['set', '/']);
  assert.match(await context.call(() => process.title), /^mitos:/);
});
