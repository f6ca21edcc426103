/** What can go wrong on the way to another user: typed errors in bounded time, the reason in them, and nothing left. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { before } from 'node:test';
import { errorOf, pidOf, pidsGone, rejectsWith, treeTest, within } from '../fixtures/programs/harness.js';
import { asUser, echo, script, uid } from '../support/elevated.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withSudo = needs('users', 'sudo', 'su', 'doas');
const test = { test: withSudo };
let user: LabUser;
if (withSudo.skip === false) {
  before(async () => {
    user = await lab.user();
  });
}

const hang = (): Promise<never> => new Promise(() => {});

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

treeTest('A tool that is not installed is named, with a hint', test, async ({ router }) => {
  const path = '/nowhere/tool';
  for (const child of [
    router.sudo({ sudoPath: path }),
    router.su({ path }),
    router.doas({ path }),
    router.run0({ path }),
    router.runuser({ path }),
  ]) {
    const error = await rejectsWith(child, 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /\/nowhere\/tool ENOENT/);
    assert.match(error.hint ?? '', /installed/);
  }
});

treeTest('A tool that hangs is given up after connectTimeoutMs, and ended', test, async ({ router }) => {
  const { path } = lab.stub('tool', { stderr: 'One moment…\n', hangs: true });
  const options = { password: 'x', connectTimeoutMs: 3000 };
  const children = [router.sudo({ ...options, sudoPath: path }), router.su({ ...options, path }), router.doas({ ...options, path })];
  for (const child of children) {
    const call = errorOf(child.call(echo<number>, 1));
    const error = await rejectsWith(child, 'ERR_MITOS_CONNECT_TIMEOUT');
    assert.match(error.message, /One moment…/);
    assert.equal((await call).code, 'ERR_MITOS_CONNECT_TIMEOUT');
  }
});

treeTest('A tool that is killed while it asks is told with the signal', test, async ({ router }) => {
  const { path } = script(lab, 'tool', `printf "$3" >&2; kill -9 $$`);
  for (const child of [router.sudo({ sudoPath: path, password: 'x' }), router.su({ path })]) {
    const error = await rejectsWith(child, 'ERR_MITOS_TRANSPORT_EXIT');
    assert.equal(error['signal'], 'SIGKILL');
  }
});

treeTest('A real sudo that this user may not kill ends by itself when it is given up', test, async ({ router }) => {
  for (const policy of ['', ',requiretty']) {
    await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0${policy}\n${user.name} ALL=(ALL) ALL`);
    const start = await asUser(router, user);
    const pid = await pidOf(start);
    // A wrong password takes sudo seconds.
    const child = start.sudo({ password: 'wrong', connectTimeoutMs: 700 });
    await rejectsWith(child, 'ERR_MITOS_CONNECT_TIMEOUT');
    const left = childrenOf(pid);
    await pidsGone(left, 6000);
    assert.equal(await start.call(echo<number>, 1), 1);
  }
});

treeTest('A connect that is given up by the program while the tool asks ends at once', test, async ({ router }) => {
  const { path, calls } = lab.stub('sudo', { hangs: true });
  const child = router.sudo({ sudoPath: path, password: 'x' });
  const call = errorOf(child.call(echo<number>, 1));
  await within(5000, 'sudo runs', () => calls().length === 1);
  await child.shutdown();
  assert.equal((await call).code, 'ERR_MITOS_SHUTDOWN');
});

for (const policy of ['', 'use_pty', 'requiretty', 'log_output']) {
  treeTest(`When sudo with "${policy}" is killed, its child and what is behind it go too`, test, async ({ router }) => {
    const log = policy === 'log_output' ? `log_output,iolog_dir=${lab.directory}/log` : policy;
    await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0${log && `,${log}`}\n${user.name} ALL=(ALL) ALL`);
    const root = await asUser(router, user).sudo({ password: user.password });
    const behind = await root.local();
    const pids = [await pidOf(root), await pidOf(behind)];
    const calls = [errorOf(root.call(hang)), errorOf(behind.call(hang))];
    process.kill(await root.call(() => process.ppid), 'SIGKILL');
    for (const { code } of await Promise.all(calls)) assert.ok(['ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED'].includes(code), code);
    await pidsGone(pids, 2000);
  });
}

treeTest('A tool that insists on a terminal where there is no script(1) is ERR_MITOS_TTY_REQUIRED', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0,requiretty\n${user.name} ALL=(ALL) ALL`);
  const start = asUser(router, user, { PATH: '/nowhere' });
  const error = await rejectsWith(start.sudo({ sudoPath: '/usr/bin/sudo', password: user.password }), 'ERR_MITOS_TTY_REQUIRED');
  assert.match(error.message, /script\(1\)/);
  assert.match(error.message, /must have a tty/);
  await rejectsWith(start.doas({ path: '/usr/bin/doas', password: user.password }), 'ERR_MITOS_TTY_REQUIRED');
});

treeTest('Where no terminal is left it is ERR_MITOS_RESOURCE, and other contexts live on', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`Defaults:${user.name} timestamp_timeout=0,requiretty\n${user.name} ALL=(ALL) ALL`);
  const full = router.command({
    argv: [
      ...['unshare', '-m', 'sh', '-c'],
      'mount -t devpts -o newinstance,ptmxmode=666,mode=666,max=1 devpts /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx && ' +
        '{ script -qc "sleep 1000" /dev/null <&3 >/dev/null 2>&1 & } 3</dev/null; until [ -e /dev/pts/0 ]; do :; done; exec "$@"',
      'sh',
    ],
  });
  assert.equal(await full.call(readlinkSync, '/proc/self/ns/mnt').then((name) => name === readlinkSync('/proc/self/ns/mnt')), false);
  const start = await full.runuser({ username: user.name });
  const error = await rejectsWith(start.sudo({ password: user.password }), 'ERR_MITOS_RESOURCE');
  assert.match(error.message, /script: failed to create pseudo-terminal/);
  assert.equal(await start.call(uid), user.uid);
});

treeTest('A Node that cannot be reached as that user is told as it is elsewhere', test, async ({ router }) => {
  const error = await rejectsWith(router.su({ username: user.name, node: '/nowhere/node' }), 'ERR_MITOS_NO_RUNTIME');
  assert.match(error.message, /\/nowhere\/node/);
});
