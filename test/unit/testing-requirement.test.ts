import assert from 'node:assert/strict';
import test, { afterEach, beforeEach } from 'node:test';
import { findCommand, requirement } from '#src/testing/index.js';

let former: string | undefined;
beforeEach(() => {
  former = process.env['MITOS_TEST_REQUIRE'];
  delete process.env['MITOS_TEST_REQUIRE'];
});
afterEach(() => {
  if (former === undefined) delete process.env['MITOS_TEST_REQUIRE'];
  else process.env['MITOS_TEST_REQUIRE'] = former;
});

test('requirement lets a test run when the probe finds what it needs', () => {
  process.env['MITOS_TEST_REQUIRE'] = 'all';
  assert.deepEqual(
    requirement('sh', () => findCommand('sh') !== undefined),
    { skip: false },
  );
  assert.deepEqual(
    requirement('nothing', () => undefined),
    { skip: false },
  );
});

test('requirement skips with a printed reason when something is absent', (t) => {
  const printed = t.mock.method(console, 'error', () => {});
  assert.deepEqual(
    requirement('sshd', () => 'no sshd in PATH'),
    { skip: 'no sshd in PATH' },
  );
  assert.deepEqual(
    requirement('docker', () => false),
    { skip: 'docker is not available' },
  );
  const throwing = requirement('lxc', () => {
    throw new Error('lxc is broken');
  });
  assert.deepEqual(throwing, { skip: 'lxc is broken' });
  assert.deepEqual(
    printed.mock.calls.map((call) => call.arguments[0]),
    [
      'Skipping tests that need "sshd": no sshd in PATH',
      'Skipping tests that need "docker": docker is not available',
      'Skipping tests that need "lxc": lxc is broken',
    ],
  );
});

test('requirement throws for what MITOS_TEST_REQUIRE asks for, and only for that', (t) => {
  t.mock.method(console, 'error', () => {});
  const absent = (name: string) => () => requirement(name, () => 'absent');
  process.env['MITOS_TEST_REQUIRE'] = 'all';
  assert.throws(absent('sshd'), { message: 'Cannot run the tests that need "sshd": absent; MITOS_TEST_REQUIRE asks for it' });
  process.env['MITOS_TEST_REQUIRE'] = 'docker, sshd';
  assert.throws(absent('sshd'));
  assert.deepEqual(absent('podman')(), { skip: 'absent' });
});

test('findCommand gives the path of a program and nothing for what is no program', () => {
  assert.match(findCommand('sh') ?? '', /\/sh$/);
  assert.equal(findCommand('mitos-no-such-program'), undefined);
  assert.equal(findCommand('..'), undefined);
});
