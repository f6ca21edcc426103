/** The lab itself, entered with the system's own clients: what these cannot do, no connection method can. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { before } from 'node:test';
import { testWithOracle } from '#src/testing/index.js';
import { readProcess } from '#src/testing/process-table.js';
import { type Container, type LabShell, type LabUser, needs, noise, openLab, type Sshd } from '../support/lab/index.js';
import { run, tryRun } from '../support/lab/process.js';

const lab = openLab();

const withSshd = needs('users', 'sshd', 'shells');
const users = new Map<LabShell, LabUser>();
let server: Sshd;
if (withSshd.skip === false) {
  before(async () => {
    for (const shell of ['sh', 'bash', 'zsh', 'fish', 'tcsh', 'dash', 'ksh', 'ash', 'nologin'] as const) {
      users.set(shell, await lab.user({ shell }));
    }
    server = await lab.sshd({ trustsUserAuthority: true, hasHostCertificate: true });
  });
}

const user = (shell: LabShell): LabUser => users.get(shell) ?? assert.fail(`no user with ${shell}`);

/** What `ssh` prints; extra options come first and win. */
function ssh(at: Sshd, name: string, options: readonly string[], command: string, env: Record<string, string> = {}): string {
  return run(['ssh', ...options, '-F', at.clientConfig, `${name}@lab`, command], { env });
}

testWithOracle('Users of the lab log in over ssh with each shell and run Node', withSshd, () => {
  for (const [shell, { name }] of users) {
    if (shell === 'nologin') continue;
    assert.equal(ssh(server, name, ['-o', 'BatchMode=yes'], 'node -p 1+1').trim(), '2', shell);
  }
  const nologin = tryRun(['ssh', '-F', server.clientConfig, `${user('nologin').name}@lab`, 'true']);
  assert.match(nologin.stdout, /not available/);
});

testWithOracle('Keys of the lab open what they should', withSshd, () => {
  const { name } = user('sh');
  const only = (key: string): string[] => ['-o', 'BatchMode=yes', '-i', key, '-F', server.clientConfig, '-o', 'IdentitiesOnly=yes'];
  const attempt = (key: string): number | null => {
    const known = ['-o', `UserKnownHostsFile=${server.knownHosts.right}`, '-o', 'IdentityAgent=none', '-p', String(server.port)];
    return tryRun(['ssh', ...only(key), '-F', '/dev/null', ...known, `${name}@127.0.0.1`, 'true']).status;
  };
  assert.equal(attempt(server.keys.plain), 0);
  assert.equal(attempt(server.keys.certified), 0);
  assert.equal(attempt(server.keys.stranger), 255);
  assert.equal(attempt(server.keys.encrypted), 255, 'nobody answers for its passphrase');
});

testWithOracle('The known_hosts files of a server say what their names say', withSshd, () => {
  const { name } = user('sh');
  const config = ['-F', server.clientConfig, '-o', 'BatchMode=yes', '-p', String(server.port)];
  const connect = (file: string): { status: number | null; stderr: string } =>
    tryRun(['ssh', ...config, '-o', `UserKnownHostsFile=${file}`, `${name}@127.0.0.1`, 'true']);
  const { right, hashed, authority, changed, revoked, empty } = server.knownHosts;
  for (const file of [right, hashed, authority]) assert.equal(connect(file).status, 0, connect(file).stderr);
  assert.match(connect(changed).stderr, /IDENTIFICATION HAS CHANGED/);
  assert.match(connect(revoked).stderr, /REVOKED/);
  assert.match(connect(empty).stderr, /No .* host key is known|Host key verification failed/);
});

testWithOracle('A server with passwords takes the right one, and shows a banner of any size', withSshd, async () => {
  await using passwords = await lab.sshd({ passwordAuthentication: true, keyboardInteractive: true, banner: noise(100_000) });
  const { name, password } = user('bash');
  const askpass = `${lab.directory}/askpass`;
  run(['sh', '-c', 'printf "#!/bin/sh\\necho \\"\\$PW\\"\\n" >"$1"; chmod 755 "$1"', 'sh', askpass]);
  for (const kind of ['password', 'keyboard-interactive']) {
    const options = ['-o', `PreferredAuthentications=${kind}`, '-o', 'NumberOfPasswordPrompts=1'];
    const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', PW: password };
    assert.equal(ssh(passwords, name, options, 'id -un', env).trim(), name, kind);
    const refused = tryRun(['ssh', ...options, '-F', passwords.clientConfig, `${name}@lab`, 'true'], { env: { ...env, PW: 'wrong' } });
    assert.equal(refused.status, 255);
    assert.ok(refused.stderr.length > 100_000);
  }
  assert.match(passwords.log(), /Failed password/);
});

