/** Makes an entry of the shelf: fetches a build, takes its executable, makes that smaller, tries it where that is possible, packs it. */
import { chmod, copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeProgress } from '../../core/runtime-order.ts';
import type { Build } from './catalog.ts';
import { checkPlace, cutUnloaded, trial } from './executable.ts';
import { pushError } from './failure.ts';
import { fetchPackage } from './npm.ts';
import { packGzip } from './packing.ts';
import { checkSeed, type Seed } from './seeds.ts';
import { type Manifest, publish, type ShelfEntry, shelve } from './shelf.ts';
import { type Archive, extractExecutable } from './tarball.ts';

/** Where an entry can be had from. */
export interface Supply {
  /** Name of the entry. */
  name: string;
  version: string;
  from: { build: Build } | { seed: Seed; directory: string };
}

/** How the work is watched and ended. */
export interface MakeWatch {
  signal: AbortSignal;
  tell(progress: RuntimeProgress): void;
}

/** The entry that an npm package becomes. */
export function supplyOfBuild(build: Build): Supply {
  return { name: `node-${build.version}-${build.platform}-${build.arch}`, version: build.version, from: { build } };
}

/** The entry that a file of the directory `runtimes` becomes: another one when the file changes. */
export function supplyOfSeed(seed: Seed, directory: string): Supply {
  const { version, platform, arch, isMusl, state } = seed;
  return { name: `node-${version}-${platform}-${arch}${isMusl ? '-musl' : ''}-${state}`, version, from: { seed, directory } };
}

/** What is known of a source when its file lies there. */
interface Source {
  /** A file to take it out of, or the executable itself. */
  archive: Archive | { file: string; packing: 'none' };
  /** Whether the file may be removed when it was read. */
  isOurs: boolean;
  manifest: Omit<Manifest, 'format' | 'hash' | 'size'>;
}

/** Makes the entry of `supply` in `directory`; `workspace` is an empty directory beside it. */
export async function makeEntry(supply: Supply, directory: string, workspace: string, watch: MakeWatch): Promise<ShelfEntry> {
  const source = await sourceOf(supply, workspace, watch);
  const raw = join(workspace, 'node');
  await takeExecutable(source, raw, watch.signal);
  if (source.isOurs) await rm(source.archive.file, { force: true });
  const made = join(workspace, 'entry');
  await mkdir(made, { mode: 0o700 });
  const temporary = join(workspace, 'packed');
  const { size: total } = await stat(raw);
  const onBytes = (done: number): void => watch.tell({ phase: 'pack', done, total });
  const { packed, raw: executable } = await packGzip(raw, temporary, { signal: watch.signal, onBytes });
  await shelve(made, 'gzip', temporary, packed);
  await rm(raw, { force: true });
  watch.signal.throwIfAborted();
  return publish(made, directory, { format: 1, ...source.manifest, hash: executable.blob, size: executable.size }, supply.name);
}

async function sourceOf({ from }: Supply, workspace: string, watch: MakeWatch): Promise<Source> {
  if ('build' in from) {
    const { build } = from;
    const onBytes = (done: number): void => watch.tell({ phase: 'download', done, total: 0 });
    onBytes(0);
    const { file, integrity } = await fetchPackage(build, workspace, { signal: watch.signal, onBytes });
    const { version, platform, arch } = build;
    const manifest = { version, platform, arch, isMusl: false, source: `${build.package}@${version}`, integrity };
    return { archive: { file, packing: 'gzip' }, isOurs: true, manifest };
  }
  const { seed } = from;
  await checkSeed(seed, from.directory);
  const { version, platform, arch, isMusl, file, form } = seed;
  const manifest = { version, platform, arch, isMusl, source: file };
  return { archive: { file, packing: form === 'executable' ? 'none' : form }, isOurs: false, manifest };
}

/** Gets the executable, as small as it can be; takes the whole of it when the cut one does not run. */
async function takeExecutable(source: Source, target: string, signal: AbortSignal): Promise<void> {
  const { archive, manifest } = source;
  const { platform, arch, version, isMusl } = manifest;
  const isHere = platform === process.platform && arch === (process.arch === 'arm' ? 'armv7l' : process.arch) && !isMusl;
  for (const isCut of [true, false]) {
    await rm(target, { force: true });
    await extract(archive, target, signal);
    await checkPlace(target, platform, arch, JSON.stringify(manifest.source));
    const saved = isCut ? await cutUnloaded(target) : 0;
    const problem = isHere ? await trial(target, version, signal) : undefined;
    if (problem === undefined) return;
    if (saved === 0) throw pushError(`the Node of ${JSON.stringify(manifest.source)} does not run on this machine: ${problem}`);
  }
}

async function extract(archive: Source['archive'], target: string, signal: AbortSignal): Promise<void> {
  if (archive.packing !== 'none') return extractExecutable({ file: archive.file, packing: archive.packing }, target, signal);
  await copyFile(archive.file, target);
  await chmod(target, 0o700);
}
