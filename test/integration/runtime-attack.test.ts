/**
 * Another user of the target who does what it can in the folders that everybody may write to, while a Node is put there: nothing of it is run, and nothing is
 * left. In `npm test` a few times; `npm run provision:attack` for a thousand.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, testWithOracle } from '#src/testing/index.js';
import { quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { RAN, scriptRuntime, sourceOf } from '../fixtures/programs/runtime-source.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const here = needs('users', 'namespaces');
const PROVISIONS = Number(process.env['MITOS_PROVISIONS'] ?? 12);
const AT_A_TIME = 4;
const FOLDERS = ['/dev/shm', '/tmp', '/var/tmp'];

/** Takes every name that begins as ours do, or that one could guess, and puts other bytes there, in every way there is. Says how often it saw ours. */
const ATTACK = String.raw`
const fs = require('fs');
const [folders, evil, stop] = JSON.parse(process.argv[1]);
const text = fs.readFileSync(evil);
const seen = new Set();
const guesses = ['.mitos', '.mitos-', 'mitos', 'n', 'node', '.mitos-n', '.mitos-0', 'memfd:mitos'];
const go = (name, ...args) => { try { fs[name](...args); } catch {} };
const put = (path) => go('writeFileSync', path, text, { mode: 0o777 });
console.log('ready');
while (!fs.existsSync(stop)) {
  for (const folder of folders) {
    const names = fs.readdirSync(folder).filter((name) => name.startsWith('.mitos-'));
    for (const name of names) if (name.length > 20) seen.add(name);
    for (const name of names.concat(guesses)) {
      const path = folder + '/' + name;
      put(path + '/n');
      go('renameSync', path, path + 'x');
      go('symlinkSync', evil, path + '/n');
      go('unlinkSync', path);
      go('symlinkSync', evil, path);
      go('renameSync', path + 'x', path);
      put(path);
    }
  }
}
for (const folder of folders)
  for (const name of fs.readdirSync(folder)) {
    const path = folder + '/' + name;
    try {
      if (fs.lstatSync(path).uid === process.getuid()) fs.rmSync(path, { recursive: true });
    } catch {}
  }
console.log(seen.size);
`;

/** Shared folders of their own, for as long as the process lives: what the attack leaves there meanwhile is in nobody else's way. */
async function playground(): Promise<{ inside: string[] } & AsyncDisposable> {
  const script =
    'mount -t tmpfs tmpfs /mnt&&mkdir /mnt/lab&&mount --bind "$0" /mnt/lab&&for d;do mount -t tmpfs -o mode=1777 tmpfs $d||exit;done;' +
    'mkdir -p "$0"&&mount --move /mnt/lab "$0"&&echo ready&&exec sleep infinity';
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, lab.directory, ...FOLDERS], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const inside = ['nsenter', '--target', String(child.pid), '--mount', '--wd=/'];
  const end = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  };
  return { inside, [Symbol.asyncDispose]: end };
}

/** Starts the attack, and waits until it runs. It ends when there is a file `stop`. */
async function attack(inside: readonly string[], by: LabUser, evil: string, stop: string): Promise<ChildProcess> {
  const args = [
    ...inside.slice(1),
    'setpriv',
    `--reuid=${by.uid}`,
    `--regid=${by.gid}`,
    '--clear-groups',
    lab.node,
    '-e',
    ATTACK,
    JSON.stringify([FOLDERS, evil, stop]),
  ];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

testWithOracle(
  'Whatever another user puts where a Node is put, it is never run, and no file is left',
  { ...here, timeoutMs: 60_000 + PROVISIONS * 2000 },
  async () => {
    await using victim = await lab.user();
    await using attacker = await lab.user();
    const room = mkdtempSync(join(lab.directory, 'attack-'));
    chmodSync(room, 0o777);
    const evil = join(room, 'evil');
    writeFileSync(evil, `#!/bin/sh\necho foreign >> ${room}/foreign\necho v22.0.0\nexit 7\n`, { mode: 0o755 });
    const bin = join(room, 'bin');
    spawnSync('mkdir', ['-m', '755', bin]);
    // No Python and no Perl.
    for (const name of PROGRAMS) symlinkSync(findCommand(name) as string, join(bin, name));
    await using place = await playground();
    const { inside } = place;
    const argv = [
      ...inside,
      'setpriv',
      `--reuid=${victim.uid}`,
      `--regid=${victim.gid}`,
      '--clear-groups',
      'env',
      '-i',
      `PATH=${bin}`,
      'HOME=/',
    ];
    const stop = join(room, 'stop');
    const child = await attack(inside, attacker, evil, stop);
    const { router } = quietRouter({ runtimes: sourceOf(scriptRuntime(200_000)) });
    try {
      for (let left = PROVISIONS; left > 0; left -= AT_A_TIME) {
        const pushes = Array.from({ length: Math.min(AT_A_TIME, left) }, async () => {
          const error = await rejectsWith(router.command({ argv, runtime: 'push', cwd: '/' }), 'ERR_MITOS_TRANSPORT_EXIT');
          assert.match(error.message, new RegExp(RAN));
        });
        await Promise.all(pushes);
      }
    } finally {
      writeFileSync(stop, '');
      await router.close();
    }
    const find = [...inside.slice(1), 'find', ...FOLDERS, '-xdev', '-uid', String(victim.uid)];
    const [seen] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    assert.ok(Number(String(seen)) > 0, 'the attack has seen some of the names');
    assert.equal(existsSync(join(room, 'foreign')), false);
    const left = spawnSync('nsenter', find, { encoding: 'utf8' });
    assert.equal(left.stderr, '');
    assert.equal(left.stdout, '');
  },
);

const PROGRAMS = ['sh', 'uname', 'getconf', 'head', 'cat', 'gzip', 'sha256sum', 'id', 'ls', 'mkdir', 'chmod', 'rm', 'rmdir', 'df', 'tail'];
