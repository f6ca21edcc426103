/** Which functions can be called, in whole programs, whatever loaded them. Their texts are in fixtures/raw/programs-api/programs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OracleTestContext, testWithOracle } from '#src/testing/index.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAMS = join(ROOT, 'test/fixtures/raw/programs-api/programs');
const BODY = readFileSync(join(PROGRAMS, 'body.js'), 'utf8');
const LIBRARY = readFileSync(join(PROGRAMS, 'library.js'), 'utf8');
const LIBRARY_CJS = `${LIBRARY.replace(/^import os.*$/m, "const os = require('node:os');").replace(/^export (default )?/gm, (_all, isDefault) => (isDefault ? 'exports.default = ' : ''))}
Object.assign(exports, { exported, pick, Library });
`;

interface Result {
  [key: string]: unknown;
  stack: string;
  refused: [string, string][];
}

/** A program in a folder of its own, with the library installed as a user has it. */
class Program {
  readonly folder: string;

  constructor({ oracle }: OracleTestContext, files: Record<string, string>) {
    this.folder = realpathSync(oracle.temporaryDirectory());
    mkdirSync(join(this.folder, 'node_modules'));
    const installed = join(this.folder, 'node_modules/mitos');
    cpSync(join(ROOT, 'dist'), join(installed, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
    symlinkSync(join(ROOT, 'node_modules/vitest'), join(this.folder, 'node_modules/vitest'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
  }

  async run(argv: readonly string[], signal: AbortSignal): Promise<{ code: number | null; output: string }> {
    const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...env } = process.env;
    const child = spawn(process.execPath, argv, { cwd: this.folder, env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
    return { code, output };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function check(output: string, folder: string, main: string, text: string): void {
  const line = (part: string): number => text.split('\n').findIndex((row) => row.includes(part)) + 1;
  const json = /^.*RESULT (\{.*\})$/m.exec(output)?.[1];
  assert.ok(json, output);
  const { stack, refused, records, requests, framesForRefused, ...rest } = JSON.parse(json) as Result;
  assert.deepEqual(rest, {
    pid: true,
    builtin: true,
    plain: [11, 12, 10],
    arrow: 7,
    later: 8,
    items: [0, 1, 2],
    static: ['privateTools', 5, 'privateSpecial'],
    holder: [2, 0],
    inline: 12,
    nested: 12,
    library: [101, 102, 'library', 'unnamed'],
    where: ['far', 'master', 'master'],
    grandchild: [15, 102, 6, 'privateTools'],
    cause: ['TypeError', 'on purpose'],
  });
  const file = join(folder, main);
  assert.ok(stack.includes(`${file}:${line('// the failing line')}:`), stack);
  assert.ok(stack.split('--- in "far" ---')[0]?.includes(`${main}:${line('await context.call(fail)')}:`), stack);
  assert.doesNotMatch(stack, /eval/);
  assert.deepEqual(records, [], 'the top level does not run on a target');
  assert.equal(output.match(/the top level ran/g)?.length, 1);
  assert.equal(requests, 0, 'no import round trip');
  assert.ok((framesForRefused as number) <= 1, 'nothing is sent for what is refused');
  const [closure, bound, method, type, proxy, evaluated, native] = refused;
  assert.equal(closure?.[0], 'ERR_MITOS_CAPTURE');
  assert.match(closure?.[1] ?? '', new RegExp(`captures "value".*${main.replace('.', '\\.')}:${line('// the capturing line')}`));
  for (const [index, one] of [bound, method, type, proxy, evaluated, native].entries())
    assert.equal(one?.[0], 'ERR_MITOS_NOT_CALLABLE', `${index}: ${String(one)}`);
  assert.match(bound?.[1] ?? '', /"bound plain".*bound/);
  assert.match(method?.[1] ?? '', /"method".*:\d+.*instance/);
  assert.match(type?.[1] ?? '', /"Tools".*class/);
  assert.match(proxy?.[1] ?? '', /proxy/);
  assert.match(evaluated?.[1] ?? '', /eval|file/);
}

interface Loader {
  name: string;
  main: string;
  files(): Record<string, string>;
  argv(main: string): string[];
}

const ESM = "import os from 'node:os';\nimport { Router, self } from 'mitos';\n";
const NAMES = '{ exported, Library, pick }';
const tsx = join(ROOT, 'node_modules/tsx/dist/loader.mjs');

const LOADERS: readonly Loader[] = [
  {
    name: 'node, as an ES module',
    main: 'app.mjs',
    files: () => ({ 'app.mjs': `${ESM}import unnamed, ${NAMES} from './library.mjs';\n${BODY}\nawait run();\n`, 'library.mjs': LIBRARY }),
    argv: (main) => [main],
  },
  {
    name: 'node, as CommonJS',
    main: 'app.cjs',
    files: () => ({
      'app.cjs': `const os = require('node:os');\nconst { Router, self } = require('mitos');\nconst { exported, Library, pick, default: unnamed } = require('./library.cjs');\n${BODY}\nrun();\n`,
      'library.cjs': LIBRARY_CJS,
    }),
    argv: (main) => ['--no-warnings', main],
  },
  {
    name: 'tsx',
    main: 'app.ts',
    files: () => ({
      'package.json': '{ "type": "module" }',
      'app.ts': `// @ts-nocheck\n${ESM}import unnamed, ${NAMES} from './library.ts';\ninterface Gone {\n  a: 1;\n}\nenum Kind { A = 1 }\n${BODY}\nawait run();\n`,
      'library.ts': `type Row = { a: number };\n\n${LIBRARY}`,
    }),
    argv: (main) => ['--import', tsx, main],
  },
  {
    name: 'node:test',
    main: 'app.test.mjs',
    files: () => ({
      'app.test.mjs': `import { test } from 'node:test';\n${ESM}import unnamed, ${NAMES} from './library.mjs';\n${BODY}\ntest('all of it', run);\n`,
      'library.mjs': LIBRARY,
    }),
    argv: (main) => ['--test', '--test-reporter=spec', main],
  },
  {
    name: 'vitest',
    main: 'app.test.ts',
    files: () => ({
      'package.json': '{ "type": "module" }',
      'app.test.ts': `// @ts-nocheck\nimport { test } from 'vitest';\n${ESM}import unnamed, ${NAMES} from './library.ts';\n${BODY}\ntest('all of it', run, 30000);\n`,
      'library.ts': `type Row = { a: number };\n\n${LIBRARY}`,
    }),
    argv: () => [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--disable-console-intercept', '--no-cache'],
  },
];

/** A test of a program in a folder of its own, which is removed at the end. */
function testProgram(name: string, files: Record<string, string>, fn: (program: Program, signal: AbortSignal) => Promise<void>): void {
  testWithOracle(name, { timeoutMs: 60_000 }, async (context) => {
    const program = new Program(context, files);
    try {
      await fn(program, context.signal);
    } finally {
      program.remove();
    }
  });
}

for (const { name, main, files, argv } of LOADERS) {
  const texts = files();
  testProgram(
    `functions of a program without any guard are called, or refused by name and place, under ${name}`,
    texts,
    async (program, signal) => {
      const { code, output } = await program.run(argv(main), signal);
      check(output, program.folder, main, texts[main] as string);
      assert.equal(code, 0, output);
    },
  );
}

/** A program whose main job is `body`. */
function mainProgram(body: string): string {
  return `import { main } from 'mitos';
export const value = 1;
await main(import.meta, async (router) => {
${body}
}, { logger: false });
console.log('behind main');
`;
}

testProgram(
  'main() runs in the program itself, closes the router and exits with 0',
  { 'app.mjs': mainProgram("console.log('ran', await router.local().call(() => 6 * 7), value);") },
  async (program, signal) => {
    const { code, output } = await program.run(['app.mjs'], signal);
    assert.deepEqual([code, output.trim()], [0, 'ran 42 1']);
  },
);

testProgram(
  'main() finds the program by a path without its ending, and through a link',
  { 'app.js': "const { main } = require('mitos');\nmain(module, async (router) => console.log('ran', router.self.id));\n" },
  async (program, signal) => {
    symlinkSync('app.js', join(program.folder, 'link.js'));
    for (const name of ['app', 'link.js', `.${sep}app.js`]) {
      const { code, output } = await program.run(['--no-warnings', name], signal);
      assert.deepEqual([code, output.trim()], [0, 'ran 0'], name);
    }
  },
);

testProgram(
  'main() does nothing in a module that is imported',
  { 'lib.mjs': mainProgram("console.log('ran');"), 'app.mjs': "import { value } from './lib.mjs';\nconsole.log('imported', value);\n" },
  async (program, signal) => {
    const { code, output } = await program.run(['app.mjs'], signal);
    assert.deepEqual([code, output.trim()], [0, 'behind main\nimported 1']);
  },
);

testProgram(
  'main() exits with 1 and the error on stderr when its function fails, with process.exitCode when that is set',
  {
    'fail.mjs': mainProgram("router.local();\nthrow new Error('it went wrong');"),
    'code.mjs': mainProgram('await router.local();\nprocess.exitCode = 7;'),
  },
  async (program, signal) => {
    const failed = await program.run(['fail.mjs'], signal);
    assert.equal(failed.code, 1);
    assert.match(failed.output, /it went wrong/);
    assert.equal((await program.run(['code.mjs'], signal)).code, 7);
  },
);

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  const body = `const context = await router.local();
await context.local();
context.call(() => { for (;;); }).catch(() => {});
process.kill(process.pid, '${name}');
await new Promise(() => setInterval(() => {}, 1000));`;
  testProgram(
    `main() closes the tree on ${name}, and the program ends by it`,
    { 'app.mjs': mainProgram(body) },
    async (program, signal) => {
      const child = spawn(process.execPath, ['app.mjs'], { cwd: program.folder, signal, stdio: 'ignore' });
      const ended = await new Promise((resolve) => child.on('close', (code, by) => resolve([code, by])));
      assert.deepEqual(ended, [null, name]);
    },
  );
}

testProgram(
  'a child opened by a program under node --enable-source-maps, from a folder with spaces and in strict ASCII locale, is found all the same',
  { 'my app.mjs': mainProgram("console.log('ran', await router.local({ env: { LC_ALL: 'C' } }).call((text) => text + value, 'ü'));") },
  async (program, signal) => {
    const { output } = await program.run(['--enable-source-maps', 'my app.mjs'], signal);
    assert.equal(output.trim(), 'ran ü1');
  },
);
