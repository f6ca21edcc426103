/**
 * The short form of `npm run matrix`: what contexts do, on an old, a middle and a new Node; calls, values, errors, streams, programs, modules, threads and chains.
 * The Node of the master is the one that runs the tests.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { basename } from 'node:path';
import { before } from 'node:test';
import { type CallError, type Context, type Receiver, Router, type Sender, self } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { NODE_VERSIONS, needsNodes, nodeBinary } from '../support/nodes.js';
import { toUser } from '../support/ssh.js';
import { rejection } from './modes-table.js';
import { ROOT } from './run-program.js';

const lab = openLab();
const root = needs('sshd', 'sudo');
let server: Sshd;
let user: LabUser;
if (root.skip === false) {
  before(async () => {
    user = await lab.user();
    server = await lab.sshd();
    await lab.sudoers(`${user.name} ALL=(ALL) NOPASSWD: ALL`);
  });
}

type Loose = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** Syntax that Node 12 has not. */
class Counter {
  static #made = 0;
  static {
    Counter.#made = 10;
  }
  #count: number;

  constructor(count?: number | null) {
    this.#count = count ?? 1;
    Counter.#made += 1;
  }

  get state(): { count: number; made: number } {
    return { count: this.#count, made: Counter.#made };
  }

  static next(of?: { count?: number }): { count: number; made: number } {
    const counter = new Counter(of?.count);
    counter.#count ||= 1_000;
    return counter.state;
  }
}

function spin(): never {
  for (;;);
}

function fail(): never {
  throw Object.assign(new RangeError('too far'), { code: 'E_FAR', limits: new Map([['depth', 4n]]) });
}

async function* countLater(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield await Promise.resolve(i);
}

async function sumOf(numbers: AsyncIterable<number> | Receiver<number>): Promise<number> {
  let sum = 0;
  for await (const number of numbers) sum += number;
  return sum;
}

async function sendTo(sender: Sender<number>): Promise<void> {
  for (let i = 0; i < 50; i++) await sender.send(i);
  sender.close();
}

async function untilAborted(): Promise<string> {
  const { signal } = self();
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return `aborted: ${String((signal.reason as Error).message)}`;
}

async function below(): Promise<string[]> {
  const { context, router } = self();
  const child = await router.local({ name: `${context.name}.below` });
  const names = await child.call(() => [self().context.name, process.versions.node]);
  await child.shutdown();
  return names;
}

const VALUES = [
  null,
  undefined,
  true,
  0,
  -0,
  Number.NaN,
  2n ** 70n,
  'täxt \u{1F600}',
  new Date(86_400_000),
  new URL('https://example.org/a?b'),
  new Uint8Array([1, 2, 255]),
  new Float64Array([0.5]),
  new Map<unknown, unknown>([[{ a: 1 }, new Set([1, 'two'])]]),
  { nested: { list: [{ deep: [new Error('inner')] }] } },
];

/** Fixtures, and functions of them that give the same everywhere. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  'ts/main.ts': ['colors', 'default'],
  'esm/main.mjs': ['cycles', 'json', 'topLevelAwait', 'itself', 'meta', 'live'],
  'cjs/main.cjs': ['cycle', 'json'],
};

for (const name of ['12', '20', '24']) {
  const present = needsNodes(name);
  const withNode = (rule: string, fn: (router: Router, node: string, version: string) => Promise<void>): void =>
    testWithOracle(`On Node ${name} ${rule}`, { ...present, timeoutMs: 20_000 }, async () => {
      const router = new Router({ logger: false });
      try {
        await fn(router, nodeBinary(name) as string, NODE_VERSIONS.get(name) as string);
      } finally {
        await router.close();
      }
    });
  /** A context of each kind: with an I/O thread, and without one. */
  const both = (router: Router, node: string): Promise<Context>[] =>
    [false, true].map(async (threadless) => router.local({ node, threadless, name: threadless ? 'threadless' : 'threaded' }));

  withNode(
    'functions with newest syntax run, values of every type come back, and errors show TypeScript',
    async (router, node, version) => {
      for (const opening of both(router, node)) {
        // The very first call goes out before anything is known of the Node there.
        const context = await opening;
        assert.deepEqual(await context.call(Counter.next), { count: 1, made: 11 });
        assert.deepEqual(await context.call(Counter.next, { count: 0 }), { count: 1000, made: 12 });
        assert.equal(await context.call(() => process.versions.node), version);
        assert.equal((await context.info()).node, version);
        assert.deepEqual(await context.call((...values: unknown[]) => values, ...VALUES), VALUES);
        const error = (await rejection(context.call(fail))) as CallError;
        const cause = error.cause as RangeError & { code: string; limits: Map<string, bigint> };
        assert.ok(cause instanceof RangeError);
        assert.deepEqual([cause.message, cause.code, cause.limits], ['too far', 'E_FAR', new Map([['depth', 4n]])]);
        assert.match(String(cause.stack), /at fail \(.*nodes\.test\.ts:\d+:\d+\)/);
      }
      const first = router.local({ node, name: 'first' }).call(Counter.next, { count: 5 });
      assert.deepEqual(await first, { count: 5, made: 11 });
    },
  );

