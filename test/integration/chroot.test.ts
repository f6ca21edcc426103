/** Another root directory, for real. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { before } from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { entranceTests, withRouter } from '../fixtures/programs/containers.js';
import { rejectsWith } from '../fixtures/programs/harness.js';
import { type Container, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const here = needs('chroot', 'su', 'users');

entranceTests({
  method: 'chroot',
  needs: here,
  make: lab.chroot,
  open: (from, { root }, more) => from.chroot({ root, ...more }),
  isKilled: false,
});

let container: Container;
if (here.skip === false) {
  before(async () => {
    container = await lab.chroot();
  });
}

testWithOracle('chroot: a directory that is not there, or has no sh, is told', here, async () => {
  const empty = mkdtempSync(join(lab.directory, 'empty-'));
  await withRouter(container, async (router) => {
    const missing = await rejectsWith(router.chroot({ root: '/no/such/place' }), 'ERR_MITOS_NO_CONTAINER');
    assert.match(
      missing.message,
      /^Cannot connect "chroot\.\/no\/such\/place" via chroot: that directory cannot become the root; last output: .*\/no\/such\/place/,
    );
    const bare = await rejectsWith(router.chroot({ root: empty }), 'ERR_MITOS_NO_RUNTIME');
    assert.match(bare.message, /: there is no sh in it;/);
    assert.match(String(bare.hint), /POSIX shell/);
  });
});

testWithOracle('chroot: only root may do it, and who may not is told so', here, async () => {
  await using user = await lab.user();
  await withRouter(container, async (router) => {
    chmodSync(container.root, 0o755);
    const other = await router.runuser({ username: user.name, node: lab.node });
    const refused = await rejectsWith(other.chroot({ root: container.root }), 'ERR_MITOS_AUTH');
    assert.match(refused.message, /: not allowed; last output: .*not permitted/);
    assert.match(String(refused.hint), /sudo/);
  });
});
