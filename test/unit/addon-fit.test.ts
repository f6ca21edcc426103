/** Whether a native addon fits a machine, as far as its headers tell. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareVersions, readElf, refuseAddon } from '#src/master/elf.js';

const PREBUILT = join(process.cwd(), 'node_modules/bufferutil/prebuilds');
const addon = readFileSync(join(PREBUILT, 'linux-x64/bufferutil.node'));
const facts = { platform: 'linux', arch: 'x64', libc: '2.31' };

test('The headers of an ELF file tell machine, libraries and glibc', () => {
  assert.deepEqual(readElf(addon), { arch: 'x64', needed: ['libc.so.6'], looksBeside: false, glibc: '2.4' });
  assert.equal(refuseAddon(addon, facts), undefined);
});

test('A refusal says which of platform, architecture and libc differs', () => {
  assert.match(String(refuseAddon(addon, { ...facts, platform: 'darwin' })), /platform there is darwin/);
  assert.match(String(refuseAddon(readFileSync(join(PREBUILT, 'darwin-x64/bufferutil.node')), facts)), /platform differs/);
  assert.match(String(refuseAddon(addon, { ...facts, arch: 'arm64' })), /built for x64, there it is arm64/);
  assert.match(String(refuseAddon(addon, { ...facts, libc: 'musl' })), /libc differs.*glibc 2\.4.*musl/);
  assert.match(String(refuseAddon(addon, { ...facts, libc: '2.3.4' })), /libc differs: it needs glibc 2\.4, there it is 2\.3\.4/);
  // The same file, said to be built for musl.
  const renamed = (from: string, to: string): Buffer => Buffer.from(addon.toString('latin1').replaceAll(from, to), 'latin1');
  assert.match(String(refuseAddon(renamed('libc.so.6', 'libmusl.1'), facts)), /libc differs: it is built for musl/);
});

test('What needs libraries of its own beside itself is refused, with their names', () => {
  const packed = readFileSync(join(process.cwd(), 'node_modules/@node-rs/crc32-linux-x64-gnu/crc32.linux-x64-gnu.node'));
  const text = packed.toString('latin1');
  const bent = Buffer.from(text.replace('\0libdl.so.2\0', '\0$ORIGIN/..\0').replace('\0librt.so.1\0', '\0libown.so1\0'), 'latin1');
  // Where the first library was named (DT_NEEDED, 1) there is a path to look in now (DT_RUNPATH, 29).
  const distance = BigInt(text.indexOf('\0libgcc_s.so.1\0') - text.indexOf('\0libdl.so.2\0'));
  let at = 0;
  const long = (offset: number): bigint => bent.readBigUInt64LE(at + offset);
  while (long(0) !== 1n || long(16) !== 1n || long(24) - long(8) !== distance) at += 8;
  bent.writeBigUInt64LE(29n, at);
  assert.match(String(refuseAddon(bent, facts)), /needs shared libraries beside itself \(libown\.so1\)/);
});

test('What is cut short, or no ELF file at all, is refused and never throws', () => {
  for (let size = 0; size < addon.length; size += 97) readElf(addon.subarray(0, size));
  for (let at = 0; at < 4096; at += 7) {
    const bent = Buffer.from(addon);
    bent[at] = 0xff;
    readElf(bent);
  }
  assert.match(String(refuseAddon(Buffer.alloc(10), facts)), /no ELF file/);
});

test('Versions are compared as numbers', () => {
  assert.deepEqual(['2.9', '2.17', '2.4', '2.17.1', '2.2.5'].sort(compareVersions), ['2.2.5', '2.4', '2.9', '2.17', '2.17.1']);
});
