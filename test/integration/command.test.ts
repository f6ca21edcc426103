/** command(): programs that this library knows nothing of. */
import assert from 'node:assert/strict';
import { Secret } from 'mitos';
import { errorOf, rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { echo, script } from '../support/elevated.js';
import { needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const test = { test: needs('root') };
const bytes = Buffer.alloc(2_000_000, 'bytes\0\r\n\x03\x04');

treeTest('command() runs a program that takes an argument list', test, async ({ router }) => {
  const child = router.command({ argv: ['env', 'MITOS_SET=by env', 'nice', '-n', '1'] });
  assert.equal(await child.call((name: string) => process.env[name], 'MITOS_SET'), 'by env');
});

treeTest('command() runs a program that takes a line for a shell', test, async ({ router }) => {
  const child = router.command({ argv: ['sh', '-c'], asWord: true });
  assert.ok(bytes.equals(Buffer.from(await child.call(echo<Uint8Array>, bytes))));
});

for (const tool of ['dzdo', 'pbrun', 'ksu']) {
  for (const on of ['stdin', 'terminal'] as const) {
    treeTest(`command() answers what ${tool} asks on its ${on}, once`, test, async ({ router, records }) => {
      const text = `[${tool}] Password for deploy: `;
      const { path, calls } = lab.stub(tool, { stderr: 'Good morning.\n', prompt: { text, password: 'right', on } });
      const run = (send: string) =>
        router.command({
          argv: [path, '-u', 'root', '--'],
          terminal: on === 'terminal',
          prompts: [{ expect: text, send: new Secret(send) }],
        });
      const child = run('right');
      assert.ok(bytes.equals(Buffer.from(await child.call(echo<Uint8Array>, bytes))));
      assert.deepEqual(calls()[0]?.argv.slice(0, 4), ['-u', 'root', '--', 'sh']);
      await rejectsWith(run('wrong'), 'ERR_MITOS_PASSWORD_WRONG');
      assert.ok(!records.some(({ text: said }) => /right|^wrong/.test(said)));
    });
  }
}

treeTest('Several prompts are answered, each with its own', test, async ({ router }) => {
  const { path } = script(
    lab,
    'two',
    `printf 'PIN: ' >&2; IFS= read -r a; printf '\\nCode: ' >&2; IFS= read -r b; [ "$a$b" = 12345678 ] || exit 1; exec "$@"`,
  );
  const prompts = [
    { expect: 'Code: ', send: '5678' },
    { expect: 'PIN: ', send: '1234' },
  ];
  assert.equal(await router.command({ argv: [path], prompts }).call(echo<string>, 'up'), 'up');
});

treeTest('A prompt that is not told of ends with the deadline, and is shown', test, async ({ router }) => {
  const prompts = [{ expect: 'Password: ', send: 'secret' }];
  const run = async (text: string, terminal: boolean) => {
    const { path } = lab.stub('dzdo', { prompt: { text, password: 'x', on: terminal ? 'terminal' : 'stdin' } });
    const error = await errorOf(router.command({ argv: [path], terminal, prompts, connectTimeoutMs: 3000 }));
    assert.equal(error.code, 'ERR_MITOS_CONNECT_TIMEOUT');
    assert.ok(error.message.includes(`last output: ${JSON.stringify(text)}`), error.message);
  };
  await Promise.all([run('Verification code: ', false), run('Verification code: ', true), run('Password:', false), run('Password:', true)]);
});

treeTest('A program that is not there says so', test, async ({ router }) => {
  const error = await rejectsWith(router.command({ argv: ['/nowhere/dzdo'] }), 'ERR_MITOS_TRANSPORT_EXIT');
  assert.match(error.message, /\/nowhere\/dzdo ENOENT/);
  assert.match(error.hint ?? '', /installed/);
});
