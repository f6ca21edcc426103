/** What a function finds out about where it runs, and trees that grow from inside. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { type Context, MitosError, main, Router, self } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { inEveryMode, rejection, withRouter } from './modes-table.js';
import { exportedDouble, Tools, viaUnexported } from './self-library.js';

const offset = 1000;

function addOffset(n: number): number {
  return n + offset;
}

/** Opens a child in a child, and so on; the deepest one calls functions of every kind. */
async function descend(depth: number, threadless: boolean): Promise<unknown[]> {
  const { context, router } = self();
  const below = await router.local({ threadless });
  try {
    if (depth > 1) return [context.id, ...(await below.call(descend, depth - 1, threadless))];
    return [
      context.id,
      await below.call(() => self().context.id),
      await below.call(addOffset, 1),
      await below.call(exportedDouble, 4),
      await below.call(Tools.probe),
      await below.call(viaUnexported()),
      await below.call(os.hostname),
      await below.call((n: number) => n + offset, 2),
      await below.call(async (n: number) => addOffset(n), 3),
    ];
  } finally {
    await below.shutdown();
  }
}

async function askThrough(context: Context, n: number): Promise<unknown[]> {
  return [await context.call(addOffset, n), await context.call(() => process.pid), await context.call(os.hostname), context.name];
}

inEveryMode('self() tells the context, router, parent, caller and signal', async ({ open }) => {
  const context = await open();
  const seen = await context.call(async () => {
    const inner = await Promise.resolve().then(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return self();
    });
    const { router, parent, caller, signal } = inner;
    return {
      id: inner.context.id,
      name: inner.context.name,
      isOwn: router.self === inner.context,
      parent: parent?.id,
      caller: caller?.id,
      aborted: signal.aborted,
      known: router.contexts().map((one) => one.id),
    };
  });
  assert.deepEqual(seen, { id: context.id, name: context.name, isOwn: true, parent: 0, caller: 0, aborted: false, known: seen.known });
  assert.ok(seen.known.includes(context.id));
});

inEveryMode('each call has its own self().signal', async ({ open }) => {
  const context = await open();
  const controller = new AbortController();
  const untilAborted = async (): Promise<string> => {
    const { signal } = self();
    (globalThis as { began?: number }).began = ((globalThis as { began?: number }).began ?? 0) + 1;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return 'aborted';
  };
  const first = rejection(context.with({ signal: controller.signal }).call(untilAborted));
  const second = context.call(untilAborted);
  while ((await context.call(() => (globalThis as { began?: number }).began)) !== 2);
  controller.abort();
  await first;
  assert.equal(await context.call(() => self().signal.aborted), false);
  const ended = context.shutdown({ graceMs: 3000 });
  assert.equal(await second, 'aborted');
  await ended;
});

withRouter(
  'children open children down to depth 4, and call functions of every kind there',
  async ({ router }) => {
    for (const threadless of [false, true]) {
      const top = await router.local({ threadless });
      const result = await top.call(descend, 3, threadless);
      const [ids, values] = [result.slice(0, 4), result.slice(4)] as [number[], unknown[]];
      assert.equal(new Set([...ids, 0]).size, 5, String(result));
      assert.equal(ids[0], top.id);
      assert.deepEqual(values, [1001, 8, 'probed', 'unexported', os.hostname(), 1002, 1003]);
    }
  },
  { timeoutMs: 30_000 },
);

inEveryMode('a context that a child opens is known here, with its place in the tree', async ({ open, router }) => {
  const context = await open();
  const [id, name] = await context.call(async () => {
    const below = await self().context.worker({ name: 'below' });
    return [below.id, below.name] as const;
  });
  const below = router.contexts().find((one) => one.id === id);
  assert.ok(below);
  assert.deepEqual([below.name, below.via, below.method, below.connected], [name, context, 'worker', true]);
  assert.equal(await below.call(addOffset, 5), 1005);
  assert.equal((await below.info()).pid, (await context.info()).pid);
  await context.shutdown();
  assert.equal((await below.closed).code, 'ERR_MITOS_SHUTDOWN');
});

