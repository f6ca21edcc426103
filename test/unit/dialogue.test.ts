import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#src/core/secret.js';
import { launch } from '#src/parent/child-process.js';
import { Dialogue } from '#src/parent/dialogue.js';

function talk(chunks: readonly string[], prompts: readonly [string, string][]): { out: string; typed: string; events: string[] } {
  const typed: Buffer[] = [];
  const events: string[] = [];
  const dialogue = new Dialogue(
    prompts.map(([expect, send]) => ({ expect, send: new Secret(send) })),
    (bytes) => typed.push(Buffer.from(bytes)),
    (event) => events.push(event),
  );
  const out = Buffer.concat([...chunks.map((chunk) => dialogue.take(Buffer.from(chunk))), dialogue.end()]);
  return { out: out.toString(), typed: Buffer.concat(typed).toString(), events };
}

test('A prompt is answered once and taken out of the text, however it is cut into chunks', () => {
  const text = 'lecture\n#token7# more';
  for (let at = 0; at <= text.length; at++) {
    const said = talk([text.slice(0, at), text.slice(at)], [['#token7#', 'pa55']]);
    assert.deepEqual(said, { out: 'lecture\n more', typed: 'pa55\n', events: ['answered'] }, `cut at ${at}`);
  }
});

test('A prompt that comes again is not answered again', () => {
  assert.deepEqual(talk(['#t#', 'Sorry\n', '#t#'], [['#t#', 'x']]).events, ['answered', 'asked-again']);
  assert.equal(talk(['#t#', '#t#', '#t#'], [['#t#', 'x']]).typed, 'x\n');
});

test('Human words that ask for a password are never answered', () => {
  assert.equal(talk(['Password: ', '[sudo] password for root: ', 'Passwort:'], [['#token#', 'x']]).typed, '');
});

test('Nothing is typed after the marker has come', () => {
  const typed: Buffer[] = [];
  const dialogue = new Dialogue(
    [{ expect: '#t#', send: new Secret('x') }],
    (bytes) => typed.push(bytes),
    () => {},
  );
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
      prompts: [{ expect: '#tok#', send: new Secret(answer) }],
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
