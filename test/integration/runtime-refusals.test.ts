/** Targets that cannot be given a Node, and pushes that go wrong: each has its error, and nothing is left. What stands for Node here is a script. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ErrorCode, MitosError, RuntimeSource } from 'mitos';
import { PIECE } from '#src/parent/blobs.js';
import { findCommand, testWithOracle } from '#src/testing/index.js';
import { quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { type CountingSource, RAN, scriptRuntime, sourceOf } from '../fixtures/programs/runtime-source.js';
import { enter, makeBareRoot } from '../support/bare.js';
import { needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const here = needs('namespaces', 'shells');

/** Connects to a target of this machine that has what `programs` says, and gives the error. */
async function errorOf(
  code: ErrorCode,
  {
    programs = {},
    argv = [],
    source = sourceOf(scriptRuntime()),
    connectTimeoutMs = 20_000,
  }: {
    programs?: Readonly<Record<string, string>>;
    argv?: readonly string[];
    source?: RuntimeSource;
    connectTimeoutMs?: number;
  } = {},
): Promise<MitosError & Record<string, unknown>> {
  const bin = mkdtempSync(join(lab.directory, 'bin-'));
  for (const name of USUAL)
    if (!(name in programs)) writeFileSync(join(bin, name), `#!/bin/sh\nexec ${findCommand(name) ?? '/nowhere'} "$@"\n`, { mode: 0o755 });
  for (const [name, text] of Object.entries(programs)) if (text) writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  mkdirSync(join(bin, 'home'));
  const { router } = quietRouter({ runtimes: source });
  try {
    const prefix = ['env', '-i', `PATH=${bin}`, `HOME=${bin}/home`, ...argv];
    return await rejectsWith(router.command({ argv: prefix, runtime: 'push', connectTimeoutMs }), code);
  } finally {
    await router.close();
  }
}

const ARCH = process.arch === 'arm' ? 'armv7l' : process.arch;
const USUAL = [
  'sh',
  'uname',
  'getconf',
  'ldd',
  'head',
  'cat',
  'gzip',
  'sha256sum',
  'python3',
  'id',
  'ls',
  'mkdir',
  'chmod',
  'rm',
  'rmdir',
  'df',
  'tail',
  'setpriv',
  'prlimit',
];

for (const [way, programs] of [
  ['Python', {}],
  ['Perl', { python3: '', perl: 'exec /usr/bin/perl "$@"' }],
  ['a file', { python3: '' }],
] as const) {
  testWithOracle(`What was sent is run by way of ${way}, and what it says when it ends is told`, here, async () => {
    const error = await errorOf('ERR_MITOS_TRANSPORT_EXIT', { programs });
    assert.match(error.message, new RegExp(RAN));
    assert.equal(error['exitCode'], 3);
  });
}

