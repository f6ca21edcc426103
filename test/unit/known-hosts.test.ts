/** known_hosts files are read as OpenSSH reads them: the same lines are shown to ssh-keygen -F. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addKnownHost, type HostName, readKnownHost, type Verdict } from '#src/in-process/known-hosts.js';
import { findCommand, requirement } from '#src/testing/index.js';

const folder = mkdtempSync(join(tmpdir(), 'known-hosts-test-'));
after(() => rmSync(folder, { recursive: true }));

const keygen = requirement('ssh-keygen', () => findCommand('ssh-keygen') !== undefined);

/** A public key of a type, whose bytes are made of `name`. */
function keyOf(name: string, type = 'ssh-ed25519'): Buffer {
  const part = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.alloc(32, name))]);
}

const text = (key: Buffer): string => `${key.toString('latin1', 4, 4 + (key[3] as number))} ${key.toString('base64')}`;
const named = (host: string, port = 22, isAlias = false): HostName => ({ host, port, isAlias });

let count = 0;
function fileOf(...lines: string[]): string {
  const file = join(folder, `known-${++count}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

async function check(files: string | string[], host: HostName, key: Buffer): Promise<Verdict> {
  return (await readKnownHost([files].flat(), host)).check(key);
}

const A = keyOf('a');
const B = keyOf('b');

test('names are compared as a whole, without case, one by one in a list', async () => {
  const file = fileOf('# comment', '', `one.example,two.example ${text(A)} a comment`, `10.0.0.4 ${text(B)}`);
  assert.deepEqual(await check(file, named('one.example'), A), { status: 'match', place: `${file}:3` });
  assert.equal((await check(file, named('TWO.example'), A)).status, 'match');
  assert.equal((await check(file, named('three.example'), A)).status, 'unknown');
  assert.equal((await check(file, named('one.exampl'), A)).status, 'unknown');
  assert.deepEqual(await check(file, named('10.0.0.4'), A), { status: 'changed', place: `${file}:4` });
});

test('wildcards match, and a name that is excluded does not, wherever it stands', async () => {
  const file = fileOf(`*.example,!db?.example ${text(A)}`, `!x.test,*.test ${text(B)}`);
  assert.equal((await check(file, named('web.example'), A)).status, 'match');
  assert.equal((await check(file, named('db1.example'), A)).status, 'unknown');
  assert.equal((await check(file, named('db12.example'), A)).status, 'match');
  assert.equal((await check(file, named('x.test'), B)).status, 'unknown');
  assert.equal((await check(file, named('y.test'), B)).status, 'match');
});

test('a wildcard pattern takes no more than the square of its length to match', async () => {
  const file = fileOf(`${'*a'.repeat(2000)}b ${text(A)}`);
  assert.equal((await check(file, named('a'.repeat(4000)), A)).status, 'unknown');
});

test('a port is part of the name, and a key known without the port counts too', async () => {
  const file = fileOf(`[one.example]:2222 ${text(A)}`, `one.example,two.example ${text(B)}`);
  assert.equal((await check(file, named('one.example', 2222), A)).status, 'match');
  assert.equal((await check(file, named('one.example'), A)).status, 'changed');
  assert.equal((await check(file, named('one.example', 2222), keyOf('c'))).status, 'changed');
  assert.equal((await check(file, named('two.example', 2222), B)).status, 'match');
  assert.equal((await check(file, named('two.example', 2222), A)).status, 'unknown');
  assert.equal((await check(file, named('one.example', 2222, true), B)).status, 'match');
});

test('a revoked key is refused though another line has it', async () => {
  const file = fileOf(`one.example ${text(A)}`, `@revoked * ${text(A)}`);
  assert.deepEqual(await check(file, named('one.example', 2222), A), { status: 'revoked', place: `${file}:2` });
  assert.equal((await check(file, named('one.example'), B)).status, 'changed');
});

test('an authority alone makes no key known, and is told', async () => {
  const file = fileOf(`@cert-authority *.example ${text(A)}`, `@other one.example ${text(A)}`);
  assert.deepEqual(await check(file, named('one.example'), A), { status: 'unknown', authority: `${file}:1` });
});

test('lines that are broken are passed over, and files that do not exist', async () => {
  const file = fileOf(
    'one.example',
    'one.example ssh-ed25519',
    `one.example ssh-rsa ${A.toString('base64')}`,
    '|1|x ssh-ed25519 AAAA',
    '@',
  );
  assert.equal((await check([join(folder, 'nothing'), file], named('one.example'), A)).status, 'unknown');
});

test('keys of several files and types are known together', async () => {
  const rsa = keyOf('r', 'ssh-rsa');
  const files = [fileOf(`one.example ${text(rsa)}`), fileOf(`one.example ${text(A)}`)];
  const known = await readKnownHost(files, named('one.example'));
  assert.deepEqual(known.types, ['ssh-rsa', 'ssh-ed25519']);
  assert.equal(known.check(A).status, 'match');
  assert.equal(known.check(rsa).status, 'match');
});

test('a host is noted behind a last line without end, in a file only its owner may read', async () => {
  const file = join(folder, 'fresh', 'known_hosts');
  await addKnownHost(file, named('One.example', 2222), A, false);
  assert.equal(readFileSync(file, 'utf8'), `[one.example]:2222 ${text(A)}\n`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, `two.example ${text(B)}`);
  await addKnownHost(file, named('one.example'), A, true);
  assert.match(readFileSync(file, 'utf8'), /^two\.example \S+ \S+\n\|1\|[^ ]+ ssh-ed25519 \S+\n$/);
  assert.equal((await check(file, named('one.example'), A)).status, 'match');
});

test('ssh-keygen finds the hosts that are found here, hashed and not', keygen, async () => {
  const names = ['one.example', '*.test,!db.test', '[one.example]:2222', '[::1]:2222', '10.0.?.4'];
  const file = fileOf(...names.map((name) => `${name} ${text(A)}`));
  const hashed = fileOf(`one.example ${text(A)}`, `[one.example]:2222 ${text(A)}`);
  execFileSync('ssh-keygen', ['-q', '-H', '-f', hashed], { stdio: 'ignore' });
  const own = fileOf();
  await addKnownHost(own, named('web.example', 2200), A, true);
  const asked: [string, number][] = [
    ...['one.example', 'db.test', 'web.test', '10.0.7.4', '10.0.77.4', 'two.example'].map((host): [string, number] => [host, 22]),
    ...['one.example', '::1', 'two.example'].map((host): [string, number] => [host, 2222]),
    ['web.example', 2200],
  ];
  for (const [host, port] of asked) {
    for (const known of [file, hashed, own]) {
      const name = port === 22 ? host : `[${host}]:${port}`;
      let isFound = true;
      try {
        execFileSync('ssh-keygen', ['-F', name, '-f', known], { stdio: 'ignore' });
      } catch {
        isFound = false;
      }
      // The name with its port is what ssh-keygen compares.
      const verdict = await check(known, named(name, 22, true), A);
      assert.equal(verdict.status === 'match', isFound, `${name} in ${readFileSync(known, 'utf8')}`);
    }
  }
});
