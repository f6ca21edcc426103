/**
 * Real Nodes of other versions, for tests: where they are kept, and how they get there. They come from the npm packages `node-linux-<arch>`, whose
 * exact versions and hashes are in node-versions.json; nothing else is ever unpacked. They lie outside of the working copy: in `MITOS_NODES_DIR`,
 * else in `mitos-nodes` of the user's cache directory.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, createReadStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { at } from './project.mjs';

/** major -> arch -> [version, integrity of the package]. */
const TABLE = JSON.parse(readFileSync(at('scripts/node-versions.json'), 'utf8'));
const ATTEMPTS = 3;
const ATTEMPT_MS = 240_000;

/** The versions that contexts can run on, by their major number, oldest first. */
export const SUPPORTED = Object.keys(TABLE).filter((name) => Number(name) >= 12);
/** Those, and some that are too old. */
export const ALL = Object.keys(TABLE);
/** Those that every run of the tests covers. */
export const SHORT = ['12', '20', '24'];

/** Where they are kept. */
export function nodesDirectory() {
  const { MITOS_NODES_DIR, XDG_CACHE_HOME } = process.env;
  return MITOS_NODES_DIR || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'mitos-nodes');
}

/** `{ version, integrity, spec, path }` of a Node by its major number. Throws for one that is not in the table or does not exist for this machine. */
export function nodeFacts(name) {
  const builds = TABLE[name];
  if (!builds) throw new Error(`Cannot get Node ${JSON.stringify(name)}: there are ${ALL.join(', ')}`);
  const build = process.platform === 'linux' ? builds[process.arch] : undefined;
  if (!build) throw new Error(`Cannot get Node ${name}: npm has none for ${process.platform} on ${process.arch}`);
  const [version, integrity] = build;
  const folder = `v${version}-linux-${process.arch}`;
  return {
    version,
    integrity,
    spec: `node-linux-${process.arch}@${version}`,
    folder,
    path: join(nodesDirectory(), folder, 'bin', 'node'),
  };
}

/** The path of a Node that is here already; else why there is none, as `{ reason }`, with `isNowhere` when it does not exist for this machine. */
export function findNode(name) {
  try {
    const { path, version } = nodeFacts(name);
    accessSync(path, constants.X_OK);
    return { path, version };
  } catch (error) {
    return {
      reason: error.code ? `Node ${name} is not at hand; get it with "npm run nodes -- ${name}"` : error.message,
      isNowhere: !error.code,
    };
  }
}

/**
 * Gets a Node, unless it is here already. Safe to run in several processes at once: each unpacks into a folder of its own, and renames it when all is checked.
 *
 * @returns its path
 */
export async function fetchNode(name, log = console.error) {
  const facts = nodeFacts(name);
  if ('path' in findNode(name)) {
    log(`Node ${facts.version}: is there`);
    return facts.path;
  }
  const home = nodesDirectory();
  mkdirSync(home, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const scratch = mkdtempSync(join(home, '.new-'));
    try {
      const startedAt = Date.now();
      await download(facts, scratch);
      unpack(facts, scratch);
      settle(join(scratch, facts.folder), join(home, facts.folder));
      log(`Node ${facts.version}: fetched ${facts.spec} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
      return facts.path;
    } catch (error) {
      if (error.isFinal || attempt === ATTEMPTS) throw new Error(`Cannot get Node ${facts.version}: ${error.message}`, { cause: error });
      log(`Node ${facts.version}: attempt ${attempt} of ${ATTEMPTS} failed: ${error.message}`);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}

/** Has the user's own npm fetch the package, and compares its hash with the one in the table. */
async function download({ spec, integrity }, folder) {
  await runNpm(['pack', spec, '--silent', '--ignore-scripts', '--pack-destination', folder]);
  const packed = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (!packed) throw new Error(`npm pack ${spec} left no file`);
  const hash = createHash('sha512');
  await pipeline(createReadStream(join(folder, packed)), hash);
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== integrity) throw final(`${spec} has the hash ${found}, scripts/node-versions.json says ${integrity}`);
  renameSync(join(folder, packed), join(folder, 'package.tgz'));
}

/** Takes the program out of the package, and looks whether it runs. */
function unpack({ version, folder }, scratch) {
  const target = join(scratch, folder);
  mkdirSync(target);
  const tar = spawnSync('tar', [
    '-xzf',
    join(scratch, 'package.tgz'),
    '-C',
    target,
    '--strip-components=1',
    '--no-same-owner',
    'package/bin/node',
  ]);
  if (tar.status !== 0) throw new Error(`tar failed: ${tar.error?.message ?? tar.stderr}`);
  const { stdout, stderr, error } = spawnSync(join(target, 'bin', 'node'), ['-p', 'process.versions.node'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (stdout?.trim() !== version) throw final(`it does not run here: ${error?.message ?? (stderr.trim() || stdout)}`);
}

/** Moves the folder where it belongs; another process may have been faster. */
function settle(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  }
}

function final(message) {
  return Object.assign(new Error(message), { isFinal: true });
}

function runNpm(args) {
  const npm = process.env.npm_execpath;
  const isScript = npm !== undefined && /npm-cli\.[cm]?js$/.test(npm);
  const [command, all] = isScript ? [process.execPath, [npm, ...args]] : ['npm', args];
  const child = spawn(command, all, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], timeout: ATTEMPT_MS, killSignal: 'SIGKILL' });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-2000)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`npm ended with ${signal ?? `code ${code}`}: ${said.trim() || 'it said nothing'}`));
    });
  });
}
