/** Whole programs in processes of their own: functions are found whatever loaded them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ZOO } from './zoo.ts';

interface Result {
  rows: { name: string; near: unknown; far: unknown }[];
  places: string[];
}

const BIN = join(process.cwd(), 'node_modules');

function run(cwd: string, argv: string[]): string {
  const env = { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '' };
  return execFileSync(process.execPath, argv, {
    cwd: join(ZOO, cwd),
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

function check(output: string, count: number): void {
  const result = JSON.parse(/\{"rows".*\}/.exec(output)?.[0] ?? output) as Result;
  assert.equal(result.rows.length, count);
  for (const { name, near, far } of result.rows) assert.deepEqual(far, near, name);
  const lines = readFileSync(join(ZOO, 'ts/lib/shapes.ts'), 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('new Error(message)')) + 1;
  assert.equal(result.places[0], `lib/shapes.ts:${line}:9`);
  assert.match(result.places[1] ?? '', /^program\.ts:\d+:9$/);
}

test('Functions of a program under tsx run in a context as they do here, and their stacks show its lines', () => {
  check(run('ts', ['--import', join(BIN, 'tsx/dist/loader.mjs'), 'main.ts']), 13);
});

test('Functions of a test under vitest run in a context as they do here', () => {
  check(run('ts', [join(BIN, 'vitest/vitest.mjs'), 'run', 'program.test.ts', '--config', 'vitest.config.mjs', '--pool', 'forks']), 15);
});

test('Functions of a compiled program run in a context as they do here, and their stacks show the TypeScript', () => {
  const out = join(ZOO, 'dist');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  try {
    run('.', [join(BIN, 'typescript/bin/tsc'), '-p', 'ts', '--outDir', 'dist', '--rootDir', 'ts', '--noCheck']);
    cpSync(join(ZOO, 'ts/compare.mjs'), join(out, 'compare.mjs'));
    const program = join(out, 'program.js');
    writeFileSync(program, readFileSync(program, 'utf8').replace("'@lib/std'", "'./lib/std.js'"));
    check(run('.', ['dist/main.js']), 13);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

test('Standard decorators and accessors run in a context as they do here', () => {
  const { rows } = JSON.parse(run('std', ['--import', join(BIN, 'tsx/dist/loader.mjs'), 'main.ts'])) as Result;
  assert.deepEqual(rows[0]?.far, rows[0]?.near);
});

test('A CommonJS main script is cut into slices, and never runs twice', () => {
  const { out, count } = JSON.parse(run('cjs', ['main-script.cjs']));
  const file = join(ZOO, 'cjs/main-script.cjs');
  assert.deepEqual(out, [[3, 'more', 'string', file], [6, 'more', 'string', file], [1, 'more', 'string'], 'n']);
  assert.equal(count, 0);
});

test('A library that imports its main script back gets the declarations of it, and never runs it', () => {
  assert.deepEqual(JSON.parse(run('esm', ['cyclic-main.mjs'])), [[1, 'default of main'], 2, 'default of main', 0]);
});
