/** Other users of another machine: the dialogue is held there, by the hop that runs the tool. */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { pidOf, pidsGone, rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { echo, uid } from '../support/elevated.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { toUser } from '../support/ssh.js';

const lab = openLab();
const withAll = needs('users', 'sshd', 'sudo', 'su', 'doas');
const test = { test: withAll };
let server: Sshd;
let user: LabUser;
let other: LabUser;
if (withAll.skip === false) {
  before(async () => {
    user = await lab.user({ shell: 'zsh' });
    other = await lab.user({ shell: 'fish' });
    server = await lab.sshd();
    await lab.doas(`permit ${user.name} as root`);
  });
}

for (const policy of ['', 'requiretty', 'use_pty']) {
  treeTest(`One flight leads over ssh through sudo with "${policy}" and a password to a call`, test, async ({ router }) => {
    await using _policy = await lab.sudoers(
      `Defaults:${user.name} timestamp_timeout=0${policy && `,${policy}`}\n${user.name} ALL=(ALL) ALL`,
    );
    const root = router.ssh(toUser(server, user)).sudo({ password: user.password });
    assert.equal(await root.call(uid), 0);
    const bytes = Buffer.alloc(3_000_000, 'bytes\0\r\n~.\x03\x04');
    assert.ok(bytes.equals(Buffer.from(await root.call(echo<Uint8Array>, bytes))));
  });
}

treeTest('Over ssh, su and doas take a password too, and refuse a wrong one', test, async ({ router }) => {
  const web = router.ssh(toUser(server, user));
  assert.equal(await web.su({ username: other.name, password: other.password }).call(uid), other.uid);
  assert.equal(await web.doas({ password: user.password }).call(uid), 0);
  const errors = [web.su({ username: other.name, password: user.password }), web.doas({ password: other.password })];
  for (const error of await Promise.all(errors.map((child) => rejectsWith(child, 'ERR_MITOS_PASSWORD_WRONG'))))
    assert.match(error.hint ?? '', /once/);
  await rejectsWith(web.sudo(), 'ERR_MITOS_PASSWORD_REQUIRED');
});

treeTest('When the ssh client dies, root behind sudo goes too', test, async ({ router }) => {
  await using _policy = await lab.sudoers(`${user.name} ALL=(ALL) ALL`);
  const web = await router.ssh(toUser(server, user));
  const root = await web.sudo({ password: user.password });
  const pids = [await pidOf(web), await pidOf(root)];
  const call = root.call(() => new Promise(() => {}));
  process.kill(await web.call(() => process.pid), 'SIGKILL');
  await rejectsWith(call, 'ERR_MITOS_CHILD_EXIT', 'ERR_MITOS_DISCONNECTED');
  await pidsGone(pids, 2000);
});
