/** What `exec` and `$` take, and how it is put into words for a shell and for a reader. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { argvOf, checkExecOptions, type ExecOptions } from '#src/api/exec-options.js';
import { printable, quote, shellCommand } from '#src/api/exec-quote.js';
import { createRandom } from '#src/testing/index.js';

function template(pieces: TemplateStringsArray, ...values: unknown[]): string {
  return shellCommand(pieces, values);
}

test('A word of harmless characters stays as it is, any other is put in single quotes', () => {
  assert.equal(quote('/usr/bin/node-20'), '/usr/bin/node-20');
  assert.equal(quote('a b'), "'a b'");
  assert.equal(quote(''), "''");
  assert.equal(quote("it's"), "'it'\\''s'");
  assert.equal(quote('~'), "'~'");
  assert.equal(quote('a\nb'), "'a\nb'");
});

test('A shell reads every quoted word back as it was', () => {
  const random = createRandom(7);
  const alphabet = ['a', ' ', "'", '"', '\\', '$', '`', '!', '\n', '*', '~', '#', ';', '&', '=', 'é', '😀', '-', '\x1b', '%'];
  const words = Array.from({ length: 300 }, () => Array.from({ length: random.int(9) }, () => random.pick(alphabet)).join(''));
  const read = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(quote).join(' ')}`])
    .toString()
    .split('\0');
  assert.deepEqual(read.slice(0, -1), words);
});

test('A template quotes what is put in, and makes a list into several words', () => {
  assert.equal(template`ls -l ${'my file'} | wc`, "ls -l 'my file' | wc");
  assert.equal(template`rm ${['a', 'b c', 3]}`, "rm a 'b c' 3");
  assert.equal(template`true ${[]}`, 'true ');
  assert.equal(template`kill ${12n} ${true}`, 'kill 12 true');
  assert.equal(template`plain`, 'plain');
});

test('A template refuses what is not text', () => {
  for (const value of [undefined, null, {}, () => 1, Symbol('s'), [['nested']], [undefined]]) {
    assert.throws(() => template`echo ${value}`, TypeError);
  }
  assert.throws(() => shellCommand('echo' as never, []), TypeError);
});

test('A command is a string for a shell or a list that begins with a program', () => {
  assert.deepEqual(argvOf('a | b'), ['sh', '-c', 'a | b']);
  assert.deepEqual(argvOf(['a', '']), ['a', '']);
  for (const command of ['', [], [''], ['', 'a'], ['a', 1], undefined, null, 5, {}, 'a\0b', ['a', 'b\0']]) {
    assert.throws(() => argvOf(command as string), TypeError, JSON.stringify(command));
  }
});

test('Options that make no sense are refused at once', () => {
  const wrong: unknown[] = [
    null,
    'cwd',
    { cwd: '' },
    { cwd: 5 },
    { cwd: 'a\0' },
    { env: { A: 1 } },
    { env: { 'A=B': 'c' } },
    { env: { '': 'c' } },
    { env: { A: '\0' } },
    { env: null },
    { encoding: 'latin1' },
    { nothrow: 1 },
    { stdin: 5 },
    { stdin: ['a'] },
    { stdin: null },
    { signal: {} },
  ];
  for (const options of wrong) assert.throws(() => checkExecOptions(options as ExecOptions), TypeError, JSON.stringify(options));
  for (const options of [{ maxBufferBytes: -1 }, { maxBufferBytes: 1.5 }, { timeoutMs: -1 }, { timeoutMs: NaN }]) {
    assert.throws(() => checkExecOptions(options), RangeError, JSON.stringify(options));
  }
  checkExecOptions({
    cwd: '/',
    env: { A: '' },
    encoding: 'buffer',
    nothrow: true,
    stdin: new Uint8Array(1),
    maxBufferBytes: 0,
    timeoutMs: 1,
  });
});

test('Printable text has no character that a terminal could obey', () => {
  const text = printable('a\x1b[31m\x9b\x7f\u202e\u2066\ufeff\ud800"\n');
  assert.match(text, /^[\x20-\x7e]+$/);
  assert.equal(JSON.parse(text), 'a\x1b[31m\x9b\x7f\u202e\u2066\ufeff\ud800"\n');
  assert.equal(printable('grün'), '"grün"');
});
