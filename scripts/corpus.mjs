/**
 * Runs every case of corpus/ in a child and here, compares, and prints one table. See docs/packages.md.
 *
 *   npm run corpus -- [part of a name]… [--json] [--jobs 2]
 *
 * Installs the packages of corpus/package-lock.json, without their scripts, and compiles the cases. The exit code is 1 when a case gave something else
 * in the child than here, took round trips that it does not explain, or sent more than its compressed source.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { at, filesBelow, textOf, writeText } from './lib/project.mjs';

const CASE_TIMEOUT_MS = 120_000;
const LAYOUTS = 'test/fixtures/raw/layouts';
const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, jobs: { type: 'string', default: '1' } },
});

install();
compile();
const cases = [...packageCases(), ...layoutCases()].filter(
  ({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)),
);
if (cases.length === 0) throw new Error(`No case has ${filters.join(' or ')} in its name`);
const hide = hider();
const rows = await runAll();
console.log(values.json ? JSON.stringify(rows, null, 1) : report());
process.exitCode = rows.some((row) => row.verdict === 'FAILED') ? 1 : 0;

/** `npm ci` where the lockfile says something else than what is installed. */
function install() {
  const lock = textOf('corpus/package-lock.json');
  if (textOf('corpus/node_modules/.installed') === lock) return;
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: at('corpus'),
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error('Cannot install the packages of corpus/: npm ci failed, see its messages above');
  writeText('corpus/node_modules/.installed', lock);
}

function compile() {
  const { status } = spawnSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('corpus')], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('Cannot compile corpus/: see the messages above');
}

/** The command that gives a program a mount namespace of its own. Empty where the system does not let us have one. */
function hider() {
  const ways = ['unshare --mount', 'unshare --map-root-user --mount'];
  const script = `mount -t tmpfs none ${JSON.stringify(at())}`;
  return ways.find((way) => spawnSync('sh', ['-c', `${way} sh -c '${script}'`]).status === 0) ?? '';
}

function packageCases() {
  return filesBelow('corpus/cases', (name) => name.endsWith('.ts')).map((file) => ({
    name: basename(file, '.ts'),
    path: at(file.replace('corpus/', 'corpus/.build/').replace(/\.ts$/, '.js')),
  }));
}

/** Programs in the layouts that package managers and compilers make; the short form of these is in `npm test`. */
function layoutCases() {
  return filesBelow(LAYOUTS, (name) => /^main\.m?[jt]s$/.test(name)).map((file) => ({
    name: `layout: ${file.split('/')[4]}`,
    path: at(file),
  }));
}

