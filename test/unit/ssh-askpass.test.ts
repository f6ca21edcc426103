import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Askpass, askpassEnvironment, passwordMethods } from '#src/parent/askpass.js';

const TOKEN = 'tOkEnTOkEnTOkEnTOkEn42';
const OURS = 700;

interface Talked {
  out: string;
  answers: string;
  failures: string[];
}

function ask(
  questions: readonly [asker: number, text: string][],
  cut: (text: string) => string[] = (text) => [text],
  secrets = {},
): Talked {
  const answers: Buffer[] = [];
  const failures: string[] = [];
  const askpass = new Askpass(
    TOKEN,
    { password: Buffer.from('pa55'), passphrase: Buffer.from('phrase'), answered: new Set(), ...secrets },
    { answer: (bytes) => answers.push(Buffer.from(bytes)), fail: (word, question) => failures.push(`${word}: ${question}`), pid: OURS },
  );
  const lines = questions.map(([asker, text]) => `${TOKEN} 800 ${asker} ${Buffer.from(text).toString('base64')}\n`);
  const out = cut(`before\n${lines.join('between\n')}after`).map((chunk) => askpass.take(Buffer.from(chunk)));
  return { out: Buffer.concat(out).toString(), answers: Buffer.concat(answers).toString(), failures };
}

const LOGIN = "alice@web's password: ";
const KEY = "Enter passphrase for key '/home/alice/.ssh/id': ";

test('A question is answered for the helper that asks, and is not part of what ssh printed', () => {
  assert.deepEqual(ask([[OURS, LOGIN]]), { out: 'before\nafter', answers: '800 pa55\n', failures: [] });
  assert.equal(ask([[OURS, '(alice@web) Kennwort: ']]).answers, '800 pa55\n');
  assert.equal(ask([[OURS, KEY]]).answers, '800 phrase\n');
});

test('It does not matter how the text is cut into chunks', () => {
  const questions: readonly [number, string][] = [
    [OURS, KEY],
    [OURS, LOGIN],
  ];
  for (let at = 0; at <= 200; at++) {
    const cut = (text: string): string[] => [text.slice(0, at), text.slice(at, at + 5), text.slice(at + 5)];
    assert.deepEqual(
      ask(questions, cut),
      { out: 'before\nbetween\nafter', answers: '800 phrase\n800 pa55\n', failures: [] },
      `cut at ${at}`,
    );
  }
});

test('The same question twice has failed, and is not answered again', () => {
  assert.deepEqual(
    ask([
      [OURS, LOGIN],
      [OURS, LOGIN],
    ]).failures,
    [`asked-again: ${LOGIN}`],
  );
  assert.deepEqual(
    ask([
      [OURS, KEY],
      [OURS, KEY],
    ]).failures,
    [`asked-again: ${KEY}`],
  );
  assert.equal(
    ask([
      [OURS, LOGIN],
      [OURS, LOGIN],
      [OURS, LOGIN],
    ]).answers,
    '800 pa55\n\n\n',
  );
});

test('A password is given once, whatever is asked after it', () => {
  const talked = ask([
    [OURS, LOGIN],
    [OURS, '(alice@web) Verification code: '],
  ]);
  assert.deepEqual(talked, { ...talked, answers: '800 pa55\n\n', failures: ['asked: (alice@web) Verification code: '] });
});

test('Each key may be opened once', () => {
  assert.equal(
    ask([
      [OURS, KEY],
      [OURS, KEY.replace('id', 'other')],
    ]).answers,
    '800 phrase\n800 phrase\n',
  );
});

test('Nothing is given to an ssh that is not ours', () => {
  assert.deepEqual(ask([[701, KEY]]), { out: 'before\nafter', answers: '\n', failures: [] });
  assert.deepEqual(ask([[701, LOGIN]]), { out: 'before\nafter', answers: '\n', failures: [`asked: ${LOGIN}`] });
});

test('Other questions get no answer', () => {
  const OTHERS = [
    'Are you sure you want to continue connecting (yes/no/[fingerprint])? ',
    "Enter PIN for ECDSA-SK key '/k': ",
    'password:',
    '',
  ];
  for (const text of OTHERS) assert.deepEqual(ask([[OURS, text]]), { out: 'before\nafter', answers: '\n', failures: [] }, text);
  assert.equal(ask([[OURS, KEY]], undefined, { passphrase: undefined }).answers, '\n');
});

test('What hosts print that looks like a prompt is no question', () => {
  const typed: Uint8Array[] = [];
  const fail = (): never => assert.fail();
  const talk = { answer: (bytes: Uint8Array) => typed.push(bytes), fail, pid: OURS };
  const askpass = new Askpass(TOKEN, { password: Buffer.from('x'), passphrase: undefined, answered: new Set() }, talk);
  const text = [LOGIN, KEY, 'Password: ', '[sudo] password for alice: ', `800 ${OURS} ${Buffer.from(LOGIN).toString('base64')}`].join('\n');
  for (let round = 0; round < 1000; round++) assert.equal(askpass.take(Buffer.from(text)).toString(), text);
  assert.equal(typed.length, 0);
});

/** Runs Node as ssh runs its askpass program, with the question as its argument. */
async function helper(
  question: string,
  answer: (line: string[]) => string,
  env = {},
): Promise<{ stdout: string; code: number; asked: string[] }> {
  const child = spawn(process.execPath, [question], { env: { ...process.env, ...askpassEnvironment(TOKEN), ...env }, cwd: '/usr' });
  const asked: string[] = [];
  let stdout = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => {
    const line = String(chunk).trim().split(' ');
    asked.push(Buffer.from(line[3] ?? '', 'base64').toString());
    (child.stderr as unknown as Socket).write(answer(line));
  });
  const [code] = (await once(child, 'close')) as [number];
  return { stdout, code, asked };
}

test('The helper asks over its stderr and prints the answer', async () => {
  const { stdout, code, asked } = await helper("Enter passphrase for key '/home/é/id': ", ([, pid]) => `${pid} wörd with  blanks \n`);
  assert.deepEqual(
    { stdout, code, asked },
    { stdout: 'wörd with  blanks \n', code: 0, asked: ["Enter passphrase for key '/home/é/id': "] },
  );
});

test('The helper fails when it is refused, when the answer is for another one, and when nobody listens', async () => {
  for (const answer of ['\n', '1 secret\n']) {
    const { stdout, code } = await helper(LOGIN, () => answer);
    assert.deepEqual({ stdout, code }, { stdout: '', code: 1 });
  }
  const child = spawn(process.execPath, [LOGIN], {
    env: { ...process.env, ...askpassEnvironment(TOKEN) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.on('data', () => child.stderr.destroy());
  assert.equal((await once(child, 'exit'))[0], 1);
});

test('A mere notice is not asked about', async () => {
  assert.deepEqual(await helper('Confirm user presence for key', () => '\n', { SSH_ASKPASS_PROMPT: 'none' }), {
    stdout: '',
    code: 1,
    asked: [],
  });
});

test('Other Nodes that ssh starts are left alone', async () => {
  const env = { ...process.env, ...askpassEnvironment(TOKEN) };
  const child = spawn(process.execPath, ['-p', '40+2'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (out += String(chunk)));
  await once(child, 'close');
  assert.equal(out, '42\n');
});

test('A client that does not mark what a server asks is not used for that', () => {
  assert.deepEqual(passwordMethods('/nowhere/ssh', {}), ['password']);
});
