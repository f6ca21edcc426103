import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { testWithOracle } from '#src/testing/index.js';
import { needs } from '../support/lab/index.js';
import { ELSEWHERE, executable, FakeRegistry, packageOf, withBench } from '../support/runtimes.ts';
import { ROOT, run, runNode } from './run-program.js';

const MAIN = 'dist/cli/main.js';

testWithOracle('mitos runtime fetches from a directory, lists what there is and removes it', ({ signal }) =>
  withBench(async ({ seed, runtimes, cache }) => {
    await seed(`node-v20.19.5-linux-${ELSEWHERE}`, executable());
    const cli = (...args: string[]): ReturnType<typeof runNode> => runNode(MAIN, { args: ['runtime', ...args], signal });
    const none = await cli('list');
    assert.deepEqual([none.code, none.stdout], [0, 'There are no runtimes in the cache; mitos runtime fetch gets one\n']);
    const fetched = await cli('fetch', '20', '--arch', ELSEWHERE, '--runtimes', runtimes);
    assert.equal(fetched.code, 0, fetched.stderr);
    assert.match(fetched.stdout, new RegExp(`^Node 20\\.19\\.5 for linux-${ELSEWHERE}: \\d+ B, packed (gzip|xz) \\d+ B`));
    assert.match(fetched.stderr, /^(packing\n)+$/);
    const { stdout } = await cli('list', '--json');
    const stored = JSON.parse(stdout) as { version: string; path: string; packings: { gzip: number } };
    assert.equal(stored.version, '20.19.5');
    assert.ok(stored.path.startsWith(cache) && stored.packings.gzip > 0);
    const kept = await cli('prune');
    assert.deepEqual([kept.code, kept.stdout], [0, 'Nothing to remove\n']);
    assert.match((await cli('prune', '--all')).stdout, /^Removed node-20\.19\.5-linux-\S+: \d+ B\n$/);
    assert.equal((await cli('list', '--json')).stdout, '');
  }),
);

testWithOracle('mitos runtime fetch tells what is wrong and what to do, and ends with code 1', ({ signal }) =>
  withBench(async () => {
    const args = ['runtime', 'fetch', '--arch', 'mips'];
    const text = await runNode(MAIN, { args, signal });
    assert.deepEqual([text.code, text.stdout], [1, '']);
    assert.match(text.stderr, /^FAIL ERR_MITOS_RUNTIME_PUSH: .*no build for "linux-mips", only for linux-x64, .*\n {2}-> install Node/);
    const json = await runNode(MAIN, { args: [...args, '--json'], signal });
    assert.equal((JSON.parse(json.stdout) as { code: string }).code, 'ERR_MITOS_RUNTIME_PUSH');
  }),
);

testWithOracle('mitos runtime fetch is ended by Ctrl-C with nothing left behind', ({ signal }) =>
  withBench(async ({ cache, useRegistry }) => {
    let begun: (() => void) | undefined;
    const bytes = packageOf(executable());
    const serve = (): void => begun?.();
    const registry = await new FakeRegistry({ packages: { [`node-linux-${ELSEWHERE}@20.19.5`]: { bytes, serve } } }).open();
    useRegistry(registry.url);
    const ended = await runNode(MAIN, {
      args: ['runtime', 'fetch', '20.19.5', '--arch', ELSEWHERE],
      signal,
      onOutput: (_, child) => {
        begun = () => child.kill('SIGINT');
      },
    });
    await registry.close();
    assert.equal(ended.signal, 'SIGINT');
    assert.deepEqual(await readdir(join(cache, 'runtimes')), []);
  }),
);

testWithOracle('mitos runtime fetch says so when there is no space, and leaves nothing behind', needs('namespaces'), ({ signal }) =>
  withBench(async ({ seed, cache, runtimes }) => {
    await seed(`node-v20.19.5-linux-${ELSEWHERE}`, executable({ salt: randomBytes(500_000).toString('hex') }));
    await mkdir(cache, { mode: 0o700 });
    const fetch = '"$1" "$2" runtime fetch 20 --arch "$3" --runtimes "$4"; code=$?; ls "$0/runtimes" >&2; exit $code';
    const script = `mount -t tmpfs -o size=600k,mode=700 tmpfs "$0" && { ${fetch}; }`;
    const argv = ['unshare', '--mount', 'sh', '-c', script, cache, process.execPath, ROOT + MAIN, ELSEWHERE, runtimes];
    const { code, stderr } = await run(argv, { signal });
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /FAIL ERR_MITOS_RESOURCE: .*no space is left in .*\n {2}-> run mitos runtime prune, or let MITOS_CACHE_DIR name [^\n]*\n$/,
    );
  }),
);
