/** What a child inherits, and what it does not: descriptors, environment, standard input, its place. */
import assert from 'node:assert/strict';
import { execSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FirstStageOptions, firstStage } from '#src/parent/first-stage.js';
import { KnownRuntimes } from '#src/parent/known-runtimes.js';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import { PROCESSES, pidOf, startProgram, treeTest } from '../fixtures/programs/harness.js';

function environment(): NodeJS.ProcessEnv {
  return { ...process.env };
}

function environmentOfProgram(): string {
  return execSync('cat /proc/self/environ', { encoding: 'latin1' });
}

function descriptorsOfProgram(): string[] {
  // The listing's own descriptor is gone by then.
  return execSync('for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; :', {
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'inherit'],
  })
    .trim()
    .split('\n');
}

function readInput(): string {
  return `${readFileSync(0, 'utf8')}|${execSync('cat', { encoding: 'utf8', stdio: ['inherit', 'pipe', 'inherit'] })}`;
}

function place(): { cwd: string; title: string; isLeader: boolean } {
  const fields = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return { cwd: process.cwd(), title: process.title, isLeader: Number(fields[2]) === process.pid };
}

for (const mode of PROCESSES) {
  treeTest(`A ${mode.name} child gets an allow-list of the environment, and what env adds`, {}, async ({ router }) => {
    const names = Array.from({ length: 300 }, (_, n) => `CANARY_${n}`);
    const levers = [
      'NODE_OPTIONS',
      'LD_PRELOAD_CANARY',
      'BASH_ENV',
      'API_TOKEN',
      'AWS_SECRET_ACCESS_KEY',
      'NPM_CONFIG_CANARY',
      'PYTHONPATH',
      'ENV',
    ];
    for (const name of names) process.env[name] = 'canary-value';
    for (const name of levers) process.env[name] ??= name === 'NODE_OPTIONS' ? '--no-deprecation' : 'canary-value';
    try {
      const child = await mode.open(router, { env: { WANTED: 'yes' } });
      const grandchild = await mode.open(child);
      for (const context of [child, grandchild]) {
        const env = await context.call(environment);
        assert.deepEqual(
          Object.keys(env).filter((name) => names.includes(name) || levers.includes(name)),
          [],
        );
        assert.equal(env['PATH'], process.env['PATH']);
        assert.doesNotMatch(await context.call(environmentOfProgram), /canary-value/);
        assert.doesNotMatch(readFileSync(`/proc/${await pidOf(context)}/environ`, 'latin1'), /canary-value/);
      }
      assert.equal((await child.call(environment))['WANTED'], 'yes');
    } finally {
      for (const name of [...names, ...levers]) if (/canary-value|--no-deprecation/.test(process.env[name] ?? '')) delete process.env[name];
    }
  });

  treeTest(`A ${mode.name} child and its programs read nothing from standard input`, {}, async ({ router }) => {
    const child = await mode.open(router);
    assert.equal(await child.call(readInput), '|');
  });

  treeTest(`A ${mode.name} child tells ps whose it is, and leads a process group`, {}, async ({ router }) => {
    const child = await mode.open(router);
    const { cwd, title, isLeader } = await child.call(place);
    assert.match(title, new RegExp(`^mitos:.+@.+:${process.pid}$`));
    assert.equal(cwd, process.cwd());
    assert.equal(isLeader, true);
    assert.match(readFileSync(`/proc/${await pidOf(child)}/cmdline`, 'latin1'), /^mitos:/);
  });

  treeTest(`cwd of a ${mode.name} child may be relative to the directory here`, {}, async ({ router }) => {
    const child = await router.local({ cwd: 'test', threadless: mode.name === 'threadless' });
    assert.equal((await child.call(place)).cwd, join(process.cwd(), 'test'));
    assert.equal((await child.info()).cwd, join(process.cwd(), 'test'));
  });

  testWithOracle(`Stray descriptors of a master reach no program of a ${mode.name} child`, async ({ signal }) => {
    const { stdout, stderr, code } = await startProgram('stray-descriptors', [mode.name], signal).ended;
    assert.equal(code, 0, stderr);
    const { programs, own } = JSON.parse(stdout) as { programs: string[][]; own: string[] };
    for (const fds of programs) assert.deepEqual(fds, ['0', '1', '2']);
    for (const fd of ['5', '17', '40', '251', '900']) assert.ok(!own.includes(fd), `descriptor ${fd}`);
  });
}