testWithOracle('A server without Node leaves only the Node in a home', withSshd, async () => {
  await using hiding = await lab.sshd({ hidesNode: true });
  await using nvm = await lab.user({ nodeIn: 'nvm' });
  assert.equal(tryRun(['ssh', '-F', hiding.clientConfig, `${nvm.name}@lab`, 'node -v || nodejs -v']).status, 127);
  assert.equal(ssh(hiding, nvm.name, [], '~/.nvm/versions/node/*/bin/node -p 3').trim(), '3');
});

testWithOracle('A noisy user prints noise whatever its shell', withSshd, async () => {
  for (const shell of ['bash', 'zsh', 'fish', 'tcsh'] as const) {
    await using noisy = await lab.user({ shell, noise: noise(50_000) });
    assert.ok(ssh(server, noisy.name, [], 'true').length >= 50_000, shell);
  }
});

testWithOracle('A user of the lab connects on to the server with the installed client', withSshd, () => {
  const first = user('zsh');
  server.installClient(first);
  const second = user('dash').name;
  assert.equal(ssh(server, first.name, [], `ssh -p ${server.port} ${second}@127.0.0.1 id -un`).trim(), second);
});

testWithOracle('Policies for sudo and doas hold while they are there', needs('users', 'sudo', 'doas'), async () => {
  await using someone = await lab.user();
  const as = (...argv: string[]): string[] => [
    'setpriv',
    `--reuid=${someone.uid}`,
    `--regid=${someone.gid}`,
    '--init-groups',
    '--',
    ...argv,
  ];
  assert.equal(tryRun(as('sudo', '-n', 'id', '-u')).status, 1);
  {
    await using _free = await lab.sudoers(`${someone.name} ALL=(ALL) NOPASSWD: ALL\nDefaults:${someone.name} use_pty`);
    assert.equal(run(as('sudo', '-n', 'id', '-u')).trim(), '0');
  }
  {
    await using _asked = await lab.sudoers(`${someone.name} ALL=(ALL) ALL\nDefaults:${someone.name} timestamp_timeout=0`);
    assert.equal(tryRun(as('sudo', '-n', 'id', '-u')).status, 1);
    assert.equal(run(as('sudo', '-S', 'id', '-u'), { input: `${someone.password}\n` }).trim(), '0');
  }
  await using _other = await lab.doas('permit nopass nobody as root');
  {
    await using _doas = await lab.doas(`permit nopass ${someone.name} as root`);
    assert.equal(run(as('doas', '-n', 'id', '-u')).trim(), '0');
  }
  assert.equal(tryRun(as('doas', '-n', 'id', '-u')).status, 1);
});

testWithOracle('su takes the password of a user, and tells that one has expired', needs('users', 'su'), async () => {
  await using someone = await lab.user();
  await using expired = await lab.user({ isPasswordExpired: true });
  const su = (target: LabUser): { status: number | null; stdout: string; stderr: string } =>
    tryRun(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--', 'su', target.name, '-c', 'id -un'], {
      input: `${target.password}\n`,
    });
  assert.equal(su(someone).stdout.trim(), someone.name);
  assert.match(su(expired).stderr, /required to change your password/);
});

const ENTER: Readonly<Record<string, (inner: Container) => string[]>> = {
  podman: ({ tool, name }) => [tool, 'exec', '-i', name],
  buildah: ({ tool, name }) => [tool, 'run', name, '--'],
  docker: ({ tool, name }) => [tool, 'exec', '-i', name],
  lxc: ({ tool, name }) => [tool, '--clear-env', '--name', name, '--'],
  nspawn: ({ tool, pid }) => [tool, '-t', String(pid), '-a'],
  namespaces: ({ tool, pid }) => [tool, '-t', String(pid), '-m', '-u', '-i', '-n', '-p'],
  chroot: ({ tool, name }) => [tool, name],
};

