/** What methods for containers and namespaces put on command lines. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { checkOptions } from '#src/api/check-options.js';
import { METHODS } from '#src/methods/table.js';
import { shellWord } from '#src/parent/quote.js';
import { createRandom } from '#src/testing/index.js';

const childProcess = createRequire(import.meta.url)('child_process') as { spawn: unknown };
const { spawn } = childProcess;
let recorded: string[] = [];
before(() => {
  childProcess.spawn = (file: string, args: string[]) => {
    recorded = [file, ...args];
    throw new Error('recorded');
  };
  syncBuiltinESMExports();
});
after(() => {
  childProcess.spawn = spawn;
  syncBuiltinESMExports();
});

/** The command line of a method. Node and what follows `sh -c` are left out. */
function argvOf(method: string, given: object): string[] {
  const options = checkOptions(method, given as never);
  const config = { isThreadless: false, limits: { maxLogRecordBytes: 8192 } };
  const hop = { sources: { packedCore: Buffer.alloc(10) } };
  assert.throws(() => METHODS[method]?.start({ id: 2, name: 'x', method, options } as never, config as never, hop as never), /recorded/);
  const end = recorded.lastIndexOf('sh');
  assert.equal(recorded[end + 1], '-c');
  return recorded.slice(0, end);
}

const SU = ['su', '-s', '/bin/sh', '-c', 'exec "$0" "$@"', '--', 'bob'];

const LINES: [string, object, string[]][] = [
  ['docker', { container: 'web' }, ['docker', 'exec', '--interactive', '--', 'web']],
  [
    'docker',
    { container: 'web', username: 'bob', path: '/opt/docker' },
    ['/opt/docker', 'exec', '--interactive', '--user=bob', '--', 'web'],
  ],
  [
    'podman',
    { image: 'alpine:3', username: 'bob' },
    ['podman', 'run', '--rm', '--interactive', '--user=bob', '--entrypoint=sh', '--', 'alpine:3', '-c', '"$@";exit $?', 'mitos'],
  ],
  ['nerdctl', { container: 'web' }, ['nerdctl', 'exec', '--interactive', '--', 'web']],
  ['buildah', { container: 'work' }, ['buildah', 'run', '--', 'work']],
  ['buildah', { container: 'work', username: 'bob' }, ['buildah', 'run', '--user=bob', '--', 'work']],
  ['kubectl', { pod: 'web-1' }, ['kubectl', 'exec', '--stdin', 'web-1', '--']],
  [
    'kubectl',
    { pod: 'deploy/web', namespace: 'prod', containerName: 'app', kubeconfig: '/k c', kubectlArgs: ['--context', 'x'] },
    ['kubectl', 'exec', '--stdin', '--kubeconfig=/k c', '--namespace=prod', '--container=app', '--context', 'x', 'deploy/web', '--'],
  ],
  ['lxc', { container: 'web' }, ['lxc-attach', '--clear-env', '--name=web', '--']],
  ['lxc', { container: 'web', username: 'bob' }, ['lxc-attach', '--clear-env', '--name=web', '--', ...SU]],
  ['lxd', { container: 'web' }, ['lxc', 'exec', '--force-noninteractive', 'web', '--']],
  ['incus', { container: 'web', username: 'bob' }, ['incus', 'exec', '--force-noninteractive', 'web', '--', ...SU]],
  ['jail', { container: 'web' }, ['jexec', '-l', 'web']],
  ['jail', { container: 'web', username: 'bob' }, ['jexec', '-l', '-U', 'bob', 'web']],
  ['chroot', { root: '/srv/root fs' }, ['chroot', '/srv/root fs']],
  ['chroot', { root: '/srv', username: 'bob' }, ['chroot', '--userspec=bob', '/srv']],
];

for (const [method, given, argv] of LINES) {
  test(`${method} runs ${argv.join(' ')}`, () => {
    assert.deepEqual(argvOf(method, given), argv);
  });
}

test('One of container and image has to be given, and of nsenter a process or a container with its kind', () => {
  for (const method of ['docker', 'podman', 'buildah', 'nerdctl']) {
    assert.throws(() => checkOptions(method, {} as never), TypeError);
    assert.throws(() => checkOptions(method, { container: 'a', image: 'b' } as never), TypeError);
  }
  for (const given of [{}, { container: 'a' }, { pid: 1, container: 'a', kind: 'lxc' }, { container: 'a', kind: 'vm' }]) {
    assert.throws(() => checkOptions('nsenter', given as never), TypeError, JSON.stringify(given));
  }
  for (const pid of [0, 1.5]) assert.throws(() => checkOptions('nsenter', { pid } as never), RangeError);
});