async function runAll() {
  const done = [];
  const queue = cases.slice();
  const work = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const row = await runCase(one);
      done.push(row);
      if (row.verdict === 'FAILED') console.error(`${row.name}: ${row.detail}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  return cases.map(({ name }) => done.find((row) => row.name === name));
}

/** Three programs one after another: what the master does for the modules with an empty cache, and with what that left; then the calls. */
async function runCase(one) {
  const cache = mkdtempSync(join(tmpdir(), 'mitos-corpus-'));
  try {
    const cold = await runProgram(one, cache, ['--graph']);
    if (cold.verdict) return cold;
    const warm = await runProgram(one, cache, ['--graph']);
    if (warm.verdict) return warm;
    const row = await runProgram(one, cache, []);
    return { ...row, coldMs: cold.graphMs, warmMs: warm.graphMs, coldPackMs: cold.packMs, warmPackMs: warm.packMs };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

function runProgram({ name, path }, cache, flags) {
  const loader = path.endsWith('.ts') ? ['--import', pathToFileURL(at('node_modules/tsx/dist/esm/index.mjs')).href] : [];
  return new Promise((resolve) => {
    const started = spawn(process.execPath, [...loader, at('scripts/corpus-case.mjs'), ...flags, name, path, hide], {
      env: { ...process.env, MITOS_CACHE_DIR: cache, MITOS_CACHE: '' },
      // tsx takes the tsconfig.json of the working directory.
      cwd: loader.length ? dirname(path) : at('corpus'),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      timeout: CASE_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    let json = '';
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk) => (said += chunk));
    started.stdio[3].on('data', (chunk) => (json += chunk));
    started.on('close', (code, signal) => {
      try {
        resolve(JSON.parse(json));
      } catch {
        resolve({ name, verdict: 'FAILED', detail: `it ended with ${signal ?? code}: ${said.slice(-2000)}` });
      }
    });
  });
}

function versionOf(name) {
  return JSON.parse(readFileSync(at('corpus/node_modules', name, 'package.json'), 'utf8')).version;
}

/** All rows as a Markdown table, what explains round trips and differences, and the sums. */
function report() {
  const head = [
    'case',
    'package',
    'modules',
    'source',
    'compressed',
    'on the wire',
    'ratio',
    'round trips',
    'graph cold',
    'graph warm',
    'packed cold',
    'packed warm',
    'child ms',
    'here ms',
    'verdict',
  ];
  const table = [head, head.map((_, index) => (index > 1 && index < 14 ? '--:' : '---')), ...rows.map(cellsOf)].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  const notes = rows.filter((row) => row.verdict !== 'FAILED' && (row.requests > 0 || row.verdict !== 'same'));
  return [...table, '', ...notes.map(noteOf), '', ...sums()].join('\n');
}

function cellsOf(row) {
  const name = row.package ? `${row.package} ${versionOf(row.package)}` : '';
  if (row.modules === undefined) return [row.name, name, ...Array(12).fill(''), row.verdict];
  const ratio = row.compressedBytes ? (row.wireBytes / row.compressedBytes).toFixed(2) : '';
  const times = [row.coldMs, row.warmMs, row.coldPackMs, row.warmPackMs, row.childMs, row.localMs].map(Math.round);
  return [row.name, name, row.modules, row.sourceBytes, row.compressedBytes, row.wireBytes, ratio, row.requests, ...times, row.verdict];
}

function noteOf({ name, verdict, requests, asks, detail, questions }) {
  const asked = requests > 0 ? ` ${requests} round trips: ${asks}${questions.length ? ` (${questions.join(', ')})` : ''}` : '';
  return `- ${name}:${asked}${detail ? ` ${verdict}: ${detail}` : ''}`;
}

function sums() {
  const ran = rows.filter((row) => row.modules !== undefined);
  const sum = (key) => ran.reduce((total, row) => total + row[key], 0);
  const slowest = (key) => {
    const row = ran.reduce((a, b) => (a[key] > b[key] ? a : b));
    return `${Math.round(row[key])} ms (${row.name})`;
  };
  const verdicts = [...new Set(rows.map((row) => row.verdict))].map(
    (one) => `${rows.filter(({ verdict }) => verdict === one).length} ${one}`,
  );
  return [
    `${rows.length} cases, ${new Set(rows.map((row) => row.package).filter(Boolean)).size} packages on Node ${process.versions.node}: ${verdicts.join(', ')}.`,
    `${sum('modules')} modules, ${sum('sourceBytes')} bytes of source, ${sum('compressedBytes')} compressed, ${sum('wireBytes')} on the wire: ${(sum('wireBytes') / sum('compressedBytes')).toFixed(3)}.`,
    `${ran.filter((row) => row.requests === 0).length} cases without a round trip beyond the call.`,
    `Most time of the processor for a graph: ${slowest('coldMs')} in the first run of a program, ${slowest('warmMs')} in the second; for packing it: ${slowest('coldPackMs')} and ${slowest('warmPackMs')}.`,
    ran.every((row) => row.isHidden)
      ? 'The children could not see the files of the project.'
      : 'The children could have seen the files of the project: mount namespaces are not to be had here.',
  ];
}
