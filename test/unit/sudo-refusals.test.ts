/** What tools that make another user say, and the error that it comes to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectOrder } from '#src/core/connect-order.js';
import { inEnglish, passwordOf, userOf, wantsTerminal } from '#src/parent/elevation.js';
import { explainRefusal } from '#src/parent/elevation-failure.js';
import type { Progress } from '#src/parent/failure.js';

const ENDED = { exitCode: 1, signal: null };

function progress(method: string, lines: readonly string[], more: Partial<Progress> = {}): Progress {
  return { name: 'x', method, stage: 'start', startedAt: 0, now: () => 0, node: undefined, lines: [...lines], ...more };
}

/** Code without prefix; what is left to the general explanation is told by its stage. */
function codeOf(method: string, ...lines: string[]): string {
  const said = progress(method, lines);
  return explainRefusal(said, ENDED)?.code.replace('ERR_MITOS_', '') ?? said.stage;
}

const SAID: readonly (readonly [string, string, string])[] = [
  ['sudo', 'sudo: a password is required', 'PASSWORD_REQUIRED'],
  ['sudo', 'sudo: a terminal is required to read the password; either use the -S option', 'PASSWORD_REQUIRED'],
  ['sudo', 'sudo: interactive authentication is required', 'PASSWORD_REQUIRED'],
  ['sudo', 'sudo: 1 incorrect password attempt', 'asked-again'],
  ['sudo', 'sudo: Authentication failed, try again.', 'asked-again'],
  ['sudo', 'ann is not in the sudoers file.', 'AUTH'],
  ['sudo', 'Sorry, user ann may not run sudo on host.', 'AUTH'],
  ['sudo', "Sorry, user ann is not allowed to execute '/bin/sh' as root on host.", 'AUTH'],
  ['sudo', 'sudo: sorry, you are not allowed to preserve the environment', 'AUTH'],
  ['sudo', 'sudo: unknown user: bob', 'AUTH'],
  ['sudo', 'sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the nosuid option set?', 'AUTH'],
  ['sudo', 'sudo: Account or password is expired, reset your password and try again', 'AUTH'],
  ['sudo', 'sudo: account validation failure, is your account locked?', 'AUTH'],
  ['sudo', 'sudo: sorry, you must have a tty to run sudo', 'TTY_REQUIRED'],
  ['sudo', 'sudo: unable to resolve host here: Name or service not known', 'start'],
  ['su', 'su: Authentication failure', 'asked-again'],
  ['su', 'su: incorrect password', 'asked-again'],
  ['su', 'su: Sorry', 'asked-again'],
  ['su', 'su: must be run from a terminal', 'TTY_REQUIRED'],
  ['su', 'su: user bob does not exist or the user entry does not contain all the required fields', 'AUTH'],
  ['su', 'Your account has expired; please contact your system administrator.', 'AUTH'],
  ['su', 'su: Permission denied', 'AUTH'],
  ['su', 'This account is currently not available.', 'AUTH'],
  ['doas', 'doas: Authentication required', 'PASSWORD_REQUIRED'],
  ['doas', 'doas: Authorization required', 'PASSWORD_REQUIRED'],
  ['doas', 'doas: a tty is required', 'PASSWORD_REQUIRED'],
  ['doas', 'doas: Authentication failed', 'asked-again'],
  ['doas', 'doas: Authorization failed', 'asked-again'],
  ['doas', 'doas: Operation not permitted', 'AUTH'],
  ['doas', 'doas: doas is not enabled, /etc/doas.conf: No such file or directory', 'AUTH'],
  ['runuser', 'runuser: may not be used by non-root users', 'AUTH'],
  ['run0', 'Failed to start transient service unit: Interactive authentication required.', 'PASSWORD_REQUIRED'],
  ['run0', 'Failed to start transient service unit: Access denied', 'AUTH'],
  ['sudo', 'script: failed to create pseudo-terminal: No space left on device', 'RESOURCE'],
  ['sudo', 'a line of a start file', 'start'],
];

test('What the tools say comes to the right error', () => {
  for (const [method, line, code] of SAID) assert.equal(codeOf(method, 'Good morning.', line), code, line);
});