/** Where each method takes names. */
const NAMED: [string, string, object][] = [
  ...['docker', 'podman', 'nerdctl', 'buildah'].flatMap((method): [string, string, object][] => [
    [method, 'container', { username: 'u' }],
    [method, 'image', {}],
    [method, 'username', { container: 'c' }],
    [method, 'username', { image: 'i' }],
  ]),
  ...['lxc', 'lxd', 'incus', 'jail', 'machinectl'].flatMap((method): [string, string, object][] => [
    [method, 'container', { username: 'u' }],
    [method, 'username', { container: 'c' }],
  ]),
  ...['pod', 'namespace', 'containerName', 'kubeconfig'].map((key): [string, string, object] => ['kubectl', key, { pod: 'p' }]),
  ...['docker', 'podman', 'lxc', 'lxd', 'incus', 'machinectl'].map((kind): [string, string, object] => ['nsenter', 'container', { kind }]),
  ['chroot', 'root', {}],
  ['chroot', 'username', { root: '/' }],
];

const ALPHABET = [
  ...`abz09-.:/@=,_'"\\$\`!;&|<>(){}[]*?~#%^ \t\n\r`.split(''),
  '\x1b',
  '\x7f',
  '\0',
  'é',
  '😀',
  '\u00a0',
  '--',
  '$(id)',
  '${x}',
  '-o',
];

test('A name of any kind stays in the one argument it belongs to, or is refused', () => {
  const random = createRandom(20);
  let accepted = 0;
  for (let round = 0; round < 1500; round++) {
    for (const [method, key, more] of NAMED) {
      const name = Array.from({ length: 1 + random.int(8) }, () => random.pick(ALPHABET)).join('');
      const shape = argvOf(method, { ...more, [key]: 'PLACEHOLDER' });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      const isBad = /^-|[\0-\x1f\x7f]/.test(name) || (/\s/.test(name) && key !== 'root' && key !== 'kubeconfig');
      if (isBad) {
        assert.throws(() => argvOf(method, { ...more, [key]: name }), TypeError, JSON.stringify([method, key, name]));
        continue;
      }
      accepted++;
      const written = method === 'nsenter' ? shellWord(name) : name;
      assert.deepEqual(
        argvOf(method, { ...more, [key]: name }),
        shape.map((word) => word.split('PLACEHOLDER').join(written)),
      );
    }
  }
  assert.ok(accepted > 10_000, `${accepted}`);
});

test('Names reach programs behind a shell as they are, and systemd-run gets each $ twice', () => {
  const random = createRandom(21);
  const folder = mkdtempSync(join(tmpdir(), 'container-arguments-'));
  const path = join(folder, 'tool');
  try {
    writeFileSync(path, '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 });
    for (let round = 0; round < 60; round++) {
      const name = `a${Array.from({ length: random.int(8) }, () => random.pick(ALPHABET)).join('')}`.replace(/[\s\0-\x1f\x7f]/g, '');
      const argv = argvOf('machinectl', { container: name, username: name, path });
      const args = [...argv.slice(1), 'sh', '-c', 'echo $1 ${x#~} $$', '$a', ''];
      const got = execFileSync(argv[0] as string, args)
        .toString()
        .split('\0')
        .slice(0, -1);
      assert.deepEqual(got, [
        '--quiet',
        '--pipe',
        '--wait',
        '--collect',
        `--machine=${name}`,
        `--uid=${name}`,
        '--',
        'sh',
        '-c',
        'echo $$1 $${x#~} $$$$',
        '$$a',
        '',
      ]);
      const [, flag = '', script = ''] = argvOf('nsenter', { container: name, kind: 'docker', path });
      assert.equal(flag, '-c');
      writeFileSync(join(folder, 'docker'), '#!/bin/sh\nprintf "%s\\0" "$@" >"$0.argv"\n', { mode: 0o755 });
      assert.throws(() => execFileSync('sh', ['-c', script], { env: { PATH: `${folder}:${process.env['PATH']}` }, stdio: 'ignore' }), {
        status: 125,
      });
      const asked = execFileSync('cat', [join(folder, 'docker.argv')])
        .toString()
        .split('\0')
        .slice(0, -1);
      assert.deepEqual(asked, ['container', 'inspect', '-f', '{{.State.Pid}}', '--', name]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
