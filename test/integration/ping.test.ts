/** `mitos ping`: who answers, and how passwords are asked for. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before } from 'node:test';
import { findCommand, requirement, testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';
import { type Ended, ROOT, type RunOptions, run, runNode, withProgram } from './run-program.js';

const MAIN = 'dist/cli/main.js';

const lab = openLab();
const sshd = needs('users', 'sshd');
let user: LabUser;
let server: Sshd;
if (!sshd.skip) {
  before(async () => {
    user = await lab.user();
    server = await lab.sshd({ passwordAuthentication: true });
  });
}

/** The server as a target; further options come last. */
function target(options: Record<string, string> = {}, name = user.name): string {
  const query = new URLSearchParams({ configFile: server.clientConfig, ...options });
  return `ssh://${name}@lab?${query.toString().replaceAll('+', '%20')}`;
}

/** A client configuration that offers no key. */
function withoutKeys(): string {
  const file = join(lab.directory, 'without-keys');
  const { host, port, knownHosts } = server;
  writeFileSync(
    file,
    `Host lab\n HostName ${host}\n Port ${port}\n UserKnownHostsFile ${knownHosts.right}\n IdentityAgent none\n IdentityFile none\n`,
  );
  return file;
}

type Row = Record<string, unknown> & { target: string; status: string; roundTripMs?: { min: number; average: number; max: number } };

const rows = (ended: Ended): Row[] =>
  ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

testWithOracle('mitos ping tells who answered and how fast', async ({ signal }) => {
  const ended = await runNode(MAIN, { args: ['ping', '-c', '2', 'local', 'worker', 'local,local'], signal });
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stderr, '');
  const lines = ended.stdout.trim().split('\n');
  for (const name of ['local', 'worker', 'local,local']) {
    const line = lines.find((one) => one.startsWith(`ok   ${name}`));
    assert.match(line ?? ended.stdout, /: \S+@\S+, Node \d+\.\d+\.\d+, connected in .*s, round trip .*s \(average .*s of 2\)$/);
  }
  assert.equal(lines.at(-1), '3 of 3 answered');
});

testWithOracle(
  'mitos ping --json prints an object for each target, and 1 is the exit code when one does not answer',
  async ({ signal }) => {
    const ended = await runNode(MAIN, { args: ['ping', '--json', 'local', 'local?node=/nowhere/node'], signal });
    assert.equal(ended.code, 1);
    const [bad, good] = rows(ended).sort((a, b) => b.target.length - a.target.length) as [Row, Row];
    assert.deepEqual([good.status, good['name'], good['calls']], ['ok', 'local', 3]);
    const { min, average, max } = good.roundTripMs as { min: number; average: number; max: number };
    assert.ok(min > 0 && min <= average && average <= max);
    assert.deepEqual([bad.status, bad['code'], bad['stage']], ['unreachable', 'ERR_MITOS_NO_RUNTIME', 'node']);
  },
);

testWithOracle('mitos ping reaches a server with a key', { ...sshd }, async ({ signal }) => {
  const ended = await runNode(MAIN, { args: ['ping', '--json', target()], signal });
  assert.equal(ended.code, 0, ended.stdout);
  assert.equal(rows(ended)[0]?.['user'], user.name);
});

testWithOracle('mitos ping says why a server cannot be reached, and what to do', { ...sshd }, async ({ signal }) => {
  const { changed, right } = server.knownHosts;
  const cases: [string, string][] = [
    [target({ identityFile: server.keys.stranger, configFile: withoutKeys() }), 'ERR_MITOS_PASSWORD_REQUIRED'],
    [target({ knownHosts: changed }), 'ERR_MITOS_HOST_KEY'],
    [`ssh://127.0.0.1:1?configFile=/dev/null&knownHosts=${right}`, 'ERR_MITOS_REFUSED'],
  ];
  const ended = await runNode(MAIN, { args: ['ping', '--json', ...cases.map(([text]) => text)], signal });
  assert.equal(ended.code, 1);
  const found = new Map(rows(ended).map((row) => [row.target, row]));
  for (const [text, code] of cases) {
    assert.equal(found.get(text)?.['code'], code, JSON.stringify(found.get(text)));
    assert.match(String(found.get(text)?.['hint']), /\w/);
  }
  const told = await runNode(MAIN, { args: ['ping', cases[2]?.[0] as string], signal });
  assert.match(told.stdout, /^FAIL .*ERR_MITOS_REFUSED[\s\S]*\n {5}-> \w/);
});

testWithOracle('a password comes from a file or from standard input, and is on no command line', { ...sshd }, async ({ signal }) => {
  const file = join(lab.directory, 'password');
  writeFileSync(file, `${user.password}\n`, { mode: 0o600 });
  const spec = target({ configFile: withoutKeys() });
  const fromFile = await runNode(MAIN, { args: ['ping', '-k', '--password-file', file, spec], signal });
  assert.equal(fromFile.code, 0, fromFile.stdout + fromFile.stderr);
  const piped = `cat '${file}' | '${process.execPath}' ${MAIN} ping --ask-password --password-file - '${spec}'`;
  const fromStdin = await run(['sh', '-c', piped], { signal });
  assert.equal(fromStdin.code, 0, fromStdin.stdout + fromStdin.stderr);
});

