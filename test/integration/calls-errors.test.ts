/** What a failed call tells. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type CallError, MitosError, self } from 'mitos';
import { inEveryMode, rejection, withRouter } from './modes-table.js';

class QuotaError extends Error {
  readonly code = 'E_QUOTA';
  readonly used: number;
  readonly limits: Map<string, number>;

  constructor(used: number) {
    super(`used ${used}`, { cause: new TypeError('first cause', { cause: 'the very first' }) });
    this.name = 'QuotaError';
    this.used = used;
    this.limits = new Map([['disk', 10]]);
  }
}

function failWithQuota(used: number): never {
  throw new QuotaError(used);
}

async function failLater(): Promise<never> {
  await new Promise((resolve) => setImmediate(resolve));
  throw new RangeError('later');
}

inEveryMode('a CallError has the message of the remote error, and that error, revived, as its cause', async ({ open }) => {
  const context = await open();
  const error = (await rejection(context.call(failWithQuota, 11))) as CallError;
  assert.equal(error.name, 'CallError');
  assert.equal(error.code, 'ERR_MITOS_CALL');
  assert.equal(error.message, 'used 11');
  assert.ok(MitosError.is(error));
  assert.deepEqual(error.via, [context.name]);
  const cause = error.cause as QuotaError;
  assert.ok(cause instanceof Error);
  assert.deepEqual(
    [cause.name, cause.message, cause.code, cause.used, cause.limits],
    ['QuotaError', 'used 11', 'E_QUOTA', 11, new Map([['disk', 10]])],
  );
  const first = cause.cause as Error;
  assert.ok(first instanceof TypeError);
  assert.deepEqual([first.name, first.message, first.cause], ['TypeError', 'first cause', 'the very first']);
});

inEveryMode(
  "the stack of a CallError holds the line of the call and below it the line of the user's code there, and nothing of the library",
  async ({ open }) => {
    const context = await open();
    for (const promise of [context.call(failWithQuota, 1), context.call(failLater)]) {
      const { stack = '', cause } = await rejection(promise);
      const [local = '', remote = ''] = stack.split(`--- in "${context.name}" ---`);
      assert.match(local, /^CallError: /);
      assert.match(local, /calls-errors\.test\.[jt]s:\d+:\d+/);
      assert.match(remote, /at (?:async )?(?:new )?(?:failWithQuota|failLater|QuotaError).*calls-errors\.test\.[jt]s:\d+:\d+/);
      assert.doesNotMatch(local, /dist\/api|dist\/master|callWith/);
      assert.doesNotMatch(remote, /eval|\[eval\]|Dispatcher|mitos:\d/);
      assert.match(String((cause as Error).stack), /calls-errors\.test\.[jt]s:\d+:\d+/);
    }
  },
);

inEveryMode("an error that comes through several calls shows the user's lines of each, and no frame of the library", async ({ open }) => {
  const context = await open();
  const error = await rejection(
    context.call(async () => {
      const { self } = await import('mitos');
      const below = await self().router.worker();
      await below.call(failLater);
    }),
  );
  const text = `${error.stack}\n${(error.cause as Error).stack}\n${((error.cause as Error).cause as Error).stack}`;
  assert.equal(error.message, 'later');
  assert.match(text, /failLater.*calls-errors\.test\.[jt]s:\d+:\d+/);
  assert.doesNotMatch(text, /mitos:\w*[:/]|\[eval\]/);
});

inEveryMode('what is thrown and is no error is the cause as it is', async ({ open }) => {
  const context = await open();
  const thrown = [
    () => {
      throw 'text';
    },
    () => {
      throw { status: 404 };
    },
    () => {
      throw undefined;
    },
    () => Promise.reject(null),
  ];
  const causes = [];
  for (const fn of thrown) {
    const error = await rejection(context.call(fn));
    assert.equal(error.code, 'ERR_MITOS_CALL');
    causes.push(error.cause);
  }
  assert.deepEqual(causes, ['text', { status: 404 }, undefined, null]);
  const error = await rejection(
    context.call(() => {
      throw Symbol('odd');
    }),
  );
  assert.equal(error.code, 'ERR_MITOS_CALL');
  assert.match(error.message, /Symbol\(odd\)/);
});

inEveryMode('an error that passes two contexts names both', async ({ open }) => {
  const a = await open();
  const b = await open(a);
  const error = (await rejection(b.call(failWithQuota, 1))) as CallError;
  assert.deepEqual(error.via, [a.name, b.name]);
});

withRouter('errors thrown in a context of a library keep their code and own data', async ({ router }) => {
  const context = await router.local();
  const error = await rejection(
    context.call(async () => {
      const { readFile } = await import('node:fs/promises');
      return readFile('/nonexistent/file', 'utf8');
    }),
  );
  const cause = error.cause as NodeJS.ErrnoException;
  assert.deepEqual([cause.code, cause.syscall, cause.path, typeof cause.errno], ['ENOENT', 'open', '/nonexistent/file', 'number']);
});

async function failAtTheEnd(hops: number): Promise<unknown> {
  if (hops === 0) throw new Error('at the end'); // the place
  const { router } = self();
  return router.local({ threadless: true, name: `further-${hops}` }).call(failAtTheEnd, hops - 1);
}

withRouter('a stack shows line and column of the TypeScript file through every hop, and the call of each hop', async ({ router }) => {
  const source = readFileSync(new URL('../../../test/integration/calls-errors.test.ts', import.meta.url), 'utf8').split('\n');
  const line = source.findIndex((text) => text.endsWith('// the place')) + 1;
  const column = (source[line - 1] as string).indexOf('new Error') + 1;
  const { stack = '', message } = await rejection(router.local({ name: 'near' }).call(failAtTheEnd, 2));
  assert.equal(message, 'at the end');
  const places = [...stack.matchAll(/failAtTheEnd .*?calls-errors\.test\.ts:(\d+):(\d+)/g)].map(([, atLine, atColumn]) => [
    Number(atLine),
    Number(atColumn),
  ]);
  assert.deepEqual(places.at(-1), [line, column]);
  assert.match(stack, /--- in "near" ---[^]*--- in "further-2" ---[^]*--- in "further-1" ---/);
  assert.equal(places.length, 3);
});

withRouter('in a child, too, calls and further hops need not wait until a context is up', async ({ router }) => {
  const context = await router.local();
  const name = await context.call(() => {
    const { router: inside } = self();
    return inside
      .local({ threadless: true })
      .local({ threadless: true, name: 'last' })
      .call(() => self().context.name);
  });
  assert.equal(name, 'last');
  const failed = await rejection(
    context.call(() =>
      self()
        .router.local({ node: '/nowhere' })
        .local()
        .call(() => 1),
    ),
  );
  assert.match(failed.message, /nowhere/);
});
