import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure, Progress } from '#src/parent/failure.js';
import { explainSsh, isBusy } from '#src/parent/ssh-failure.js';

function explain(lines: string[], exitCode: number | null = 255, more: Partial<Progress> = {}): Failure | undefined {
  const progress: Progress = { name: 'web', method: 'ssh', stage: 'start', startedAt: 0, now: () => 0, node: undefined, lines, ...more };
  return explainSsh(progress, { exitCode, signal: null });
}

/** Words of OpenSSH 7.4 to 10.0. */
const WORDS: readonly [string, string, Record<string, unknown>?][] = [
  ['ssh: Could not resolve hostname web: Name or service not known', 'DNS'],
  ['ssh: Could not resolve hostname web: nodename nor servname provided, or not known', 'DNS'],
  ['ssh: connect to host web port 22: Connection refused', 'REFUSED'],
  ['ssh: connect to host web port 22: No route to host', 'REFUSED'],
  ['ssh: connect to host web port 22: Connection timed out', 'CONNECT_TIMEOUT'],
  ['ssh: connect to host web port 22: Operation timed out', 'CONNECT_TIMEOUT'],
  ['Connection timed out during banner exchange\nConnection to 10.0.0.1 port 22 timed out', 'CONNECT_TIMEOUT'],
  ['ssh_exchange_identification: Connection closed by remote host', 'TRANSPORT_EXIT', { transient: true }],
  [
    'kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 10.0.0.1 port 22',
    'TRANSPORT_EXIT',
    { transient: true },
  ],
  [
    'kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535',
    'TRANSPORT_EXIT',
    { transient: true },
  ],
  ['alice@web: Permission denied (publickey).', 'AUTH'],
  ['alice@web: Permission denied (publickey,gssapi-keyex,gssapi-with-mic,password).', 'PASSWORD_REQUIRED'],
  ['Permission denied (publickey,keyboard-interactive).', 'PASSWORD_REQUIRED'],
  ['Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\nDisconnected from 10.0.0.1 port 22', 'AUTH'],
  [
    'No RSA host key is known for web and you have requested strict checking.\nHost key verification failed.',
    'HOST_KEY',
    { reason: 'unknown' },
  ],
  ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.', 'HOST_KEY', { reason: 'changed' }],
  ['@ WARNING: REVOKED HOST KEY DETECTED! @\nHost key verification failed.', 'HOST_KEY', { reason: 'revoked' }],
  [
    '/home/a/.ssh/config: line 3: Bad configuration option: porrt\n/home/a/.ssh/config: terminating, 1 bad configuration options',
    'TRANSPORT_EXIT',
  ],
  ['Bad owner or permissions on /home/a/.ssh/config', 'TRANSPORT_EXIT'],
  ['channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed', 'REFUSED'],
  ['channel 0: open failed: administratively prohibited: open failed', 'TRANSPORT_EXIT'],
  ['Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa', 'TRANSPORT_EXIT'],
  ['', 'TRANSPORT_EXIT'],
];

for (const [words, code, data] of WORDS) {
  test(`ERR_MITOS_${code} is what ssh means by ${JSON.stringify(words.slice(0, 60))}`, () => {
    const failure = explain(words.split('\n'));
    assert.equal(failure?.code, `ERR_MITOS_${code}`);
    for (const [key, value] of Object.entries(data ?? {})) assert.equal(failure?.data?.[key], value);
    assert.deepEqual(explain(['debug1: Authenticating', ...words.split('\n'), '']), failure, 'with debugging');
  });
}

test('What a host prints is not taken for the words of ssh', () => {
  for (const [words] of WORDS.slice(0, -1)) {
    const failure = explain(words.split('\n'), 1);
    assert.equal(failure?.code, 'ERR_MITOS_TRANSPORT_EXIT');
    assert.match(String(failure?.message), /ran something else/);
  }
});

test('An account that cannot be used says why', () => {
  assert.match(
    String(explain(['WARNING: Your password has expired.', 'Password change required but no TTY available.'], 1)?.message),
    /expired/,
  );
  assert.equal(explain(['This account is currently not available.'], 1)?.code, 'ERR_MITOS_AUTH');
});

test('Once the first stage has spoken ssh is not to blame', () => {
  assert.equal(explain(['Permission denied (publickey).'], 255, { stage: 'node' }), undefined);
  assert.equal(explain([], null), undefined);
});

test('A question that was asked again tells which secret was wrong', () => {
  const again = (node: string): string | undefined => explain([], null, { stage: 'asked-again', node })?.message;
  assert.match(String(again("Enter passphrase for key '/k': ")), /passphrase/);
  assert.equal(again("alice@web's password: "), undefined);
  assert.match(String(explain([], null, { stage: 'asked', node: '(a@b) Code: ' })?.message), /it asks "\(a@b\) Code: "/);
});

test('A server is only busy when nothing else was said', () => {
  const dropped = 'kex_exchange_identification: Connection closed by remote host';
  const status = { exitCode: 255, signal: null };
  assert.equal(isBusy(status, [dropped, '']), true);
  assert.equal(isBusy(status, ['debug1: Connecting', `${dropped}\r`]), true);
  assert.equal(isBusy(status, ['ssh: connect to host jump port 22: Connection refused', dropped]), false);
  assert.equal(isBusy(status, ['Permission denied (publickey).']), false);
  assert.equal(isBusy(status, []), false);
  assert.equal(isBusy({ exitCode: 1, signal: null }, [dropped]), false);
});
