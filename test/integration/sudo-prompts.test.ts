/** Prompts: ours is answered however it is dressed up, nobody else's ever is, and no byte of the protocol is typed into any. */
import assert from 'node:assert/strict';
import { errorOf, rejectsWith, treeTest } from '../fixtures/programs/harness.js';
import { echo, script } from '../support/elevated.js';
import { needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const test = { test: needs('root') };

/** Becomes what follows `--`. */
const GO_ON = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"';

treeTest('The prompt of sudo-rs, which wraps ours, is answered; a wrong password once', test, async ({ router }) => {
  const text = `
ask() { printf '[sudo: %s] Password: ' "$1" >&2; IFS= read -r typed; printf '%s\\n' "$typed" >>$FOLDER/typed; [ "$typed" = right ]; }
ask "$3" || { printf '\\nsudo: Authentication failed, try again.\\n' >&2; ask "$3" || exit 1; }
${GO_ON}`;
  const good = script(lab, 'sudo', text);
  assert.equal(await router.sudo({ sudoPath: good.path, password: 'right' }).call(echo<string>, 'up'), 'up');
  assert.equal(good.read('typed'), 'right\n');
  const bad = script(lab, 'sudo', text);
  await rejectsWith(router.sudo({ sudoPath: bad.path, password: 'wrong' }), 'ERR_MITOS_PASSWORD_WRONG');
  assert.match(bad.read('typed'), /^wrong\n\n?$/);
});

treeTest('Prompts with stars, in pieces, and after a lecture are answered', test, async ({ router }) => {
  const { path } = script(
    lab,
    'sudo',
    `i=0; while [ $i -lt 3000 ]; do echo 'With great power comes great responsibility.' >&2; i=$((i+1)); done
for piece in $(printf %s "$3" | sed 's/./& /g'); do printf %s $piece >&2; done
IFS= read -r typed; printf '********\\n' >&2; [ "$typed" = right ] && { ${GO_ON}; }`,
  );
  assert.equal(await router.sudo({ sudoPath: path, password: 'right' }).call(echo<string>, 'up'), 'up');
});

const PROMPTS = [
  'Password:',
  'Passwort: ',
  '[sudo] password for root: ',
  '[sudo] Mot de passe de root : ',
  'パスワード: ',
  '密码：',
  'Пароль: ',
  'Contraseña: ',
  'parolă: ',
  '[sudo: authenticate] Password: ',
  'Verification code: ',
  "root's password\u00a0: ",
  'my Password: ',
  'Password: \n',
];
const FLOOD = `i=0; while [ $i -lt 75 ]; do printf '${PROMPTS.map((text) => text.replaceAll("'", "'\\''").replaceAll('\n', '\\n')).join('')}' | tee /dev/fd/2; i=$((i+1)); done`;

treeTest('A thousand prompts that are not ours get no byte, on pipes and on a terminal', test, async ({ router }) => {
  const pipe = script(lab, 'sudo', `${FLOOD}\nexec cat 9>&1 >$FOLDER/typed`);
  const terminal = script(
    lab,
    'sudo',
    `[ "$1" != -S ] || { echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; }\n${FLOOD}\nexec cat /dev/tty 9>&1 >$FOLDER/typed`,
  );
  const su = script(lab, 'su', `${FLOOD}\nprintf 'more '\nexec cat 9>&1 >$FOLDER/typed`);
  const options = { password: 'canary', connectTimeoutMs: 1500 };
  const errors = await Promise.all([
    errorOf(router.sudo({ ...options, sudoPath: pipe.path })),
    errorOf(router.sudo({ ...options, sudoPath: terminal.path })),
    errorOf(router.su({ ...options, path: su.path })),
  ]);
  for (const { code, message } of errors) assert.equal(code, 'ERR_MITOS_CONNECT_TIMEOUT', message);
  assert.deepEqual(
    [pipe, terminal, su].map(({ read }) => read('typed')),
    ['', '', ''],
  );
});

treeTest('A tool that echoes what it is given on its terminal does not put it into the log', test, async ({ router, records }) => {
  const { path } = script(lab, 'run0', `printf 'Password: ' >/dev/tty; IFS= read -r typed </dev/tty; ${GO_ON}`);
  const child = router.run0({ path, password: 'canary' });
  assert.equal(await child.call(echo<string>, 'up'), 'up');
  assert.ok(!records.some(({ text }) => text.endsWith('canary')));
});

treeTest('A password of several lines is refused before anything is started', test, async ({ router }) => {
  const sudo = lab.stub('sudo');
  for (const password of ['two\nlines', 'ends with one\n', 'a\0b', 'a\rb']) {
    const error = await rejectsWith(router.sudo({ sudoPath: sudo.path, password }), 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(error.message, /password has to be one line/);
  }
  assert.equal(sudo.calls().length, 0);
});
