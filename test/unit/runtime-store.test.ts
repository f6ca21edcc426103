/** The store with builds from a directory: nothing here asks a network. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { RuntimeOffer, RuntimeQuery } from '#src/core/runtime-order.js';
import { RuntimeStore } from '#src/master/runtime/store.js';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import { type Bench, ELSEWHERE, executable, HERE, loadedSize, packageOf, tarball, withBench } from '../support/runtimes.ts';

const QUERY: RuntimeQuery = { platform: 'linux', arch: ELSEWHERE, libc: 'glibc', glibc: '2.36', packing: 'gzip' };
const NAME = `node-v20.19.5-linux-${ELSEWHERE}`;

/** A test with a bench and a store that takes its builds from there. */
function benchTest(name: string, work: (bench: Bench, store: RuntimeStore) => Promise<void>, skip: string | false = false): void {
  testWithOracle(name, { skip }, () =>
    withBench(async (bench) => {
      const store = new RuntimeStore({ runtimes: bench.runtimes });
      try {
        await work(bench, store);
      } finally {
        await store.close();
      }
    }),
  );
}

async function contentOf(store: RuntimeStore, offer: RuntimeOffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < offer.packedSize; ) {
    const piece = await store.read(offer.blob, at, 100);
    pieces.push(piece);
    at += piece.length;
  }
  return Buffer.concat(pieces);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function onlyEntry(bench: Bench): Promise<string> {
  const names = await readdir(join(bench.cache, 'runtimes'));
  assert.equal(names.length, 1, names.join());
  return join(bench.cache, 'runtimes', names[0] as string);
}

const FORMS: Readonly<Record<string, (bench: Bench, bytes: Buffer) => Promise<unknown>>> = {
  'a tarball of npm': (bench, bytes) => bench.seed(`node-linux-${ELSEWHERE}-20.19.5.tgz`, packageOf(bytes)),
  'a tarball of nodejs.org': (bench, bytes) =>
    bench.seed(`${NAME}.tar.gz`, tarball({ [`${NAME}/LICENSE`]: 'x', [`${NAME}/bin/node`]: bytes })),
  'an executable': (bench, bytes) => bench.seed(NAME, bytes),
  'a directory with bin/node': (bench, bytes) => bench.seed(`${NAME}/bin/node`, bytes),
};

for (const [form, put] of Object.entries(FORMS)) {
  benchTest(`RuntimeStore offers ${form}, cut and packed, and gives its bytes`, async (bench, store) => {
    const whole = executable();
    await put(bench, whole);
    const offer = await store.offer(QUERY);
    const blob = await contentOf(store, offer);
    assert.equal(sha256(blob), offer.blob);
    const unpacked = gunzipSync(blob);
    assert.equal(sha256(unpacked), offer.hash);
    assert.equal(unpacked.length, offer.size);
    assert.equal(offer.size, loadedSize(whole));
    assert.deepEqual([offer.version, offer.packing], ['20.19.5', 'gzip']);
  });
}

benchTest(
  'RuntimeStore takes tar.xz where there is a program for it',
  async (bench, store) => {
    const packed = gunzipSync(tarball({ [`${NAME}/bin/node`]: executable() }));
    await bench.seed(`${NAME}.tar.xz`, execFileSync('xz', ['-c'], { input: packed }));
    assert.equal((await store.offer(QUERY)).version, '20.19.5');
  },
  requirement('xz', () => findCommand('xz') !== undefined).skip,
);

benchTest('RuntimeStore takes the version of the master before newer ones, and the newest else', async (bench, store) => {
  for (const version of ['18.1.0', '99.0.0', process.versions.node])
    await bench.seed(`node-v${version}-linux-${ELSEWHERE}`, executable({ version }));
  assert.equal((await store.offer(QUERY)).version, process.versions.node);
  await rm(join(bench.runtimes, `node-v${process.versions.node}-linux-${ELSEWHERE}`));
  assert.equal((await store.offer(QUERY)).version, '99.0.0');
});

