/** The namespaces of processes and containers, for real. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { before } from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { entranceTests, lookAround, withRouter } from '../fixtures/programs/containers.js';
import { quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { type Container, type LabUser, needs, openLab } from '../support/lab/index.js';
import { run } from '../support/lab/process.js';

const lab = openLab();

for (const kind of ['namespaces', 'nspawn'] as const) {
  entranceTests({
    method: `nsenter into ${kind}`,
    needs: needs(kind),
    make: lab[kind],
    open: (from, { pid }, { threadless = false } = {}) => from.nsenter({ pid, threadless }),
    hasUsers: false,
    // Two containers of systemd-nspawn cannot have one root.
    isKilled: kind !== 'nspawn',
  });
}

/** Runs a body with the folder of a stub first in PATH. */
async function withPath(folder: string, body: () => Promise<void>): Promise<void> {
  const former = process.env['PATH'];
  process.env['PATH'] = `${folder}:${former}`;
  try {
    await body();
  } finally {
    process.env['PATH'] = former;
  }
}

for (const kind of ['docker', 'podman', 'lxc'] as const) {
  const here = needs(kind, 'namespaces');
  let container: Container;
  if (here.skip === false) {
    before(async () => {
      container = await lab[kind]();
    });
  }
  testWithOracle(`nsenter: the first process of a container of ${kind} is found by its tool`, here, async () => {
    const folder = container.tool.replace(/\/[^/]*$/, '');
    await withPath(folder.includes('/') ? folder : '/usr/bin', async () => {
      await withRouter(container, async (router) => {
        process.env['DOCKER_CANARY'] = 'not for inside';
        const context = router.nsenter({ container: container.name, kind });
        assert.equal((await context.call(lookAround)).hostname, container.hostname);
        assert.deepEqual((await context.call(lookAround)).secrets, []);
        delete process.env['DOCKER_CANARY'];
        const error = await rejectsWith(router.nsenter({ container: 'nope', kind }), 'ERR_MITOS_NO_CONTAINER');
        assert.match(error.message, /^Cannot connect "nsenter\.nope" via nsenter: no such container; last output: /);
      });
    });
  });
}

const withNamespaces = needs('namespaces', 'users');
let space: Container;
let user: LabUser;
if (withNamespaces.skip === false) {
  before(async () => {
    space = await lab.namespaces();
    user = await lab.user();
  });
}

for (const [kind, tool, words, says] of [
  ['lxd', 'lxc', 'info', 'Name: web\nStatus: RUNNING\nPid: %\nIps:\n'],
  ['incus', 'incus', 'info', 'Name: web\nStatus: RUNNING\nPID: %\nResources:\n  Processes: 12\n'],
  ['machinectl', 'machinectl', 'show -p Leader --value', '%\n'],
] as const) {
  testWithOracle(`nsenter: the first process of a container of ${kind} is read from what its tool prints`, withNamespaces, async () => {
    const stub = lab.stub(tool, {
      answers: { [`${words} -- web`]: says.replace('%', String(space.pid)), [`${words} -- idle`]: says.replace('%', '0') },
    });
    await withPath(stub.directory, async () => {
      await withRouter(space, async (router) => {
        assert.equal((await router.nsenter({ container: 'web', kind }).call(lookAround)).hostname, space.hostname);
        assert.deepEqual(stub.calls()[0]?.argv, [...words.split(' '), '--', 'web']);
        const error = await rejectsWith(router.nsenter({ container: 'idle', kind }), 'ERR_MITOS_NO_CONTAINER');
        assert.match(error.message, /: the container does not run/);
      });
    });
  });
}

testWithOracle('nsenter: a process in a user namespace is entered as its root', withNamespaces, async ({ signal }) => {
  const script = 'hostname inside;echo up;exec sleep infinity';
  const child = spawn('unshare', ['-U', '-r', '-m', '-u', '-p', '--fork', '--kill-child', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
    signal,
  });
  child.on('error', () => {});
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const { router } = quietRouter();
  try {
    const pid = Number(run(['ps', '-o', 'pid=', '--ppid', String(child.pid)]));
    const context = await router.nsenter({ pid });
    const place = await context.call(lookAround);
    assert.deepEqual([place.hostname, place.uid], ['inside', 0]);
    assert.equal(await context.call(readlinkSync, '/proc/self/ns/user'), readlinkSync(`/proc/${pid}/ns/user`));
  } finally {
    await router.close();
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  }
});

testWithOracle(
  'nsenter: a process that is not there, may not be entered, or a tool that is not here, is told',
  withNamespaces,
  async () => {
    await withRouter(space, async (router) => {
      const missing = await rejectsWith(router.nsenter({ pid: 2 ** 22 + 1 }), 'ERR_MITOS_NO_CONTAINER');
      assert.match(missing.message, /: no such process$/);
      const noTool = await rejectsWith(
        router.nsenter({ container: 'web', kind: 'incus', path: '/no/nsenter' }),
        'ERR_MITOS_TRANSPORT_EXIT',
      );
      assert.match(noTool.message, /nsenter, or the program that knows the container, is not here/);
      const other = await router.runuser({ username: user.name, node: lab.node });
      const refused = await rejectsWith(other.nsenter({ pid: space.pid }), 'ERR_MITOS_AUTH');
      assert.match(refused.message, /: not allowed to see the namespaces of that process/);
      assert.match(String(refused.hint), /sudo/);
      assert.notEqual(hostname(), space.hostname);
    });
  },
);