  withNode('streams, channels, signals and programs work', async (router, node) => {
    for (const opening of both(router, node)) {
      const context = await opening;
      const seen: number[] = [];
      for await (const item of await context.call(countLater, 4)) seen.push(item);
      assert.deepEqual(seen, [0, 1, 2, 3]);
      assert.equal(await context.call(sumOf, countLater(100)), 4950);
      const receiver = router.receiver<number>();
      const sum = context.call(sendTo, receiver.sender());
      assert.equal(await sumOf(receiver), 1225);
      await sum;
      const bytes = new Uint8Array(300_000).fill(7);
      assert.deepEqual(await context.call((given: Uint8Array) => given.subarray(1), bytes), bytes.subarray(1));
      const controller = new AbortController();
      const given = rejection(context.with({ signal: controller.signal }).call(untilAborted));
      const told = context.call(async (signal: AbortSignal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        return [signal.aborted, (signal.reason as Error).message];
      }, controller.signal);
      await context.call(() => 0);
      controller.abort(new Error('enough'));
      assert.equal((await given).message, 'enough');
      assert.deepEqual(await told, [true, 'enough']);
      const { stdout, exitCode } = await context.exec('cat; echo done; exit 3', { stdin: 'in ', nothrow: true });
      assert.deepEqual([stdout, exitCode], ['in done\n', 3]);
      const lines: string[] = [];
      for await (const line of context.exec(['seq', '3']).stdout) lines.push(line);
      assert.deepEqual(lines, ['1', '2', '3']);
    }
  });

  withNode('modules of every kind are imported', async (router, node) => {
    const context = await router.local({ node });
    const here = await router.local({ node: process.execPath });
    for (const [file, names] of Object.entries(MODULES)) {
      const url = new URL(`file://${ROOT}test/fixtures/raw/programs-api/modules/${file}`);
      const load = (on: Context): Promise<Loose> => on.import<Loose>(url, { from: import.meta.url });
      const [far, near] = [await load(context), await load(here)];
      for (const fn of names) assert.deepEqual(await far[fn]?.(), await near[fn]?.(), `${file} ${fn}`);
    }
    assert.equal(await context.call(() => basename('/a/b')), 'b');
  });

  withNode('workers, chains of contexts with mixed Nodes, and an orderly end work', async (router, node, version) => {
    const context = await router.local({ node, name: 'mixed' });
    const worker = await context.worker();
    assert.equal(await worker.call(() => process.versions.node), version);
    assert.deepEqual(await context.call(below), ['mixed.below', version]);
    const newer = await context.local({ node: process.execPath, name: 'newer' });
    assert.equal(await newer.call(() => process.version), process.version);
    const older = await newer.local({ node, name: 'older' });
    assert.deepEqual(await older.call(Counter.next, { count: 3 }), { count: 3, made: 11 });
    const ended = older.call(untilAborted);
    await older.call(() => 0);
    await older.shutdown({ graceMs: 3000 });
    assert.match(await ended, /^aborted: /);
  });

  withNode('a context ends with its master, however that ends', async (router, node) => {
    const above = await router.local({ node: process.execPath });
    for (const threadless of [false, true])
      void above
        .local({ node, threadless })
        .call(spin)
        .catch(() => {});
    const all = await Promise.all([above.local({ node }), above.local({ node, threadless: true })]);
    process.kill((await above.info()).pid, 'SIGKILL');
    for (const context of all) assert.equal((await context.closed).code, 'ERR_MITOS_CHILD_EXIT');
    // The oracle waits until their processes are gone: also of those that spin.
  });

  const skip = present.skip !== false ? present.skip : root.skip;
  testWithOracle(`On Node ${name} ssh and sudo reach other users`, { skip, timeoutMs: 20_000 }, async () => {
    const router = new Router({ logger: false });
    try {
      // Where everybody can run it.
      const node = `${lab.directory}/node-${name}`;
      if (!existsSync(node)) copyFileSync(nodeBinary(name) as string, node);
      const ssh = await router.ssh(toUser(server, user, { node }));
      assert.deepEqual(await ssh.call(() => [process.getuid?.(), process.versions.node]), [user.uid, NODE_VERSIONS.get(name)]);
      const sudo = await ssh.sudo({ node });
      assert.equal(await sudo.call(() => process.getuid?.()), 0);
      assert.deepEqual(await sudo.call(Counter.next, { count: 2 }), { count: 2, made: 11 });
    } finally {
      await router.close();
    }
  });
}
