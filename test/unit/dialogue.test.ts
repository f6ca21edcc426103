import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launch } from '#src/parent/child-process.js';
import { Dialogue } from '#src/parent/dialogue.js';

function talk(
  chunks: readonly string[],
  prompts: readonly [string, string, boolean?][],
): { out: string; typed: string; hasFailed: boolean } {
  const typed: Uint8Array[] = [];
  let hasFailed = false;
  const dialogue = new Dialogue(
    prompts.map(([expect, send, isLast]) => ({ expect, send: Buffer.from(send), isLast })),
    { answer: (bytes) => typed.push(Buffer.from(bytes)), fail: () => (hasFailed = true), pid: 1 },
  );
  const out = chunks.map((chunk) => dialogue.take(Buffer.from(chunk)));
  dialogue.end();
  out.push(dialogue.take(Buffer.alloc(0)));
  return { out: Buffer.concat(out).toString(), typed: Buffer.concat(typed).toString(), hasFailed };
}

test('A prompt is answered once and taken out of the text, however it is cut into chunks', () => {
  const text = 'lecture\n#token7# more';
  for (let at = 0; at <= text.length; at++) {
    const said = talk([text.slice(0, at), text.slice(at)], [['#token7#', 'pa55']]);
    assert.deepEqual(said, { out: 'lecture\n more', typed: 'pa55\n', hasFailed: false }, `cut at ${at}`);
  }
});

test('A prompt that comes again is not answered again', () => {
  assert.equal(talk(['#t#', 'Sorry\n', '#t#'], [['#t#', 'x']]).hasFailed, true);
  assert.equal(talk(['#t#', '#t#', '#t#'], [['#t#', 'x']]).typed, 'x\n');
});

test('Human words that ask for a password are never answered', () => {
  assert.equal(talk(['Password: ', '[sudo] password for root: ', 'Passwort:'], [['#token#', 'x']]).typed, '');
});

test('A prompt of plain words counts only as a line of its own and the last thing printed', () => {
  const ask = (...chunks: string[]): string => talk(chunks, [['Password: ', 'x', true]]).typed;
  assert.equal(ask('Password: '), 'x\n');
  assert.equal(ask('Welcome\nPass', 'word: '), 'x\n');
  assert.equal(ask('Password: no prompt\n'), '');
  assert.equal(ask('your Password: '), '');
});

test('A question that nobody can answer ends the dialogue at once, and is named', () => {
  for (const chunks of [['Welcome.\nCurrent password: '], ['Welcome.\nCurrent pass', 'word: ']]) {
    const said: string[] = [];
    const dialogue = new Dialogue([{ expect: 'Password: ', send: Buffer.from('x'), isLast: true }, { expect: 'rent password: ' }], {
      answer: () => said.push('answered'),
      fail: (...why) => said.push(...why),
      pid: 1,
    });
    for (const chunk of [...chunks, 'Password: ']) dialogue.take(Buffer.from(chunk));
    assert.deepEqual(said, ['asked', 'rent password: ']);
  }
});

test('A prompt of plain words that continues a line is none, wherever the chunks are cut', () => {
  const text = 'Enter your Password: ';
  for (let at = 0; at <= text.length; at++)
    assert.equal(talk([text.slice(0, at), text.slice(at)], [['Password: ', 'x', true]]).typed, '', `cut at ${at}`);
});

test('Nothing is typed after the marker has come', () => {
  const typed: Uint8Array[] = [];
  const dialogue = new Dialogue([{ expect: '#t#', send: Buffer.from('x') }], {
    answer: (bytes) => typed.push(bytes),
    fail: () => {},
    pid: 1,
  });
  dialogue.end();
  assert.equal(dialogue.take(Buffer.from('#t#')).toString(), '#t#');
  assert.equal(typed.length, 0);
});

/** A program that asks like sudo does, then becomes what follows on its command line. */
const ASKS = [
  'sh',
  '-c',
  'printf "#tok#" >&2; read answer; [ "$answer" = right ] || { printf "#tok#" >&2; read answer; exit 1; }; exec "$@"',
  'asks',
];

async function ask(answer: string): Promise<{ words: string[]; isBlind: boolean }> {
  const link = launch(
    {
      prefix: ASKS,
      node: [process.execPath],
      env: process.env,
      passesDescriptors: false,
      isThreadless: true,
      preamble: Buffer.from('never written here'),
      isTyped: true,
      converse: (talk) => new Dialogue([{ expect: '#tok#', send: Buffer.from(answer) }], talk),
    },
    8192,
  );
  const words: string[] = [];
  await new Promise<void>((resolve) => {
    link.onWord = (word) => {
      words.push(word);
      resolve();
    };
  });
  link.kill();
  await link.exited;
  link.transport.destroy();
  return { words, isBlind: link.isBlind };
}

test('A program that asks for a password gets it, and the first stage follows', async () => {
  assert.deepEqual(await ask('right'), { words: ['ok'], isBlind: false });
});

test('A password that is not accepted is told, not sent again', async () => {
  assert.deepEqual(await ask('wrong'), { words: ['asked-again'], isBlind: false });
});