testWithOracle('password options that make no sense are refused before anything is started', async ({ signal }) => {
  const cases: [string[], RegExp][] = [
    [['--password-file', '/dev/null', 'local'], /needs --ask-password or --ask-sudo/],
    [['-k', 'local'], /--ask-password is for steps that the targets do not have/],
    [['-k', '--password-file', '/nowhere/file', 'web1'], /cannot be read: ENOENT/],
    [['-k', '--password-file', `${ROOT}LICENSE`, 'web1'], /the password file has \d+ lines, for 1 password/],
    [['-c', '0', 'local'], /--count must be a whole number above 0, not "0"/],
    [['-t', 'x', 'local'], /--timeout must be a number above 0, not "x"/],
    [['ssh://-oProxyCommand=true'], /hostname of ssh\(\) must be a name that does not begin with "-"/],
    [['ssh://me:hunter2@web1'], /password does not belong in a spec/],
  ];
  for (const [args, told] of cases) {
    const { code, stderr, stdout } = await runNode(MAIN, { args: ['ping', ...args], signal });
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, told);
  }
});

const script = requirement('script', () => findCommand('script') !== undefined);

/** Runs a shell line on a terminal; `$M` is mitos. */
function onTerminal(line: string, options: RunOptions): Promise<Ended> {
  const env = { M: `${process.execPath} ${ROOT}${MAIN}`, TERM: 'xterm', NO_COLOR: '1', ...options.env };
  return run(['script', '-qefc', line, '/dev/null'], { ...options, env });
}

/** Types something once the question is there. */
function typing(question: string, text: string): NonNullable<RunOptions['onOutput']> {
  let isTyped = false;
  return (output, child) => {
    if (isTyped || !output.includes(question)) return;
    isTyped = true;
    child.stdin?.write(text);
  };
}

testWithOracle('a password is asked for on the terminal, without showing it', { skip: sshd.skip || script.skip }, async ({ signal }) => {
  const line = `$M ping -k '${target({ configFile: withoutKeys() })}' </dev/null`;
  const ended = await onTerminal(line, { signal, onOutput: typing('Password for ssh://', `${user.password}x\x7f\r`) });
  assert.equal(ended.code, 0, ended.stdout);
  assert.match(ended.stdout, /^Password for ssh:\/\/\w+@lab: \r\n✔/);
  assert.ok(!ended.stdout.includes(user.password.slice(0, 6)));
});

testWithOracle('Ctrl-C at the question ends with 130 and leaves the terminal as it was', { ...script }, async ({ signal }) => {
  const line = `stty -g; $M ping -k nobody@nowhere.invalid; echo "code $?"; stty -g`;
  const ended = await onTerminal(line, { signal, onOutput: typing('Password for ', 'half\x03') });
  const [before_, ...rest] = ended.stdout.trim().split(/\r?\n/);
  assert.equal(rest.at(-1), before_);
  assert.equal(rest.at(-2), 'code 130', ended.stdout);
  assert.doesNotMatch(ended.stdout, /half|Error|unreachable/);
});

testWithOracle('a signal at the question leaves the terminal as it was', { ...script }, async ({ signal }) => {
  const line = `stty -g; (until stty -a </dev/tty | grep -q -- '-echo '; do :; done; kill -TERM $(cat ${lab.directory}/pid)) & sh -c 'echo $$ >${lab.directory}/pid; exec $M ping -k nobody@nowhere.invalid'; echo "code $?"; stty -g`;
  const ended = await onTerminal(line, { signal });
  const [before_, ...rest] = ended.stdout.trim().split(/\r?\n/);
  assert.equal(rest.at(-1), before_);
  assert.match(ended.stdout, /code 143/);
});

testWithOracle('without a terminal a password cannot be asked for, and that is said', async ({ signal }) => {
  const setsid = findCommand('setsid') ?? 'setsid';
  const { code, stderr } = await run([setsid, '--wait', process.execPath, ROOT + MAIN, 'ping', '-k', 'web1'], { signal });
  assert.equal(code, 2);
  assert.match(stderr, /there is no terminal to ask for a password on, use --password-file/);
});

testWithOracle(
  'the passwords of ssh and of sudo are asked for in the order of the steps',
  { skip: sshd.skip || script.skip },
  async ({ signal }) => {
    await using _rule = await lab.sudoers(`${user.name} ALL=(ALL) ALL\nDefaults:${user.name} timestamp_timeout=0`);
    const line = `$M ping --json -kK '${target({ configFile: withoutKeys() })},sudo:root'`;
    const asked: string[] = [];
    const ended = await onTerminal(line, {
      signal,
      onOutput: (output, child) => {
        const questions = [...output.matchAll(/Password for (\w+)/g)].map(([, method]) => method as string);
        if (questions.length === asked.length) return;
        asked.push(questions.at(-1) as string);
        child.stdin?.write(`${user.password}\r`);
      },
    });
    assert.equal(ended.code, 0, ended.stdout);
    assert.deepEqual(asked, ['ssh', 'sudo']);
    assert.match(ended.stdout, /"user":"root"/);
  },
);

testWithOracle('SIGINT while targets are being reached ends the ping and leaves nothing', async ({ signal }) => {
  await withProgram('exec sleep 1000', async (path) => {
    let isTold = false;
    const ended = await runNode(MAIN, {
      args: ['ping', 'local', `web1?sshPath=${path}`],
      signal,
      onOutput: (output, child) => {
        if (!isTold && output.includes('ok   local')) isTold = child.kill('SIGINT');
      },
    });
    assert.ok(isTold, ended.stdout);
    assert.equal(ended.signal, 'SIGINT');
    assert.doesNotMatch(ended.stdout, /FAIL/);
    assert.doesNotMatch(ended.stderr, /\S/);
  });
});
