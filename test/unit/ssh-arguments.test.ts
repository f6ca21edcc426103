import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type SshOrderOptions, sshArguments, unknownSetting } from '#src/parent/ssh-arguments.js';
import { createRandom, findCommand, requirement } from '#src/testing/index.js';

const KEEP_ALIVE = { intervalMs: 15_000, timeoutMs: 45_000 };
const PLAIN = { unknown: new Set<string>(), methods: [] };

function argumentsOf(options: Partial<SshOrderOptions> = {}, how: Partial<Parameters<typeof sshArguments>[2]> = {}): string[] {
  return sshArguments({ hostname: 'web', ...options }, KEEP_ALIVE, { ...PLAIN, ...how });
}

/** The value that counts: the first. */
function setting(argv: readonly string[], name: string): string | undefined {
  const found = argv.find((item, index) => argv[index - 1] === '-o' && item.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

test('The host comes last, behind "--"', () => {
  assert.deepEqual(argumentsOf({ sshArgs: ['-v'] }).slice(-2), ['--', 'web']);
});

test('Each option of ssh() is an argument of ssh', () => {
  const argv = argumentsOf({
    port: 2222,
    username: 'deploy',
    configFile: '/etc/c',
    sshPath: '/opt/ssh',
    compression: true,
    debugLevel: 2,
    connectTimeoutMs: 8000,
    identityFile: ['/a', '/b c'],
  });
  assert.deepEqual(argv.slice(0, 4), ['/opt/ssh', '-T', '-F', '/etc/c']);
  assert.equal(argv[argv.indexOf('-p') + 1], '2222');
  assert.equal(argv[argv.indexOf('-l') + 1], 'deploy');
  assert.deepEqual(
    argv.filter((item) => item.startsWith('IdentityFile=')),
    ['IdentityFile=/a', 'IdentityFile="/b c"'],
  );
  assert.equal(setting(argv, 'IdentitiesOnly'), 'yes');
  assert.equal(setting(argv, 'Compression'), 'yes');
  assert.equal(setting(argv, 'LogLevel'), 'DEBUG2');
  assert.equal(setting(argv, 'ConnectTimeout'), '7');
  assert.equal(setting(argv, 'ServerAliveInterval'), '15');
  assert.equal(setting(argv, 'ServerAliveCountMax'), '3');
});

test('What is left out is left to the configuration of the user', () => {
  const argv = argumentsOf();
  for (const name of ['IdentityFile', 'IdentitiesOnly', 'UserKnownHostsFile', 'PreferredAuthentications', 'ControlPath', 'ForwardAgent']) {
    assert.equal(setting(argv, name), undefined, name);
  }
  for (const flag of ['-F', '-p', '-l']) assert.ok(!argv.includes(flag), flag);
});

test('Without secrets nothing is asked, and host keys are enforced', () => {
  assert.equal(setting(argumentsOf(), 'BatchMode'), 'yes');
  assert.equal(setting(argumentsOf(), 'StrictHostKeyChecking'), 'yes');
  assert.equal(setting(argumentsOf({ hostKeys: 'accept-new' }), 'StrictHostKeyChecking'), 'accept-new');
  const ignoring = argumentsOf({ hostKeys: 'ignore', knownHosts: '/k' });
  assert.equal(setting(ignoring, 'StrictHostKeyChecking'), 'no');
  assert.equal(setting(ignoring, 'UserKnownHostsFile'), '/dev/null');
});

test('Known hosts replace the usual files, also with blanks in their names', () => {
  const argv = argumentsOf({ knownHosts: ['/a', '/b c'] });
  assert.equal(setting(argv, 'UserKnownHostsFile'), '/a "/b c"');
  assert.equal(setting(argv, 'GlobalKnownHostsFile'), '/dev/null');
});

test('A password is asked for by the methods that can be told apart, after the keys; a passphrase by none', () => {
  const password = argumentsOf({ password: Buffer.from('x') }, { methods: ['password', 'keyboard-interactive'] });
  assert.equal(setting(password, 'PreferredAuthentications'), 'publickey,password,keyboard-interactive');
  assert.equal(setting(password, 'BatchMode'), 'no');
  assert.equal(setting(argumentsOf({ passphrase: Buffer.from('x') }, { methods: ['password'] }), 'PreferredAuthentications'), 'publickey');
});

test("The user's arguments win over defaults and not over what must hold", () => {
  const argv = argumentsOf({ sshArgs: ['-o', 'ServerAliveInterval=3', '-o', 'StrictHostKeyChecking=no', '-o', 'BatchMode=no'] });
  assert.equal(setting(argv, 'ServerAliveInterval'), '3');
  assert.equal(setting(argv, 'StrictHostKeyChecking'), 'yes');
  assert.equal(setting(argv, 'BatchMode'), 'yes');
});

test('A setting that the client does not know is left out', () => {
  const said = ['debug1: x', 'command-line: line 0: Bad configuration option: sessiontype'];
  assert.equal(unknownSetting(said), 'sessiontype');
  assert.equal(unknownSetting(['command-line: line 0: Bad configuration option: nonsense']), undefined);
  assert.equal(unknownSetting(['/home/a/.ssh/config: line 3: Bad configuration option: sessiontype']), undefined);
  assert.equal(setting(argumentsOf({}, { unknown: new Set(['sessiontype']) }), 'SessionType'), undefined);
});

test('No name changes anything but the last argument', () => {
  const random = createRandom(7);
  const alphabet = [
    '-',
    'o',
    ' ',
    '\n',
    '\0',
    '\t',
    'a',
    '@',
    '%',
    '[',
    ']',
    ':',
    '\u007f',
    'é',
    '=',
    '/',
    '\\',
    '"',
    "'",
    '$',
    '`',
    ';',
    '|',
  ];
  const usual = argumentsOf().slice(0, -1);
  let taken = 0;
  for (let round = 0; round < 100_000; round++) {
    const name = Array.from({ length: random.int(7) }, () => random.pick(alphabet)).join('');
    let argv: string[];
    try {
      argv = argumentsOf({ hostname: name });
    } catch (error) {
      assert.ok(error instanceof TypeError);
      continue;
    }
    taken += 1;
    assert.deepEqual(argv, [...usual, name]);
    assert.doesNotMatch(name, /^-|^$|[\s\0-\x1f\x7f]/);
  }
  assert.ok(taken > 1000);
});

test(
  'OpenSSH here takes all of it',
  requirement('ssh', () => findCommand('ssh') !== undefined),
  () => {
    const secrets = { password: Buffer.from('x'), identityFile: ['/a', '/b c'], knownHosts: ['/k 1', '/k2'] };
    const argv = argumentsOf({ configFile: '/dev/null', username: 'me', port: 22, ...secrets }, { methods: ['password'] });
    const { stdout, stderr, status } = spawnSync(argv[0] as string, ['-G', ...argv.slice(1)], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^userknownhostsfile \/k 1 \/k2$/m);
    assert.match(stdout, /^identityfile \/b c$/m);
    assert.match(stdout, /^escapechar none$/m);
    assert.match(stdout, /^clearallforwardings yes$/m);
  },
);