benchTest('RuntimeStore takes no build that the libc of the target cannot run', async (bench, store) => {
  for (const name of ['node-v20.0.0-linux-ARCH', 'node-v16.0.0-linux-ARCH', 'node-v20.0.0-linux-ARCH-musl'])
    await bench.seed(name.replace('ARCH', ELSEWHERE), executable({ version: /\d+\.0\.0/.exec(name)?.[0] ?? '', salt: name }));
  assert.equal((await store.offer({ ...QUERY, glibc: '2.17' })).version, '16.0.0');
  const [musl, glibc] = [await store.offer({ ...QUERY, libc: 'musl' }), await store.offer(QUERY)];
  assert.notEqual(musl.hash, glibc.hash);
});

benchTest(
  'RuntimeStore starts what it made where it can, and offers the whole executable when the cut one does not run',
  async (bench, store) => {
    const whole = executable({ arch: HERE, isOdd: true });
    await bench.seed(`node-v20.19.5-linux-${HERE}`, whole);
    assert.equal((await store.offer({ ...QUERY, arch: HERE })).size, whole.length);
  },
);

benchTest('RuntimeStore offers an executable that runs', async (bench, store) => {
  await bench.seed(`node-v20.19.5-linux-${HERE}`, executable({ arch: HERE }));
  const offer = await store.offer({ ...QUERY, arch: HERE, packing: 'none' });
  const file = join(bench.runtimes, 'run');
  await writeFile(file, await contentOf(store, offer));
  await chmod(file, 0o755);
  assert.equal(spawnSync(file, { encoding: 'utf8' }).stdout, 'v20.19.5\n');
});

benchTest('RuntimeStore refuses an executable that is another version than its name says', async (bench, store) => {
  await bench.seed(`node-v20.19.5-linux-${HERE}`, executable({ arch: HERE, version: '18.0.0' }));
  await assert.rejects(store.offer({ ...QUERY, arch: HERE }), {
    code: 'ERR_MITOS_RUNTIME_PUSH',
    message: /it is v18\.0\.0, not v20\.19\.5/,
  });
});

benchTest('RuntimeStore leaves an executable whole that has data attached', async (bench, store) => {
  const whole = executable({ attached: 'resources' });
  await bench.seed(NAME, whole);
  assert.equal((await store.offer(QUERY)).size, whole.length);
});

const BAD: Readonly<Record<string, readonly [name: string, content: () => Buffer, message: RegExp]>> = {
  'an executable for another machine': [
    NAME,
    () => executable({ arch: HERE }),
    new RegExp(`is for linux-${HERE}, not for linux-${ELSEWHERE}`),
  ],
  'a file that is no executable': [NAME, () => Buffer.from('#!/bin/sh\n'), /is no executable/],
  'an empty file': [NAME, () => Buffer.alloc(0), /is no executable/],
  'a truncated tarball': [`${NAME}.tar.gz`, () => packageOf(executable()).subarray(0, 150), /is damaged/],
  'a tarball of something else': [`${NAME}.tar.gz`, () => tarball({ 'a/bin/nod': 'x' }), /no bin\/node in it/],
  'a file that is no tarball': [`${NAME}.tar.gz`, () => Buffer.from('x'.repeat(2000)), /is damaged/],
};

for (const [what, [name, content, message]] of Object.entries(BAD)) {
  benchTest(`RuntimeStore refuses ${what}, names it and keeps nothing`, async (bench, store) => {
    await bench.seed(name, content());
    await assert.rejects(store.offer(QUERY), (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, 'ERR_MITOS_RUNTIME_PUSH');
      assert.match(error.message, message);
      assert.ok(error.message.includes(name));
      assert.match(error.hint ?? '', /replace/);
      return true;
    });
    assert.deepEqual(await readdir(join(bench.cache, 'runtimes')), []);
  });
}

benchTest('RuntimeStore compares a build with SHASUMS256.txt beside it', async (bench, store) => {
  const bytes = tarball({ [`${NAME}/bin/node`]: executable() });
  await bench.seed(`${NAME}.tar.gz`, bytes);
  await bench.seed('SHASUMS256.txt', `${'0'.repeat(64)}  ${NAME}.tar.gz\n`);
  await assert.rejects(store.offer(QUERY), { code: 'ERR_MITOS_RUNTIME_PUSH', message: /SHASUMS256\.txt/ });
  await bench.seed('SHASUMS256.txt', `${sha256(bytes)}  ${NAME}.tar.gz\n`);
  await store.offer(QUERY);
});

