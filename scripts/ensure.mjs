/**
 * Installs the dependencies when they are missing or differ from package-lock.json, so `npm start` and `npm test` work on a fresh clone.
 * Uses Node builtins only. An unusable npm cache is replaced by one inside the working copy.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { at } from './lib/project.mjs';

const MIN_NODE = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
  console.error(`Cannot use Node ${process.version}: at least v${MIN_NODE.join('.')} is needed`);
  process.exit(1);
}

const stale = firstStalePackage();
if (stale !== undefined) {
  console.error(`Installing dependencies (${stale})`);
  if (!install([]) && !install(['--cache', at('.build/npm-cache')])) {
    console.error('Cannot install the dependencies: npm ci failed; see its messages above');
    process.exit(1);
  }
}

/** Says which package of the lockfile is not installed in its version; undefined when all are. */
function firstStalePackage() {
  const { packages } = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
  for (const [path, wanted] of Object.entries(packages)) {
    if (path === '' || !isNeededHere(wanted)) continue;
    const manifest = at(path, 'package.json');
    if (!existsSync(manifest)) return `${path} is missing`;
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    if (version !== wanted.version) return `${path} is ${version}, the lockfile wants ${wanted.version}`;
  }
  return undefined;
}

/** Optional packages are binaries for one platform. Those for one C library are left to npm. */
function isNeededHere({ optional, peer, os, cpu, libc }) {
  if (!optional) return !peer;
  return libc === undefined && os !== undefined && cpu !== undefined && os.includes(process.platform) && cpu.includes(process.arch);
}

function install(extra) {
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', ...extra];
  const npm = process.env.npm_execpath;
  const useNode = npm !== undefined && /npm-cli\.[cm]?js$/.test(npm);
  const [command, all] = useNode ? [process.execPath, [npm, ...args]] : ['npm', args];
  const { status } = spawnSync(command, all, { cwd: at(), stdio: ['ignore', 2, 2], shell: !useNode && process.platform === 'win32' });
  return status === 0;
}
