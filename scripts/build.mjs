/**
 * Builds the project: bundles (see lib/bundle.mjs), then `tsc -b`. Skips what is up to date.
 *
 *   node scripts/build.mjs [--all] [--quiet] [--force] [--layer core]
 *
 * --all also compiles test/, examples/ and bench/ into .build/; --layer compiles one layer and what it needs (`--layer .` is index.ts).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { reportSizes } from './check-size.mjs';
import { buildBundles } from './lib/bundle.mjs';
import { at, filesBelow, keyOf, textOf, withLock, writeText } from './lib/project.mjs';

const { values } = parseArgs({
  options: { all: { type: 'boolean' }, quiet: { type: 'boolean' }, force: { type: 'boolean' }, layer: { type: 'string' } },
});

process.exitCode = await withLock('build', main);

async function main() {
  const isBundled = await buildBundles().then(
    () => true,
    (error) => {
      console.error(`Cannot bundle: ${error.message}`);
      return false;
    },
  );
  removeStale('dist', 'src');
  removeStale('.build/test', 'test');
  const status = values.layer === undefined ? compileAll() : compile(at('src', values.layer));
  if (!values.quiet && values.layer === undefined && existsSync(at('dist/generated/bundles.js'))) await reportSizes();
  return isBundled ? status : 1;
}

/** Runs the compiler unless no input changed since it last succeeded. */
function compileAll() {
  const folders = values.all ? ['src', 'test', 'examples', 'bench'] : ['src'];
  const inputs = folders.flatMap((folder) => filesBelow(folder, (name) => /\.[cm]?ts$|^tsconfig\.json$/.test(name)));
  const key = keyOf([...inputs, 'tsconfig.json', 'tsconfig.src.json', 'tsconfig.base.json', 'package.json', 'package-lock.json']);
  const keyFile = values.all ? '.build/all.key' : '.build/src.key';
  if (!values.force && textOf(keyFile) === key && existsSync(at('dist/index.js')) && existsSync(at('dist/cli/main.js'))) return 0;
  const status = compile(at(values.all ? 'tsconfig.json' : 'tsconfig.src.json'));
  if (status === 0) writeText(keyFile, key);
  return status;
}

/** Removes output whose source is gone, so that nothing imports it by accident and it is not published. */
function removeStale(outputs, sources) {
  for (const file of filesBelow(outputs, (name) => /\.d\.[cm]?ts$|\.[cm]?js$/.test(name))) {
    const source = join(sources, file.slice(outputs.length + 1)).replace(/(\.d)?\.([cm]?)[jt]s$/, '.$2ts');
    if (existsSync(at(source))) continue;
    rmSync(at(file));
    rmSync(at(`${file}.map`), { force: true });
  }
}

function compile(project) {
  const args = [at('node_modules/typescript/bin/tsc'), '-b', project, ...(values.force ? ['--force'] : [])];
  const { status, signal, error } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (signal) console.error(`Cannot compile: tsc was ended by ${signal}`);
  return status ?? 1;
}
