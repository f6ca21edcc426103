/**
 * Which files a context may read as resources, beside modules: regular files inside the package of a served module. Of a package in `node_modules` that
 * is all it has; of the program's own code only what the text of served modules names. Never: hidden files, keys, packages within packages,
 * what a link or a mount leads to from outside. Nothing is opened here.
 */
import { lstatSync, readFileSync, realpathSync, type Stats } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A package that files may be read of. */
export interface ResourceRoot {
  readonly id: number;
  /** Real path of its directory. */
  readonly path: string;
  /** Files and directories (with all below them) that may be read, as real paths; undefined for all of the package. */
  readonly grants: Set<string> | undefined;
  /** Hidden directories in it that modules were served from, as paths below it. */
  readonly dotted: Set<string>;
}

/** A file or directory of a package: its real path, the same below the package, and what it is. */
export interface Found {
  path: string;
  real: string;
  stat: Stats;
}

/** What a path in a package is. */
export type Located = Found | { missing: true } | { refused: string };

const MAX_PATH = 4096;
const KEYS = /\.(?:pem|key|p12|p8|pfx|jks|keystore|kdbx?|ppk|gpg|pgp|asc|ovpn)$|^id_(?:rsa|dsa|ecdsa|ed25519)|^_?netrc$|^htpasswd$/;

/** Why a path that a context sent is refused before anything is looked up. */
export function refusePath(path: unknown, dotted?: ReadonlySet<string>): string | undefined {
  if (typeof path !== 'string' || path.length > MAX_PATH) return 'it is not a path';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f\\]|%(?:2e|2f|5c|00|25)/i.test(path)) return 'it contains characters that no path of a package needs';
  if (path === '') return undefined;
  let at = '';
  for (const name of path.split('/')) {
    at += at === '' ? name : `/${name}`;
    const refused = dotted?.has(at) ? undefined : refuseName(name);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/** Why a file or directory of this name is never read. Other spellings of the same letters count as the same. */
export function refuseName(name: string): string | undefined {
  const folded = name.normalize('NFKC').toLowerCase();
  if (folded === '' || folded.includes('/') || folded.includes('\\') || folded.includes(':')) return 'it is not a path below the package';
  if (folded.startsWith('.') || folded.startsWith('\u2025') || folded.startsWith('\u2026')) return 'it is hidden, or leads upwards';
  if (folded.replace(/[ .]+$/, '') === 'node_modules') return 'it belongs to another package';
  if (KEYS.test(folded.replace(/[ .]+$/, ''))) return 'it may hold a key';
  return undefined;
}

/** Finds a path of a package, by the rules above. */
export function locate(root: ResourceRoot, path: string): Located {
  const refused = refusePath(path, root.dotted);
  if (refused !== undefined) return { refused };
  let real: string;
  try {
    real = realpathSync.native(join(root.path, path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return { refused: 'it cannot be looked up' };
    return { missing: true };
  }
  const below = real === root.path ? '' : relative(root.path, real).split(sep).join('/');
  if (below !== '' && !real.startsWith(root.path + sep)) return { refused: 'a link leads out of its package' };
  const reason = refusePath(below, root.dotted) ?? refuseGrant(root, real) ?? refuseMount(root.path, real);
  if (reason !== undefined) return { refused: reason };
  const stat = lstatSync(real, { throwIfNoEntry: false });
  if (!stat) return { missing: true };
  if (!stat.isFile() && !stat.isDirectory()) return { refused: 'it is not a regular file' };
  // Package managers fill node_modules with hard links into their stores; of the program's own files none is expected.
  if (root.grants && stat.isFile() && stat.nlink > 1) return { refused: 'it has a second name (hard link)' };
  return { path: real, real: below, stat };
}

function refuseGrant({ grants }: ResourceRoot, real: string): string | undefined {
  if (!grants) return undefined;
  for (const grant of grants) if (real === grant || real.startsWith(grant + sep)) return undefined;
  return 'no module that was served names it, or the directory it is in';
}

/** Why a file of the program's own that lies behind a mount point is refused. */
export function refuseMount(root: string, real: string): string | undefined {
  for (const point of mountPoints()) {
    if (point.startsWith(root + sep) && (real === point || real.startsWith(point + sep))) return 'it is mounted from elsewhere';
  }
  return undefined;
}

let mounts: string[] | undefined;

/** Where something is mounted; looked at once in a turn of the loop. */
function mountPoints(): string[] {
  if (!mounts) {
    mounts = readMountPoints();
    setImmediate(() => (mounts = undefined));
  }
  return mounts;
}

function readMountPoints(): string[] {
  if (process.platform !== 'linux') return [];
  let text: string;
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return [];
  }
  const points: string[] = [];
  for (const line of text.split('\n')) {
    const point = line.split(' ', 5)[4];
    if (point !== undefined)
      points.push(point.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  }
  return points;
}
