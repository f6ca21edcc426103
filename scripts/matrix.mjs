/**
 * Runs the tests that start contexts once for each Node that these can run on, and prints one table: test files x versions. The tests and the master
 * run on this Node, all contexts below on the other one:
 *
 *   npm run matrix                                  all versions
 *   npm run matrix -- 12 24 --only integration/ssh  some, and only files whose path has one of these parts
 *   npm run matrix -- --keep results.json            writes results there as they come, and prints the table of all that is in it
 *   npm run matrix -- --keep results.json --continue runs only what is not there, or failed for no known reason
 *
 * As root that Node takes the place of every `node` that a shell finds, in a mount namespace; otherwise it comes first in PATH. Every difference has to
 * be explained in lib/matrix-differences.mjs, and every explanation has to be needed: else the exit code is 1.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { differences, explain, leftOut } from './lib/matrix-differences.mjs';
import { MatrixResults } from './lib/matrix-results.mjs';
import { FILE, printMatrix } from './lib/matrix-table.mjs';
import { fetchNode, findNode, nodeFacts, SUPPORTED } from './lib/nodes.mjs';
import { at, filesBelow } from './lib/project.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true, default: [] },
    concurrency: { type: 'string', default: '2' },
    keep: { type: 'string' },
    continue: { type: 'boolean', default: false },
  },
});
const versions = positionals.length > 0 ? positionals : SUPPORTED.filter((name) => !findNode(name).isNowhere);
const files = filesBelow('test/integration', (name) => name.endsWith('.test.ts'))
  .filter((file) => !(nameOf(file) in leftOut))
  .filter((file) => values.only.length === 0 || values.only.some((part) => file.includes(part)))
  .map((file) => join('.build', file.replace(/\.ts$/, '.js')));
if (files.length === 0) {
  console.error(`Cannot run the matrix: no file in test/integration matches ${values.only.join(', ')}`);
  process.exit(1);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
mkdirSync(at('.build'), { recursive: true });
const scratch = mkdtempSync(at('.build/matrix-'));
chmodSync(scratch, 0o755);
const kept = new MatrixResults(values.keep);
try {
  for (const name of versions) await fetchNode(name);
  const master = join(scratch, 'node');
  copyFileSync(process.execPath, master);
  for (const name of versions) await runOn(nodeFacts(name), master);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const isWhole = values.only.length === 0;
process.exitCode = printMatrix(kept.runs(), { explain, expected: isWhole ? differences : [], isWhole }) ? 0 : 1;

function nameOf(path) {
  return path.replace(/^.*integration[\\/]|\.test\.[jt]s$/g, '');
}

/** The tests of all files with contexts on one Node. */
async function runOn({ version, path }, master) {
  const waiting = files.filter((file) => !values.continue || !kept.isDone(version, nameOf(file)));
  console.error(`\nNode ${version}: ${waiting.length} test files`);
  const isSandboxed = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
  const places = isSandboxed ? nodesOfShells() : [];
  // Not in /usr, which containers of the lab take from outside of the namespace.
  const node = join(scratch, `v${version}`, 'node');
  mkdirSync(dirname(node));
  copyFileSync(path, node);
  const env = {
    ...process.env,
    MITOS_TEST_NODE: node,
    MITOS_TEST_MASTER: process.version,
    MITOS_TEST_VERSION: version,
    NODE_OPTIONS: `--require ${at('scripts/lib/other-node.cjs')}`,
    ...(places.length > 0 ? {} : { PATH: dirname(node) + delimiter + process.env.PATH }),
  };
  // A /tmp and a /dev/shm of its own too: what other programs do there is none of the tests' business.
  const own = ['/tmp', '/dev/shm'].map((folder) => `mount -t tmpfs -o mode=1777 none ${folder} || exit 99;`).join('');
  const mount = own + places.map((place) => `mount --bind '${node}' '${place}' || exit 99;`).join('');
  const prefix = places.length > 0 ? ['unshare', '--mount', 'sh', '-c', `${mount} exec "$@"`, 'sh'] : [];
  const runner = [master, '--test', `--test-reporter=${at('scripts/lib/matrix-reporter.mjs')}`, '--test-timeout=180000'];
  const runFile = async (file) => {
    const startedAt = Date.now();
    const results = await collect([...prefix, ...runner, file], env, version, file);
    kept.set(version, nameOf(file), results, (Date.now() - startedAt) / 1000);
  };
  const all = [...waiting];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await runFile(file);
  };
  await Promise.all(Array.from({ length: Number(values.concurrency) }, work));
  // Limits of time do not hold on a machine that does too much at once: what failed for no known reason has another try, alone, and the table tells.
  for (const file of all.filter((one) => !kept.isDone(version, nameOf(one)))) await runFile(file);
}

/** Every `node` that a login shell may find. */
function nodesOfShells() {
  const folders = [...process.env.PATH.split(delimiter), '/usr/local/bin', '/usr/bin', '/bin', '/opt/node/bin'];
  const found = folders.flatMap((folder) => {
    try {
      return [realpathSync(join(folder, 'node'))];
    } catch {
      return [];
    }
  });
  return [...new Set(found)];
}

/** The results of one test file. */
function collect([command, ...args], env, version, path) {
  const file = nameOf(path);
  const child = spawn(command, args, { cwd: at(), env, stdio: ['ignore', 'pipe', 'pipe'] });
  const results = [];
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-20_000)));
  const stop = (signal) => child.kill(signal);
  for (const signal of SIGNALS) process.once(signal, stop);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const name of SIGNALS) process.off(name, stop);
      for (const line of output.split('\n').filter(Boolean)) results.push({ file, ...JSON.parse(line) });
      const ended = signal ?? `code ${code}`;
      if (results.length === 0 || (code !== 0 && !results.some(({ outcome }) => outcome === 'failed')))
        results.push({ file, name: FILE, outcome: 'failed', reason: `it ended with ${ended}: ${errors}` });
      for (const result of results) tellFailure(version, result);
      resolve(results);
    });
  });
}

function tellFailure(version, result) {
  if (result.outcome !== 'failed') return;
  const reason = explain(version, result);
  console.error(`${reason ? '~' : '✖'} ${result.file}: ${result.name}\n    ${(reason ?? result.reason).replaceAll('\n', '\n    ')}`);
}
