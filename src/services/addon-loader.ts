/**
 * Native addons of the program's packages. By default they are refused; with `addons: 'ram'` the master sends one that fits this machine, and it is
 * loaded from a file that has no name any more: nothing is left of it on a disk.
 */
import { createHash } from 'crypto';
import { fstatSync, readdirSync, readSync } from 'fs';
import { mitosError } from '../core/errors.ts';
import type { AddonFacts, ResourceAnswer } from '../core/resource.ts';
import type { PackageFiles } from './package-files.ts';
import { withNameless } from './ram-file.ts';

/** What Node calls `module`. */
interface Module {
  exports: unknown;
}

let loads = 0;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What an addon has to fit here. */
export function addonFacts(): AddonFacts {
  const { report } = process as { report?: { getReport(): unknown } };
  let made = report && report.getReport();
  // Node 12 gives it as text in its first versions.
  if (typeof made === 'string') made = JSON.parse(made);
  const glibc = made ? (made as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime : '';
  return { platform: process.platform, arch: process.arch, libc: glibc || (isMusl() ? 'musl' : '') };
}

function isMusl(): boolean {
  try {
    return readdirSync('/lib').some((name) => name.startsWith('ld-musl'));
  } catch {
    return false;
  }
}

/** Loads an addon, or throws `ERR_MITOS_ADDON` saying why not. `refusal` is what is said where addons are refused. */
export function loadAddon(files: PackageFiles, module: Module, root: number, path: string, refusal: string, flags?: number): void {
  if (!files.host.hasAddons)
    throw mitosError('ERR_MITOS_ADDON', refusal, { hint: "addons: 'ram' lets addons that fit be loaded from RAM" });
  const answer = files.host.askSync({ root, path, want: 'addon', facts: addonFacts() });
  const cannot = (why: string): Error =>
    mitosError('ERR_MITOS_ADDON', `Cannot load native addon ${path} from RAM: ${why}`, {
      hint: 'use a package without native code, or install it where it runs',
    });
  if (answer.kind !== 'file' || !answer.content) throw cannot(answer.message || 'the program does not have it');
  try {
    open(module, answer, flags);
  } catch (error) {
    const { message } = error as Error;
    const [, built, here] = /NODE_MODULE_VERSION (\d+)[^]*?NODE_MODULE_VERSION (\d+)/.exec(message) || [];
    throw cannot(built ? `the ABI differs: it is built for Node ABI ${built}, there it is ${here as string}` : message);
  }
}

function open(module: Module, { content, sha256: wanted }: ResourceAnswer, flags: number | undefined): void {
  withNameless(content as Buffer, 'load a native addon', (fd) => {
    if (sha256(contentOf(fd)) !== wanted) throw new Error('it was changed on its way');
    // The loader of the system takes two files under one name for the same, so each gets a name of its own.
    const name = `/proc/self/fd/${'./'.repeat(++loads)}${fd}`;
    if (flags === undefined) dlopen(module, name);
    else dlopen(module, name, flags);
  });
}

function contentOf(fd: number): Buffer {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0, count = 1; at < bytes.length && count; at += count) count = readSync(fd, bytes, at, bytes.length - at, at);
  return bytes;
}

const dlopen = process.dlopen.bind(process) as (module: object, path: string, flags?: number) => void;

/** Lets `process.dlopen` take paths of packages. */
export function installAddons(files: PackageFiles): void {
  process.dlopen = (module, file, flags) => {
    const full = files.inside(file);
    const query = full === undefined ? undefined : files.query([full, 'stat']);
    if (full === undefined || !query || files.lookSync([full, 'stat']).kind !== 'file') dlopen(module as object, file as string, flags);
    else
      loadAddon(
        files,
        module as Module,
        query.root,
        query.path,
        `Cannot load native addon ${full}: it is built for the machine of the program`,
        flags,
      );
  };
}