test('The reason counts, not what follows from it', () => {
  assert.equal(codeOf('sudo', 'sudo: unknown user bob', 'sudo: error initializing audit plugin sudoers_audit'), 'AUTH');
  assert.equal(codeOf('sudo', 'sudo: account validation failure, is your account locked?', 'sudo: a password is required'), 'AUTH');
  assert.equal(codeOf('su', 'Your account has expired; please contact your system administrator.', 'su: Authentication failure'), 'AUTH');
  assert.equal(codeOf('sudo', 'sudo: sorry, you must have a tty to run sudo', 'sudo: a password is required'), 'PASSWORD_REQUIRED');
  assert.equal(codeOf('sudo', 'sudo: sorry, you must have a tty to run sudo', 'Sorry, user ann may not run sudo on host.'), 'AUTH');
});

test('Once the first stage has answered, what was printed is no reason', () => {
  for (const stage of ['node', 'none', 'old', 'asked-again'] as const) {
    assert.equal(explainRefusal(progress('sudo', ['sudo: a password is required'], { stage }), ENDED), undefined);
  }
});

test('A question that nobody can answer is left to the general explanation, unless a password has expired', () => {
  const asked = (node: string): string | undefined =>
    explainRefusal(progress('su', ['su: must be run from a terminal'], { stage: 'asked', node }), ENDED)?.code;
  assert.equal(asked('Password: '), undefined);
  assert.equal(asked('required to change your password'), 'ERR_MITOS_AUTH');
});

test('A missing script(1) is a missing terminal, another missing program is not', () => {
  const explain = (message: string): string | undefined =>
    explainRefusal(progress('doas', []), { ...ENDED, error: new Error(message) })?.code;
  assert.equal(explain('spawn script ENOENT'), 'ERR_MITOS_TTY_REQUIRED');
  assert.equal(explain('spawn doas ENOENT'), undefined);
});

test('A tool is started again, on a terminal, once, and only when it says that it wants one', () => {
  const delay = (number: number, ...lines: string[]): number | undefined => wantsTerminal({ number, status: ENDED, lines });
  assert.equal(delay(1, 'noise', 'sudo: sorry, you must have a tty to run sudo'), 0);
  assert.equal(delay(1, 'su: must be run from a terminal'), 0);
  assert.equal(delay(2, 'sudo: sorry, you must have a tty to run sudo'), undefined);
  assert.equal(delay(1, 'sudo: a password is required'), undefined);
});

function orderWith(options: Record<string, unknown>): ConnectOrder {
  return { id: 1, name: 'x', method: 'sudo', options } as ConnectOrder;
}

test('Names that could be an option or several words are refused where the tool is started, too', () => {
  assert.equal(userOf(orderWith({})), 'root');
  for (const username of ['deploy', 'www-data', 'a.b@c', '#1000', 'DOMAIN\\ann']) assert.equal(userOf(orderWith({ username })), username);
  for (const username of ['-u', '--', '', 'a b', 'a\nb', 'a\0', '\x7f', ' a', 'a\u00a0b']) {
    assert.throws(() => userOf(orderWith({ username })), TypeError, JSON.stringify(username));
  }
});

test('A password is one line', () => {
  assert.equal(passwordOf(orderWith({})), undefined);
  assert.equal(passwordOf(orderWith({ password: Buffer.from(' pä$$ "word\' ') }))?.toString(), ' pä$$ "word\' ');
  for (const text of ['a\nb', 'a\n', 'a\r', 'a\0']) assert.throws(() => passwordOf(orderWith({ password: Buffer.from(text) })), /one line/);
});

test('A tool is asked to speak English, and what follows it speaks as before', () => {
  const before = process.env['LANGUAGE'];
  const restored = (language: string | undefined): string => {
    if (language === undefined) delete process.env['LANGUAGE'];
    else process.env['LANGUAGE'] = language;
    const { env, inner } = inEnglish();
    assert.equal(env['LANGUAGE'], 'C');
    return inner.join(' ');
  };
  try {
    assert.match(restored(undefined), /&&unset LANGUAGE;/);
    assert.match(restored('de:fr'), /&&LANGUAGE=de:fr;/);
    assert.match(restored("d'e;"), /&&LANGUAGE='d'\\''e;';/);
  } finally {
    if (before === undefined) delete process.env['LANGUAGE'];
    else process.env['LANGUAGE'] = before;
  }
});