for (const kind of ['podman', 'buildah', 'docker', 'lxc', 'nspawn', 'namespaces', 'chroot'] as const) {
  testWithOracle(`A container of ${kind} can be entered, runs Node and is root`, needs(kind), async () => {
    await lab.rootfs(); // stays for all of them
    await using inner = await lab[kind]();
    const enter = [...(ENTER[kind]?.(inner) ?? []), 'sh', '-c', `cat; hostname; id -u; ${inner.node} -p process.pid`];
    const [said, hostname, uid, pid] = run(enter, { env: inner.env, input: 'through\n' }).trim().split('\n');
    assert.deepEqual([said, uid], ['through', '0']);
    if (inner.hostname !== '') assert.equal(hostname, inner.hostname);
    assert.ok(Number(pid) > 0);
  });
}

testWithOracle('A stub records its call, asks, refuses, and becomes what it was asked for', needs('users'), async () => {
  const asking = lab.stub('dzdo', { stderr: 'hello\n', prompt: { text: 'Password: ', password: 'yes', on: 'stdin' } });
  const argv = ['-u', 'a b', '--', 'sh', '-c', 'cat; echo $0 $1', "it's", '\n'];
  assert.equal(run([asking.path, ...argv], { input: 'no\nyes\nrest' }), "restit's\n");
  assert.deepEqual(asking.calls()[0]?.argv, argv);
  assert.equal(asking.calls()[0]?.uid, 0);
  assert.equal(tryRun([asking.path, ...argv], { input: 'no\nno\nno\n' }).status, 1);
  assert.equal(asking.calls().length, 2);
  const onTerminal = lab.stub('pbrun', { prompt: { text: 'Password: ', password: 'yes' }, tail: 'word' });
  assert.match(run(['script', '-qefc', `${onTerminal.path} -c 'echo done'`, '/dev/null'], { input: 'yes\n' }), /done/);
  const refusing = lab.stub('kubectl', { answers: { 'get pods': 'web\n' }, refuses: { stderr: 'no such pod\n', exitCode: 7 } });
  assert.deepEqual(tryRun([refusing.path, 'exec', 'web']), { status: 7, stdout: '', stderr: 'no such pod\n' });
  assert.equal(run([refusing.path, 'get', 'pods', '-A']), 'web\n');
});

testWithOracle('A closed lab leaves no user, file, policy or mount', needs('users', 'sshd', 'sudo', 'doas', 'podman', 'lxc'), async () => {
  const other = openLab();
  const someone = await other.user();
  await other.sshd();
  await other.sudoers(`${someone.name} ALL=(ALL) ALL`);
  await other.doas(`permit ${someone.name} as root`);
  const inside = await other.podman();
  await other.lxc();
  const { directory } = other;
  await other.close();
  assert.equal(existsSync(directory), false);
  for (const file of ['/etc/passwd', '/etc/group', '/etc/shadow']) assert.ok(!readFileSync(file, 'utf8').includes(someone.name), file);
  assert.ok(!readdirSync('/etc/sudoers.d').some((name) => readFileSync(`/etc/sudoers.d/${name}`, 'utf8').includes(someone.name)));
  assert.ok(!existsSync('/etc/doas.conf') || !readFileSync('/etc/doas.conf', 'utf8').includes(someone.name));
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(directory));
  assert.equal(tryRun([inside.tool.replace(/.*\//, ''), 'container', 'exists', inside.name]).status, 1);
});

testWithOracle('What a killed test file left is undone when the next one opens a lab', needs('users', 'sshd', 'podman'), async () => {
  const source = `
    const { openLab } = await import(${JSON.stringify(new URL('../support/lab/index.js', import.meta.url).href)});
    const lab = openLab();
    const user = await lab.user();
    const sshd = await lab.sshd();
    const inner = await lab.podman();
    require('fs').writeSync(1, JSON.stringify([user.name, lab.directory, sshd.pid, inner.pid]));
    process.kill(process.pid, 'SIGKILL');`;
  const [name, directory, ...pids] = JSON.parse(tryRun([process.execPath, '-e', `(async () => {${source}})()`]).stdout) as [string, string];
  await using next = openLab();
  assert.ok(existsSync(next.directory));
  assert.equal(existsSync(directory), false);
  assert.ok(!readFileSync('/etc/passwd', 'utf8').includes(name));
  assert.deepEqual(
    pids.filter((pid) => (readProcess(Number(pid))?.state ?? 'Z') !== 'Z'),
    [],
  );
});