for (const [what, programs, message] of [
  ['another system', { uname: 'case $1 in -s)echo FreeBSD;;*)echo amd64;;esac' }, /it is FreeBSD amd64.*only Linux/],
  ['nothing that checks a hash', { sha256sum: '', python3: '' }, /no a program that checks it \(sha256sum, /],
  [
    'no way that works',
    { python3: 'echo "no memory files here" >&2;exit 1', mkdir: 'echo "mkdir: no" >&2;exit 1' },
    /memory by python3: no memory files here; memory by python: it is not there; .*a file in \/dev\/shm: mkdir: no/,
  ],
] as const) {
  testWithOracle(`A target with ${what} is told of, before anything is sent`, here, async () => {
    const source = sourceOf(scriptRuntime());
    const error = await errorOf('ERR_MITOS_RUNTIME_PUSH', { programs, source });
    assert.match(error.message, message);
    assert.ok(error.hint);
    assert.deepEqual(source.queries, []);
  });
}

testWithOracle('What the target is reaches the source, and why that has nothing is told', here, async () => {
  const queries: unknown[] = [];
  const refused = (query: unknown): Promise<never> => {
    queries.push(query);
    return Promise.reject(new Error('nothing for glibc 2.12'));
  };
  const error = await errorOf('ERR_MITOS_RUNTIME_PUSH', {
    programs: { getconf: 'case $1 in GNU*)echo glibc 2.12;;*)echo 64;;esac', uname: 'case $1 in -s)echo Linux;;*)echo sparc64;;esac' },
    source: { offer: refused, read: () => Promise.reject(new Error('no')) },
  });
  assert.match(error.message, /nothing for glibc 2\.12/);
  assert.deepEqual(queries, [{ platform: 'linux', arch: 'sparc64', libc: 'glibc', glibc: '2.12', packing: 'gzip' }]);
  const musl = { getconf: 'exit 1', ldd: 'echo "musl libc (x86_64)" >&2;exit 1', xz: 'exit 1' };
  await errorOf('ERR_MITOS_RUNTIME_PUSH', { programs: musl, source: { offer: refused, read: () => Promise.reject(new Error('no')) } });
  assert.deepEqual(queries[1], { platform: 'linux', arch: ARCH, libc: 'musl', packing: 'xz' });
});

const big = (): Buffer => scriptRuntime(3_000_000);
const flipped = (): CountingSource => {
  // The bytes are packed as they are, so that a changed one can be unpacked.
  const executable = big();
  const packed = Buffer.from(executable);
  packed[2_000_000] = 1;
  return sourceOf(executable, { packed, offer: { packing: 'none' } });
};

for (const [what, code, source, message] of [
  ['has another content', 'ERR_MITOS_RUNTIME_PUSH', flipped, /what came is not what was sent: its SHA-256 is [0-9a-f]{64}/],
  [
    'cannot be unpacked',
    'ERR_MITOS_RUNTIME_PUSH',
    () => sourceOf(big(), { packed: Buffer.alloc(9000, 7) }),
    /could not be unpacked there \(1 .*not in gzip format/,
  ],
  [
    'cannot be read to its end',
    'ERR_MITOS_RUNTIME_PUSH',
    () =>
      sourceOf(big(), {
        packed: big(),
        offer: { packing: 'none' },
        read: (piece, at) => (at > 1e6 ? Promise.reject(new Error('the disk is broken')) : piece),
      }),
    /cannot be read \(the disk is broken\)/,
  ],
  [
    'is shorter than was said',
    'ERR_MITOS_RUNTIME_PUSH',
    () => sourceOf(big(), { packed: big(), offer: { packing: 'none' }, read: (piece, at) => (at > 1e6 ? piece.subarray(1) : piece) }),
    /piece 17 has 61439 bytes, not 61440/,
  ],
  [
    'does not run there',
    'ERR_MITOS_RUNTIME_PUSH',
    () => sourceOf(Buffer.from('#!/bin/sh\necho "GLIBC_2.28 not found" >&2;exit 1\n')),
    /Node \S+ does not run there \(1 GLIBC_2\.28 not found\)/,
  ],
  [
    'needs more memory than there is',
    'ERR_MITOS_RESOURCE',
    () => sourceOf(big(), { offer: { size: 1e15 } }),
    /takes 1000000000 MB of memory, and \d+ MB are free/,
  ],
] as const) {
  testWithOracle(`A runtime that ${what} is not run, and the error says so`, here, async () => {
    const error = await errorOf(code, { source: source() });
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, new RegExp(RAN));
  });
}

for (const [way, programs] of [
  ['memory', {}],
  ['a file', { python3: '' }],
] as const) {
  testWithOracle(`Where a runtime does not fit the error is ERR_MITOS_RESOURCE (${way})`, here, async () => {
    const error = await errorOf('ERR_MITOS_RESOURCE', { source: sourceOf(big()), programs, argv: ['prlimit', '--fsize=1000000'] });
    assert.match(error.message, /there is no room for it/);
  });
}

testWithOracle(
  'Folders that are full or noexec, or that others could change, are passed over, and named when there is no other',
  here,
  async () => {
    const root = makeBareRoot(lab.directory);
    const argv = enter(root, { folders: { '/dev/shm': 'noexec', '/tmp': 'size=8m', '/var/tmp': 'noexec' } });
    const { router } = quietRouter({ runtimes: sourceOf(scriptRuntime()) });
    try {
      const error = await rejectsWith(router.command({ argv }), 'ERR_MITOS_RUNTIME_PUSH');
      for (const part of [
        /a file in \/dev\/shm: .*denied/,
        /a file in \/tmp: only 8192 KB are free/,
        /a file in \/root: .*[Rr]ead-only/,
        /memory by perl: it is not there/,
      ])
        assert.match(error.message, part);
      assert.ok((error['tried'] as string[]).length >= 6);
    } finally {
      await router.close();
    }
  },
);

testWithOracle('A push that moves takes longer than the time for the connection; one that stands still does not', here, async () => {
  const connectTimeoutMs = 1000;
  const executable = big();
  // Some pieces come one after the other, with pauses that are together longer than that time.
  const slow = (isEndless: boolean): CountingSource => {
    let before = Promise.resolve();
    const read = async (piece: Buffer, at: number): Promise<Buffer> => {
      if (isEndless && at > 1e6) return new Promise<Buffer>(() => {});
      if (!isEndless && at < 5 * PIECE) before = before.then(() => setTimeout(connectTimeoutMs / 4));
      await before;
      return piece;
    };
    return sourceOf(executable, { packed: executable, offer: { packing: 'none' }, read });
  };
  const [timeout, moved] = await Promise.all([
    errorOf('ERR_MITOS_CONNECT_TIMEOUT', { source: slow(true), connectTimeoutMs }),
    errorOf('ERR_MITOS_TRANSPORT_EXIT', { source: slow(false), connectTimeoutMs }),
  ]);
  assert.match(timeout.message, /1000 ms \(there is no Node, and one is being sent\)/);
  assert.match(moved.message, new RegExp(RAN));
  assert.ok((moved['elapsedMs'] as number) > connectTimeoutMs);
});

testWithOracle('A target that ends in the middle of a push is told of as such', here, async () => {
  const executable = big();
  const source = sourceOf(executable, { packed: executable, offer: { packing: 'none' } });
  const error = await errorOf('ERR_MITOS_RUNTIME_PUSH', {
    source,
    programs: { head: 'kill -9 -$(ps -o pgid= -p $$ | tr -d " ")', ps: 'exec /bin/ps "$@"', tr: 'exec /usr/bin/tr "$@"' },
  });
  assert.match(error.message, /the process was ended by SIGKILL while one was being sent/);
});
