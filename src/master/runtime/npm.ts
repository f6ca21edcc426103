/**
 * Fetches packages with the user's own npm, so that its registry, proxy, certificates and credentials hold. What it downloads is checked here
 * once more, against the checksum that is known beforehand or that the registry gives.
 *
 * npm downloads into a cache of its own in the workspace: the user's is not filled with files of 50 MB, and the growing file there tells how
 * far it is.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MitosError } from '../../core/errors.ts';
import type { Build } from './catalog.ts';
import { pushError, spaceError } from './failure.ts';
import { type ProgramResult, runProgram } from './program.ts';

/** The package or this version of it does not exist, as the registry says. */
export class NotPublished extends Error {}
/** No registry could be asked. */
export class Unreachable extends Error {}

/** How a fetch is watched and ended. */
export interface FetchWatch {
  signal: AbortSignal;
  /** Told the bytes that are there. */
  onBytes(bytes: number): void;
}

const LOOK_MS = 100;
const PACKAGE_MS = 600_000;
/** npm's own: two more tries, the first after 10 s; a connection has 30 s in all. */
const FLAGS = [
  '--json',
  '--loglevel=error',
  '--ignore-scripts',
  '--no-update-notifier',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=500',
];

/** Fetches the tarball of a build into `workspace`, checked. @returns its path and checksum */
export async function fetchPackage(build: Build, workspace: string, watch: FetchWatch): Promise<{ file: string; integrity: string }> {
  const controller = new AbortController();
  const signal = AbortSignal.any([watch.signal, controller.signal, AbortSignal.timeout(PACKAGE_MS)]);
  const cache = join(workspace, 'npm');
  await mkdir(cache, { recursive: true });
  const timer = setInterval(() => {
    downloaded(cache).then(
      (bytes) => bytes > 0 && watch.onBytes(bytes),
      () => undefined,
    );
  }, LOOK_MS);
  // Asked for at the same time as the tarball: one wait less.
  const expected = build.integrity === undefined ? integrityOf(build, cache, signal) : Promise.resolve(build.integrity);
  try {
    const [integrity] = await Promise.all([expected, pack(build, workspace, cache, signal)]);
    const name = (await readdir(workspace)).find((entry) => entry.endsWith('.tgz'));
    if (name === undefined) throw pushError(`npm pack ${specOf(build)} made no file`);
    const file = join(workspace, name);
    await checkIntegrity(file, integrity, specOf(build));
    return { file, integrity };
  } finally {
    clearInterval(timer);
    controller.abort();
    await expected.catch(() => undefined);
    await rm(cache, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Compares a file with its checksum (`sha512-…`). Throws when it does not fit; a file of ours is removed then. */
export async function checkIntegrity(file: string, integrity: string, what: string, isOurs = true): Promise<void> {
  const found = await sha512(file);
  if (integrity.split(/\s+/).includes(found)) return;
  if (isOurs) await rm(file, { force: true });
  throw pushError(`${what} is not the file that it must be: its checksum is ${found}, expected was ${integrity}`, {
    hint: 'try again; if it stays so, the registry or something on the way to it changes files',
    data: { reason: 'integrity' },
  });
}

/** The checksum of a file as npm writes it. */
export async function sha512(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return `sha512-${hash.digest('base64')}`;
}

async function integrityOf(build: Build, cache: string, signal: AbortSignal): Promise<string> {
  const spec = specOf(build);
  const { stdout } = await npm(['view', spec, 'dist.integrity', '--cache', cache], spec, signal);
  const integrity = stdout.trim() === '' ? undefined : (JSON.parse(stdout) as unknown);
  if (integrity === undefined) throw new NotPublished(`npm has no ${spec}`);
  if (typeof integrity === 'string' && integrity.includes('sha512-')) return integrity;
  throw pushError(`the registry gives no sha512 checksum for ${spec}`, {
    hint: 'use a registry that does, such as https://registry.npmjs.org',
  });
}

async function pack(build: Build, workspace: string, cache: string, signal: AbortSignal): Promise<void> {
  const spec = specOf(build);
  await npm(['pack', spec, '--pack-destination', workspace, '--cache', cache], spec, signal);
}

async function npm(args: readonly string[], spec: string, signal: AbortSignal): Promise<ProgramResult> {
  for (const command of [['npm'], [process.execPath, join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js')]]) {
    const [file, ...before] = command as [string, ...string[]];
    const result = await runProgram([file, ...before, ...args, ...FLAGS], {}, signal).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (result?.status === 0) return result;
    if (result) throw npmFailure(result, spec);
  }
  throw new Unreachable('there is no npm on this machine');
}

/** What npm's error means. With `--json` it prints it as an object. */
function npmFailure({ stdout, stderr, status, signal }: ProgramResult, spec: string): MitosError | NotPublished | Unreachable {
  let error: { code?: string; summary?: string } = {};
  try {
    error = (JSON.parse(stdout) as { error?: typeof error }).error ?? {};
  } catch {
    // It did not come so far.
  }
  const code = error.code ?? /npm error code (\S+)/.exec(stderr)?.[1] ?? '';
  const lines = (error.summary || stderr.trim().split('\n').slice(-3).join(' ') || `it ended with ${signal ?? status}`)
    .split('\n')
    .join(' ');
  const text = `npm could not fetch ${spec}: ${code ? `${code}: ` : ''}${lines.replace(/\/\/[^/@\s]+@/g, '//***@').slice(0, 500)}`;
  if (code === 'E404' || code === 'ETARGET') return new NotPublished(text);
  if (code === 'ENOSPC' || code === 'EDQUOT') return spaceError('the cache directory', new Error(text));
  if (code === 'EINTEGRITY')
    return pushError(text, { hint: 'try again; if it stays so, the registry or something on the way to it changes files' });
  return new Unreachable(text);
}

function specOf(build: Build): string {
  return `${build.package}@${build.version}`;
}

/** Bytes of the largest file that npm is writing. */
async function downloaded(cache: string): Promise<number> {
  const directory = join(cache, '_cacache', 'tmp');
  let most = 0;
  for (const name of await readdir(directory)) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found?.isFile() && found.size > most) most = found.size;
  }
  return most;
}