for (const mode of PROCESSES) {
  treeTest(`Programs of a ${mode.name} child inherit 0, 1 and 2 only`, {}, async ({ router }) => {
    const child = await mode.open(router);
    assert.deepEqual(await child.call(descriptorsOfProgram), ['0', '1', '2']);
  });
}

const known = new KnownRuntimes();
const ORDER = { id: 5, name: 'x', method: 'command', options: {} };
known.add(ORDER, { pid: 4194304, startedAt: '123456789012' });

const STAGES: readonly Omit<FirstStageOptions, 'marker'>[] = [
  { preambleBytes: 9999 },
  { preambleBytes: 9999, search: { mode: 'never' } },
  { preambleBytes: 9999, search: { mode: 'push' } },
  { preambleBytes: 9999, search: { mode: 'auto', known: known.find(ORDER) } },
  { preambleBytes: 9999, node: ['/usr/bin/node'] },
  { preambleBytes: 9999, node: ['/usr/bin/env', 'node'], stdoutFd: 5 },
  { preambleBytes: 9999, node: ['/usr/bin/node'], stdoutFd: 5, watchFd: 6 },
];

testWithOracle('The first stage fits into 800 bytes with all it carries, in every form', () => {
  for (const options of STAGES) {
    const argv = firstStage({ marker: 'f'.repeat(22), ...options });
    const bytes = argv.join('\0').length;
    assert.ok(bytes <= 800, `${bytes} bytes: ${argv.join(' ')}`);
    assert.doesNotMatch(argv.join(' '), /[\n!]|[^ -~]/);
  }
});

for (const [shell, argv] of [
  ['dash', ['dash']],
  ['bash', ['bash', '--norc', '--posix']],
  ['busybox', ['busybox', 'sh']],
  ['ksh', ['ksh']],
] as const) {
  testWithOracle(
    `The first stage finds Node and prints the marker in ${shell}`,
    requirement(shell, () => findCommand(shell) !== undefined),
    () => {
      const [, ...stage] = firstStage({ marker: 'm'.repeat(22), preambleBytes: 0 });
      // An empty preamble: the Node that was found has nothing to run.
      const path = findCommand(shell) as string;
      const { stdout } = spawnSync(path, [...argv.slice(1), ...stage], {
        input: '',
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
        timeout: 5000,
      });
      assert.match(stdout, /^\/\S*node\nm{22} ok node\n$/);
      const bare = { encoding: 'utf8', env: { PATH: '/nowhere', HOME: '/nowhere' }, timeout: 5000 } as const;
      const none = spawnSync(path, [...argv.slice(1), ...stage], { input: '', ...bare });
      assert.match(none.stdout, /^m{22} (ok|none)/);
      // Whatever was written for Node, it goes on with the line that begins with the marker.
      const waiting = firstStage({ marker: 'm'.repeat(22), preambleBytes: 0, search: { mode: 'push' } }).slice(1);
      const written = Buffer.from('\0\xff\\\n$(echo no)`echo no`\x1b\xc3\n\n\n\nmmm echo no\n', 'latin1');
      const input = Buffer.concat([written, Buffer.from(`${'m'.repeat(22)} echo "$0 heard";exit 5\necho no\n`)]);
      const heard = spawnSync(path, [...argv.slice(1), ...waiting], { input, ...bare });
      assert.deepEqual([heard.stdout, heard.status], [`${'m'.repeat(22)} none\n${'m'.repeat(22)} heard\n`, 5]);
      // A process that is not the one that was meant gives nothing.
      const startedAt = /.*\) (?:\S+ ){19}(\d+)/.exec(readFileSync('/proc/self/stat', 'latin1'))?.[1] as string;
      for (const [pid, at, ok] of [
        [process.pid, startedAt, true],
        [process.pid, `${startedAt}1`, false],
        [4194305, startedAt, false],
      ] as const) {
        known.add(ORDER, { pid, startedAt: at });
        const script = firstStage({ marker: 'm'.repeat(22), preambleBytes: 0, search: { mode: 'auto', known: known.find(ORDER) } }).slice(
          1,
        );
        const { stdout: said } = spawnSync(path, [...argv.slice(1), ...script], { input: '', ...bare });
        assert.match(said, ok ? /^m{22} ok \/proc\/self\/fd\/8\n/ : /^m{22} none\n$/);
      }
    },
  );
}