benchTest('RuntimeStore compares a tarball of npm with the checksum that is known of that version', async (bench, store) => {
  await bench.seed(`node-linux-${ELSEWHERE}-18.20.8.tgz`, packageOf(executable({ version: '18.20.8' })));
  await assert.rejects(store.offer(QUERY), { code: 'ERR_MITOS_RUNTIME_PUSH', message: /expected was sha512-/ });
  assert.equal((await readdir(bench.runtimes)).length, 1, 'the file of the user stays');
});

benchTest('RuntimeStore makes a runtime once, also for many and in other programs', async (bench, store) => {
  await bench.seed(NAME, executable());
  const other = new RuntimeStore({ runtimes: bench.runtimes });
  let packed = 0;
  const onProgress = ({ done, total }: { done: number; total: number }): void => {
    if (done === total) packed++;
  };
  const offers = await Promise.all([store, other, store, other].map((one) => one.offer(QUERY, { onProgress })));
  assert.equal(new Set(offers.map(({ blob }) => blob)).size, 1);
  assert.equal(packed, 2, 'the two of one store watch the same work, those of the other one find it done');
  await other.close();
});

benchTest('RuntimeStore makes a runtime again whose file was changed, cut or lost', async (bench) => {
  await bench.seed(NAME, executable());
  const damage: ((file: string) => Promise<void>)[] = [
    async (file) => {
      const bytes = await readFile(file);
      bytes[20] = (bytes[20] as number) ^ 1;
      await writeFile(file, bytes);
    },
    (file) => truncate(file, 50),
    (file) => rm(file),
    (file) => writeFile(join(file, '../manifest.json'), '{"format":1}'),
  ];
  for (const harm of damage) {
    const first = new RuntimeStore({ runtimes: bench.runtimes });
    const before = await first.offer(QUERY);
    await first.close();
    const entry = await onlyEntry(bench);
    await harm(join(entry, `gzip-${before.blob}`));
    const second = new RuntimeStore({ runtimes: bench.runtimes });
    const after = await second.offer(QUERY);
    assert.equal(sha256(await contentOf(second, after)), after.blob);
    await second.close();
  }
});

benchTest(
  'RuntimeStore offers gzip first to a target that has xz, makes xz when that was sent, and offers it the next time',
  async (bench, store) => {
    await bench.seed(NAME, executable({ salt: 'salt' }));
    const first = await store.offer({ ...QUERY, packing: 'xz' });
    assert.equal(first.packing, 'gzip');
    await contentOf(store, first);
    const deadline = AbortSignal.timeout(10_000);
    for (;;) {
      deadline.throwIfAborted();
      const next = await store.offer({ ...QUERY, packing: 'xz' });
      if (next.packing !== 'xz') continue;
      assert.equal(sha256(execFileSync('xz', ['-dc'], { input: await contentOf(store, next) })), next.hash);
      break;
    }
  },
);

benchTest('RuntimeStore ends the making of xz when it is closed, and leaves nothing of it', async (bench, store) => {
  await bench.seed(NAME, executable({ symbols: 0, attached: 'x'.repeat(8_000_000) }));
  const offer = await store.offer({ ...QUERY, packing: 'xz' });
  await store.read(offer.blob, offer.packedSize - 1, 1);
  await store.close();
  await onlyEntry(bench);
});

benchTest('RuntimeStore does not send bytes of a blob that it did not offer, and none behind the end', async (bench, store) => {
  await bench.seed(NAME, executable());
  await assert.rejects(store.read('../../etc/passwd', 0, 10), { code: 'ERR_MITOS_RUNTIME_PUSH' });
  const offer = await store.offer(QUERY);
  assert.equal((await store.read(offer.blob, offer.packedSize - 3, 100)).length, 3);
  assert.equal((await store.read(offer.blob, offer.packedSize + 3, 100)).length, 0);
});

