import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { cacheDirectory } from '#src/master/cache-directory.js';

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'mitos-cache-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('the cache is made where the environment says, for the user alone', (t) => {
  const base = temporary(t);
  assert.equal(cacheDirectory('modules', { MITOS_CACHE_DIR: join(base, 'own') }), join(base, 'own/modules'));
  assert.equal(cacheDirectory('runtimes', { XDG_CACHE_HOME: base }), join(base, 'mitos/runtimes'));
  for (const made of ['own', 'own/modules', 'mitos', 'mitos/runtimes']) assert.equal(statSync(join(base, made)).mode & 0o777, 0o700, made);
});

test('a path that is not absolute is not used', (t) => {
  const base = temporary(t);
  assert.equal(cacheDirectory('modules', { MITOS_CACHE_DIR: 'here', XDG_CACHE_HOME: base }), join(base, 'mitos/modules'));
});

test('MITOS_CACHE=off turns off the cache of modules, and no other', (t) => {
  const base = temporary(t);
  const env = { MITOS_CACHE: 'off', MITOS_CACHE_DIR: base };
  assert.equal(cacheDirectory('modules', env), undefined);
  assert.equal(cacheDirectory('runtimes', env), join(base, 'runtimes'));
});

test('a directory that someone else may have filled is no cache', (t) => {
  const base = temporary(t);
  const env = (name: string): NodeJS.ProcessEnv => ({ MITOS_CACHE_DIR: join(base, name) });
  mkdirSync(join(base, 'open/modules'), { recursive: true });
  chmodSync(join(base, 'open/modules'), 0o777);
  assert.equal(cacheDirectory('modules', env('open')), undefined);
  mkdirSync(join(base, 'wide'));
  chmodSync(join(base, 'wide'), 0o775);
  assert.equal(cacheDirectory('modules', env('wide')), undefined);
  mkdirSync(join(base, 'linked'));
  symlinkSync(temporary(t), join(base, 'linked/modules'));
  assert.equal(cacheDirectory('modules', env('linked')), undefined);
});

test('where no directory can be made there is no cache, and no error', (t) => {
  const base = temporary(t);
  writeFileSync(join(base, 'file'), '');
  assert.equal(cacheDirectory('modules', { MITOS_CACHE_DIR: join(base, 'file') }), undefined);
  assert.equal(cacheDirectory('modules', { MITOS_CACHE_DIR: '/proc/none' }), undefined);
});
