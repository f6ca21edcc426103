/** Whether a host is the one that it should be. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before } from 'node:test';
import { rejectsWith } from '../fixtures/programs/harness.js';
import { type KnownHosts, type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { count, reaches, sshTest, toUser } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd');
let user: LabUser;
let server: Sshd;
let certified: Sshd;
if (here.skip === false) {
  before(async () => {
    user = await lab.user();
    server = await lab.sshd({ passwordAuthentication: true });
    certified = await lab.sshd({ hasHostCertificate: true });
  });
}

sshTest('A host is known by its key, by its hashed name, and by the authority of its certificate', here, async ({ router }) => {
  await reaches(router.ssh(toUser(server, user)), user);
  await reaches(router.ssh(toUser(server, user, { knownHosts: server.knownHosts.hashed })), user);
  await reaches(router.ssh(toUser(certified, user, { knownHosts: certified.knownHosts.authority })), user);
  const both = [server.knownHosts.empty, server.knownHosts.right];
  await reaches(router.ssh(toUser(server, user, { knownHosts: both })), user);
});

const REFUSED: readonly [keyof KnownHosts, string, RegExp, RegExp][] = [
  ['empty', 'unknown', /host key is not known/, /accept-new/],
  ['changed', 'changed', /not the one that is known/, /ssh-keygen -R/],
  ['revoked', 'revoked', /host key is revoked/, /do not connect/],
];

for (const [file, reason, message, hint] of REFUSED) {
  sshTest(`A key that is ${reason} is ERR_MITOS_HOST_KEY, not tried again, and nothing is said of who one is`, here, async ({ router }) => {
    const attempts = count(server, /^Connection from/);
    const to = toUser(server, user, { knownHosts: server.knownHosts[file], password: 'secret', retries: 3 });
    const error = await rejectsWith(router.ssh(to), 'ERR_MITOS_HOST_KEY');
    assert.equal(error['reason'], reason);
    assert.match(error.message, message);
    assert.match(String(error.hint), hint);
    assert.equal(count(server, /^Connection from/), attempts + 1);
    const said = server
      .log()
      .split(/^Connection from/m)
      .at(-1);
    assert.doesNotMatch(String(said), /userauth-request/);
  });
}

sshTest('accept-new remembers a key, and refuses another one for the same name', here, async ({ router }) => {
  const knownHosts = server.knownHosts.empty;
  await reaches(router.ssh(toUser(server, user, { knownHosts, hostKeys: 'accept-new' })), user);
  assert.match(readFileSync(knownHosts, 'utf8'), /ssh-ed25519/);
  await reaches(router.ssh(toUser(server, user, { knownHosts })), user);
  const changed = toUser(server, user, { knownHosts: server.knownHosts.changed, hostKeys: 'accept-new' });
  assert.equal((await rejectsWith(router.ssh(changed), 'ERR_MITOS_HOST_KEY'))['reason'], 'changed');
});

sshTest('ignore takes any key and remembers none', here, async ({ router }) => {
  const { changed } = server.knownHosts;
  const text = readFileSync(changed, 'utf8');
  await reaches(router.ssh(toUser(server, user, { knownHosts: changed, hostKeys: 'ignore' })), user);
  assert.equal(readFileSync(changed, 'utf8'), text);
});

sshTest('Host keys are enforced although the configuration of the user does not', here, async ({ router }) => {
  const lax = ['-o', 'StrictHostKeyChecking=no'];
  const to = toUser(server, user, { knownHosts: server.knownHosts.changed, sshArgs: lax });
  await rejectsWith(router.ssh(to), 'ERR_MITOS_HOST_KEY');
});
