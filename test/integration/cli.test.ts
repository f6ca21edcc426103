/** The command line, apart from what its commands do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testWithOracle } from '#src/testing/index.js';
import { ROOT, run, runNode } from './run-program.js';

const MAIN = 'dist/cli/main.js';
const COMMANDS = ['demo', 'doctor', 'ping', 'runtime'];

testWithOracle('mitos --help lists the commands there are, and nothing else', async ({ signal }) => {
  for (const args of [['--help'], ['-h']]) {
    const { stdout, stderr, code } = await runNode(MAIN, { args, signal });
    assert.equal(code, 0);
    assert.equal(stderr, '');
    const commands = /\nCommands:\n([\s\S]*?)\n\n/
      .exec(stdout)?.[1]
      ?.split('\n')
      .map((line) => line.trim().split(' ')[0]);
    assert.deepEqual(commands, COMMANDS);
    assert.ok(stdout.split('\n').every((line) => line.length < 80));
  }
});

testWithOracle('each command has a help of its own, which names every option it has', async ({ signal }) => {
  for (const command of COMMANDS) {
    for (const args of [
      [command, '--help'],
      [command, '-h', 'whatever'],
    ]) {
      const { stdout, stderr, code } = await runNode(MAIN, { args, signal });
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: mitos ${command}`));
      assert.ok(stdout.split('\n').every((line) => line.length < 80));
      for (const option of ['demo', 'runtime'].includes(command) ? [] : ['ask-password', 'ask-sudo', 'password-file', 'timeout', 'json'])
        assert.ok(stdout.includes(`--${option}`), option);
    }
  }
});

testWithOracle('mitos --version prints the version of the package', async ({ signal }) => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  for (const args of [['--version'], ['-v']]) {
    const { stdout, code } = await runNode(MAIN, { args, signal });
    assert.deepEqual({ stdout, code }, { stdout: `${version}\n`, code: 0 });
  }
});

testWithOracle('mitos ends with code 2 and one clear line when the command line makes no sense', async ({ signal }) => {
  const cases: [args: string[], told: RegExp][] = [
    [[], /there is no command;/],
    [['pong'], /there is no command "pong", did you mean ping\?/],
    [['nothing-like-it'], /there is no command "nothing-like-it";/],
    [['ping'], /ping needs a target/],
    [['ping', '--jsn', 'local'], /unknown option '--jsn', did you mean --json\?/],
    [['ping', '--xyz', 'local'], /unknown option '--xyz';/],
    [['ping', 'local,'], /the target "local," is wrong: There is an empty step/],
    [['doctor', 'local', 'worker'], /doctor takes one target, not 2/],
    [['doctor'], /doctor takes one target, not 0/],
    [['constructor'], /there is no command "constructor"/],
    [['runtime'], /runtime needs one of fetch, list and prune;/],
    [['runtime', 'get'], /runtime needs one of fetch, list and prune, not "get"/],
    [['runtime', 'fetch', 'latest'], /a version is written as 20 or 20\.20\.2, not "latest"/],
    [['runtime', 'fetch', '20', '22'], /runtime fetch takes no argument "22"/],
    [['runtime', 'list', '--all'], /--all is no option of runtime list/],
    [['runtime', 'prune', '--keep', 'one'], /--keep must be a whole number, not "one"/],
    [['runtime', 'prune', '--keep', '1', '--all'], /--all and --keep exclude each other/],
    [['demo', 'twice'], /demo takes no arguments, not "twice"/],
    [['--fast'], /unknown option '--fast'/],
    [['--help=3'], /--help/],
  ];
  for (const [args, told] of cases) {
    const { stdout, stderr, code } = await runNode(MAIN, { args, signal });
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, told);
    assert.match(stderr, /^Cannot run mitos: [^\n]*; see mitos (?:demo |doctor |ping |runtime )?--help\n$/);
  }
});

testWithOracle('mitos runs from a link to it, as npm makes them', async ({ signal }) => {
  const folder = await mkdtemp(join(tmpdir(), 'link-'));
  try {
    await symlink(`${ROOT}${MAIN}`, join(folder, 'mitos'));
    const { stdout, code } = await run([process.execPath, join(folder, 'mitos'), 'demo'], { signal });
    assert.equal(code, 0);
    assert.match(stdout, /What travelled/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