benchTest('RuntimeStore keeps what it offered usable when the cache is pruned meanwhile', async (bench, store) => {
  await bench.seed(NAME, executable());
  const offer = await store.offer(QUERY);
  const { removed } = await new RuntimeStore().prune(0);
  assert.equal(removed.length, 1);
  assert.equal(sha256(await contentOf(store, offer)), offer.blob);
});

benchTest('RuntimeStore.prune keeps those used last, of each platform', async (bench, store) => {
  for (const version of ['20.1.0', '20.2.0', '20.3.0'])
    for (const arch of [ELSEWHERE, HERE]) await bench.seed(`node-v${version}-linux-${arch}`, executable({ version, arch }));
  for (const version of ['20.1.0', '20.2.0', '20.3.0']) for (const arch of [ELSEWHERE, HERE]) await store.fetch({ version, arch });
  await store.fetch({ version: '20.1.0', arch: HERE });
  assert.equal((await store.list()).length, 6);
  assert.equal((await store.prune(1)).removed.length, 4);
  const left = (await store.list()).map(({ version, arch }) => `${version} ${arch}`);
  assert.deepEqual(left.sort(), [`20.1.0 ${HERE}`, `20.3.0 ${ELSEWHERE}`].sort());
});

benchTest('RuntimeStore.prune removes what a program that crashed left behind, and not what a running one makes', async (bench, store) => {
  const directory = join(bench.cache, 'runtimes');
  assert.deepEqual(await store.list(), [], 'and the directory is there');
  const make = async (name: string, pid: number, age = 0): Promise<void> => {
    await mkdir(join(directory, name, 'work'), { recursive: true });
    await writeFile(join(directory, name, 'owner'), `${hostname()} ${pid}`);
    const time = new Date(Date.now() - age);
    await utimes(join(directory, name), time, time);
  };
  await make('.making-dead', 2 ** 22 - 1);
  await make('.making-old', process.pid, 60_000);
  await make('.making-alive', process.pid);
  await make('node-half-made', process.pid);
  await store.prune(0);
  assert.deepEqual(await readdir(directory), ['.making-alive']);
});

benchTest('RuntimeStore goes on where a program that crashed left its lock', async (bench, store) => {
  await bench.seed(NAME, executable());
  await store.offer(QUERY);
  const name = (await onlyEntry(bench)).split('/').at(-1) as string;
  await store.prune(0);
  await mkdir(join(bench.cache, 'runtimes', `.making-${name}`));
  await writeFile(join(bench.cache, 'runtimes', `.making-${name}`, 'owner'), `${hostname()} ${2 ** 22 - 1}`);
  await store.offer(QUERY);
});

benchTest('RuntimeStore waits for a program that makes the same, until it is told to end', async (bench, store) => {
  await bench.seed(NAME, executable());
  await store.offer(QUERY);
  const name = (await onlyEntry(bench)).split('/').at(-1) as string;
  await store.prune(0);
  await mkdir(join(bench.cache, 'runtimes', `.making-${name}`));
  const reason = new Error('enough');
  const controller = new AbortController();
  const offer = store.offer(QUERY, { signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await assert.rejects(offer, reason);
});

benchTest('RuntimeStore says what is wrong when its directories cannot be had', async (bench) => {
  const store = new RuntimeStore({ runtimes: join(bench.runtimes, 'not-there') });
  await assert.rejects(store.offer(QUERY), { code: 'ERR_MITOS_RUNTIME_PUSH', message: /option runtimes cannot be read/ });
  process.env['MITOS_CACHE_DIR'] = '/proc/none';
  await assert.rejects(store.offer(QUERY), { code: 'ERR_MITOS_RUNTIME_PUSH', hint: /MITOS_CACHE_DIR/ });
  await store.close();
});

benchTest('RuntimeStore takes its directory of builds from MITOS_RUNTIMES', async (bench) => {
  await bench.seed(NAME, executable());
  process.env['MITOS_RUNTIMES'] = bench.runtimes;
  const store = new RuntimeStore();
  assert.equal((await store.offer(QUERY)).version, '20.19.5');
  await store.close();
});
