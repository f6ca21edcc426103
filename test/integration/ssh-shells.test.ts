/** What a login shell, its start files and its places for Node can be like. */
import assert from 'node:assert/strict';
import os from 'node:os';
import { before } from 'node:test';
import { rejectsWith } from '../fixtures/programs/harness.js';
import { type LabShell, type LabUser, needs, noise, openLab, type Sshd } from '../support/lab/index.js';
import { CONTEXT_VERSION } from '../support/nodes.js';
import { reaches, sshTest, toUser } from '../support/ssh.js';

const lab = openLab();
const here = needs('users', 'sshd', 'shells');
const SHELLS: readonly LabShell[] = ['sh', 'bash', 'zsh', 'fish', 'tcsh', 'dash', 'ksh', 'ash'];
let server: Sshd;
let withoutNode: Sshd;
if (here.skip === false) {
  before(async () => {
    server = await lab.sshd({ banner: noise(250_000) });
    withoutNode = await lab.sshd({ hidesNode: true });
  });
}

for (const shell of SHELLS) {
  sshTest(
    `A user with ${shell} is reached, behind the longest banner that sshd can send and start files that print`,
    here,
    async ({ router }) => {
      await using noisy = await lab.user({ shell, noise: noise(50_000) });
      await reaches(router.ssh(toUser(server, noisy)), noisy);
    },
  );
}

for (const shell of ['bash', 'tcsh'] as const) {
  sshTest(`10 MB from the start files of ${shell} do no harm`, { ...here, timeoutMs: 60_000 }, async ({ router }) => {
    await using noisy = await lab.user({ shell, noise: noise(10_000_000) });
    await reaches(router.ssh(toUser(server, noisy)), noisy);
  });
}

sshTest('Bytes of any kind from start files, also without a line end, do no harm', here, async ({ router }) => {
  const bytes = "printf '\\000\\001\\377\\376m\\001old ok none 1'; printf 'no line end' >&2\n";
  await using user = await lab.user({ shell: 'bash', files: { '.bashrc': bytes } });
  await reaches(router.ssh(toUser(server, user)), user);
});

for (const nodeIn of ['nvm', 'fnm', 'volta', 'asdf', 'mise', 'n'] as const) {
  sshTest(`Node is found where ${nodeIn} puts it`, here, async ({ router }) => {
    await using user = await lab.user({ nodeIn });
    const to = toUser(withoutNode, user);
    await reaches(router.ssh(to), user);
  });
}

/** Puts a Node into a home that says it is Node 10. */
function putOld(user: LabUser, path: string): void {
  const node = `${lab.directory}/bin/node`; // what nodeIn makes
  user.write(path, `#!/bin/sh\nNODE_OPTIONS="-r ${user.home}/old.cjs" exec ${node} "$@"\n`, 0o755);
  user.write('old.cjs', 'delete process.env.NODE_OPTIONS;Object.defineProperty(process,"version",{value:"v10.24.1"});');
}

sshTest('A Node that is too old makes way for one that is not', here, async ({ router }) => {
  await using user = await lab.user({ nodeIn: 'n' });
  for (const version of ['v10.24.1', 'v9.11.0']) putOld(user, `.nvm/versions/node/${version}/bin/node`);
  await using oldFirst = await lab.sshd({ hidesNode: true, env: { PATH: `${user.home}/.nvm/versions/node/v10.24.1/bin:/usr/bin:/bin` } });
  const context = await reaches(router.ssh(toUser(oldFirst, user)), user);
  assert.equal((await context.info()).node, CONTEXT_VERSION);
  assert.deepEqual(await context.call(() => process.argv.slice(1)), []);
});

sshTest('Where every Node is too old the error names one', here, async ({ router }) => {
  await using user = await lab.user({ nodeIn: 'n' });
  putOld(user, 'n/bin/node');
  const error = await rejectsWith(router.ssh(toUser(withoutNode, user, { runtime: 'never' })), 'ERR_MITOS_RUNTIME_OLD');
  assert.match(error.message, /v10\.24\.1.*v12\.22/);
});

sshTest('Where there is no Node the error says what machine it is', here, async ({ router }) => {
  await using user = await lab.user();
  const error = await rejectsWith(router.ssh(toUser(withoutNode, user, { runtime: 'never' })), 'ERR_MITOS_NO_RUNTIME');
  assert.match(error.message, new RegExp(`${os.type()} ${os.machine()}`));
});

sshTest('A Node that is named is used as it is', here, async ({ router }) => {
  await using user = await lab.user();
  await reaches(router.ssh(toUser(server, user, { node: ['/usr/bin/env', lab.node] })), user);
  await rejectsWith(router.ssh(toUser(server, user, { node: '/nowhere/node' })), 'ERR_MITOS_NO_RUNTIME');
});