inEveryMode('a Context that a child opened can be its result', async ({ open }) => {
  const context = await open();
  const below = await context.call(async () => self().router.local());
  assert.equal(below.via, context);
  assert.equal(await below.call(addOffset, 5), 1005);
});

inEveryMode('a child cannot call its parent, nor the master', async ({ open }) => {
  const context = await open();
  const error = await rejection(
    context.call(async () => {
      const { parent } = self();
      return parent?.call(os.hostname);
    }),
  );
  assert.equal((error.cause as { code?: string }).code, 'ERR_MITOS_POLICY');
});

inEveryMode('a Context handed to a sibling can be called through', async ({ open }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const pid = await b.call(() => process.pid);
  assert.deepEqual(await a.call(askThrough, b, 7), [1007, pid, os.hostname(), b.name]);
});

inEveryMode('a sibling that was not handed over answers with ERR_MITOS_POLICY', async ({ open }) => {
  const [a, b] = await Promise.all([open(), open()]);
  const error = await rejection(
    a.call(async (id: number) => {
      const own = self().context;
      const forged = Object.create(own, { id: { value: id } }) as Context;
      return forged.call(os.hostname);
    }, b.id),
  );
  assert.match(String((error.cause as { code?: string }).code), /^ERR_MITOS_(POLICY|NO_ROUTE)$/);
});

inEveryMode('handing one context over opens no way back and no other way', async ({ open }) => {
  const [a, b, c] = await Promise.all([open(), open(), open()]);
  await a.call(askThrough, b, 1);
  const error = await rejection(
    b.call(async (id: number) => {
      const forged = Object.create(self().context, { id: { value: id } }) as Context;
      return forged.call(os.hostname);
    }, a.id),
  );
  assert.match(String((error.cause as { code?: string }).code), /^ERR_MITOS_(POLICY|NO_ROUTE)$/);
  assert.equal(await c.call(os.hostname), os.hostname());
});

withRouter('contexts deep in different branches call each other once handed over', async ({ router }) => {
  const [left, right] = await Promise.all([router.local().local(), router.local().local()]);
  const pid = await right.call(() => process.pid);
  assert.deepEqual(await left.call(askThrough, right, 1), [1001, pid, os.hostname(), right.name]);
  const back = await left.call(async (context: Context) => context, right);
  assert.equal(back, right);
});

withRouter('a context that was handed over and ends rejects the calls made through it', async ({ router }) => {
  const [a, b] = await Promise.all([router.local(), router.local()]);
  const call = rejection(a.call(async (sibling: Context) => sibling.call(() => new Promise<void>(() => {})), b));
  await a.call(askThrough, b, 1);
  await b.shutdown({ graceMs: 0 });
  const error = await call;
  assert.match(String((error.cause as { code?: string }).code), /^ERR_MITOS_(SHUTDOWN|DISCONNECTED|ABORTED)$/);
});

withRouter('self() in the master is the root', async ({ router }) => {
  const seen = self();
  assert.equal(seen.context, router.self);
  assert.deepEqual([seen.parent, seen.caller], [null, null]);
  assert.equal(await router.call(() => self().context.id), 0);
});

testWithOracle('self() throws where no router has been made', async () => {
  assert.throws(() => self(), /self\(\)/);
  const router = new Router();
  assert.equal(self().router, router);
  await router.close();
  assert.throws(() => self(), /self\(\)/);
});

withRouter('in a child main() does nothing and a Router cannot be made', async ({ router }) => {
  const context = await router.local();
  await context.call(async () => {
    await main(import.meta, () => {
      throw new Error('it ran');
    });
  });
  const error = await rejection(context.call(() => void new Router()));
  assert.equal((error.cause as { code?: string }).code, 'ERR_MITOS_POLICY');
  assert.equal(await context.call(() => MitosError.is(new MitosError('ERR_MITOS_ABORTED', 'x'))), true);
});
