/** Methods whose programs cannot run here: stand-ins record how they are called, then become what they were asked for. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContextPromise, Router } from 'mitos';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import { lookAround } from '../fixtures/programs/containers.js';
import { errorOf, quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { needs, noise, openLab, outsider } from '../support/lab/index.js';

const lab = openLab();
const here = needs('root');

/** Each method with the tool it calls, and how that has to be called. */
const METHODS: [string, string, (router: Router, path: string) => ContextPromise, string[]][] = [
  [
    'kubectl',
    'kubectl',
    (router, path) => router.kubectl({ pod: 'web', namespace: 'prod', path }),
    ['exec', '--stdin', '--namespace=prod', 'web', '--'],
  ],
  [
    'nerdctl',
    'nerdctl',
    (router, path) => router.nerdctl({ container: 'web', username: 'bob', path }),
    ['exec', '--interactive', '--user=bob', '--', 'web'],
  ],
  [
    'nerdctl with an image',
    'nerdctl',
    (router, path) => router.nerdctl({ image: 'alpine', path }),
    ['run', '--rm', '--interactive', '--entrypoint=sh', '--', 'alpine', '-c', '"$@";exit $?', 'mitos'],
  ],
  ['lxd', 'lxc', (router, path) => router.lxd({ container: 'web', path }), ['exec', '--force-noninteractive', 'web', '--']],
  [
    'incus',
    'incus',
    (router, path) => router.incus({ container: 'web', username: 'bob', path }),
    ['exec', '--force-noninteractive', 'web', '--', 'su', '-s', '/bin/sh', '-c', 'exec "$0" "$@"', '--', 'bob'],
  ],
  ['jail', 'jexec', (router, path) => router.jail({ container: 'web', username: 'bob', path }), ['-l', '-U', 'bob', 'web']],
];

for (const [name, tool, open, argv] of METHODS) {
  testWithOracle(`${name}: a call goes through, past noise on both sides`, here, async () => {
    const stub = lab.stub(tool, { stdout: noise(200_000), stderr: 'Defaulted container "app" out of: app, sidecar\n' });
    const { router } = quietRouter();
    try {
      const context = open(router, stub.path);
      assert.equal((await context.call(lookAround)).uid, 0);
      const call = stub.calls()[0]?.argv ?? [];
      assert.deepEqual(call.slice(0, argv.length), argv);
      assert.deepEqual(call.slice(argv.length, argv.length + 2), ['sh', '-c']);
    } finally {
      await router.close();
    }
  });

  testWithOracle(`${name}: a refusal, an end without a word and a tool that hangs are told in time`, here, async () => {
    const { router } = quietRouter();
    try {
      const refusing = lab.stub(tool, { refuses: { stderr: 'Error: no such container web\n', exitCode: 1 } });
      const refused = await rejectsWith(open(router, refusing.path), 'ERR_MITOS_NO_CONTAINER');
      assert.match(refused.message, /: no such container; last output: "Error: no such container web"/);
      assert.match(String(refused.hint), /^see /);
      const quitting = lab.stub(tool, { refuses: { stderr: '', exitCode: 3 } });
      assert.match((await rejectsWith(open(router, quitting.path), 'ERR_MITOS_TRANSPORT_EXIT')).message, /exited with code 3/);
      const shellless = lab.stub(tool, { refuses: { stderr: 'in a language that is not known', exitCode: 127 } });
      assert.match((await rejectsWith(open(router, shellless.path), 'ERR_MITOS_NO_RUNTIME')).message, /there is no sh in it/);
    } finally {
      await router.close();
    }
  });
}

testWithOracle('A tool that hangs is given up after connectTimeoutMs, and leaves nothing', here, async () => {
  const { router } = quietRouter();
  try {
    const { path } = lab.stub('kubectl', { stderr: 'No such container, yet\n', hangs: true });
    const context = router.kubectl({ pod: 'web', path, connectTimeoutMs: 400 });
    const behind = errorOf(context.local().call(lookAround));
    const error = await rejectsWith(context, 'ERR_MITOS_CONNECT_TIMEOUT');
    assert.match(error.message, /not up within 400 ms .*No such container, yet/);
    assert.ok((error['elapsedMs'] as number) < 1500);
    assert.equal((await behind).code, 'ERR_MITOS_CONNECT_TIMEOUT');
  } finally {
    await router.close();
  }
});

const withPerl = requirement('perl', () => (findCommand('perl') === undefined ? 'perl not found' : undefined));

/** Does with `$` what systemd does in the command of a unit. */
const EXPANDS = 's/\\$\\$|\\$\\{[^}]*\\}|^\\$\\w+$/$& eq q($$) ? q($) : q()/ge for @ARGV; exec @ARGV';

testWithOracle(
  'machinectl: what systemd-run does with $ does not reach the first stage',
  here.skip === false ? withPerl : here,
  async () => {
    const stub = lab.stub('systemd-run');
    const path = join(stub.directory, 'expanding');
    writeFileSync(path, `#!/bin/sh\nexec perl -e '${EXPANDS}' ${stub.path} "$@"\n`, { mode: 0o755 });
    const { router } = quietRouter();
    try {
      assert.equal((await router.machinectl({ container: 'web', username: 'bob', path }).call(lookAround)).uid, 0);
      const options = ['--quiet', '--pipe', '--wait', '--collect', '--machine=web', '--uid=bob', '--'];
      assert.deepEqual(stub.calls()[0]?.argv.slice(0, 8), [...options, 'sh']);
      assert.equal((await router.machinectl({ container: 'plain', path }).call(lookAround)).uid, 0);
      assert.deepEqual(stub.calls()[1]?.argv.slice(0, 7), [...options.slice(0, 4), '--machine=plain', '--', 'sh']);
    } finally {
      await router.close();
    }
  },
);

const withSystemdRun = requirement('systemd-run', () => (findCommand('systemd-run') === undefined ? 'systemd-run not found' : undefined));

testWithOracle('machinectl: a machine that is not there is told by the real systemd-run', withSystemdRun, async () => {
  const { router } = quietRouter();
  try {
    const error = await rejectsWith(router.machinectl({ container: 'no-such-machine' }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(error.message, /: no such container; last output: .*Host is down/);
    assert.equal(error.hint, 'see machinectl list');
  } finally {
    await router.close();
  }
});

const withKubectl = outsider('kubectl') ?? { skip: false };

testWithOracle('kubectl: a server that does not answer is told by the real kubectl', withKubectl, async () => {
  const { router } = quietRouter();
  try {
    const kubectlArgs = ['--server=http://127.0.0.1:1', '--request-timeout=5s'];
    const error = await rejectsWith(router.kubectl({ pod: 'web', kubectlArgs }), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /: its server does not answer; .*127\.0\.0\.1:1 was refused/);
  } finally {
    await router.close();
  }
});
