/** `mitos run`, and what is told of modules that travel. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { SentModule } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { treeTest } from '../fixtures/programs/harness.js';
import { type Ended, runNode } from './run-program.js';

const folder = mkdtempSync(join(tmpdir(), 'run-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
mkdirSync(at('node_modules/left'), { recursive: true });
writeFileSync(at('package.json'), '{"type":"module"}');
writeFileSync(at('node_modules/left/package.json'), '{"name":"left"}');
writeFileSync(at('node_modules/left/index.js'), 'exports.left = (n) => n - 1;');
writeFileSync(
  at('lib.ts'),
  "import left from 'left';\nexport enum Kind { A = 1 }\nexport const plus = (a: number, b: number): number => left.left(a + b + 1);\n",
);
writeFileSync(at('late.ts'), 'export const late = 7;\n');
writeFileSync(
  at('script.ts'),
  `import { appendFileSync } from 'node:fs';
import { Kind, plus } from './lib.ts';
appendFileSync(process.env['MITOS_RUN_LOG'] ?? '/dev/null', 'loaded ');
export default (a: string, b: string): object => ({ sum: plus(Number(a), Number(b)), kind: Kind.A });
export function echo(...all: unknown[]): unknown { console.log('working'); return all.length === 1 ? all[0] : all; }
export async function fails(): Promise<void> {
  throw new RangeError('no luck \\x1b[31m');
}
export const five = 5;
export const later = async (name: string): Promise<unknown> => (await import('./' + name)).late;
export function nothing(): void {}
`,
);
writeFileSync(at('common.cjs'), "exports.main = (a) => 'common ' + a;");
writeFileSync(at('broken.ts'), 'export default function ( {');

function mitos(signal: AbortSignal, ...args: string[]): Promise<Ended> {
  return runNode('dist/cli/main.js', { args: ['run', ...args], signal });
}

testWithOracle(
  'mitos run prints what the function returns on one target, and on many with the target in front',
  { timeoutMs: 30_000 },
  async ({ signal }) => {
    const one = await mitos(signal, at('script.ts'), 'local', '--', '1', '2');
    assert.deepEqual([one.stdout, one.stderr, one.code], ['{\n  "sum": 3,\n  "kind": 1\n}\n', '', 0]);
    const text = await mitos(signal, `${at('script.ts')}#echo`, 'local', '--', '--json');
    assert.deepEqual([text.stdout, text.code], ['--json\n', 0]);
    assert.match(text.stderr, /working/);
    const many = await mitos(signal, `${at('common.cjs')}`, '-n', '1', 'local', 'worker', '--', 'x');
    assert.deepEqual([many.stdout, many.code], ['local: common x\nworker: common x\n', 0]);
    const nothing = await mitos(signal, `${at('script.ts')}#nothing`, 'worker');
    assert.deepEqual([nothing.stdout, nothing.code], ['', 0]);
  },
);

testWithOracle('mitos run --json prints an object a line, with arguments that are JSON', { timeoutMs: 30_000 }, async ({ signal }) => {
  const { stdout, code } = await mitos(
    signal,
    '--json',
    '--json-args',
    '--explain',
    `${at('script.ts')}#echo`,
    'worker',
    '--',
    '{"a":[1,null]}',
  );
  const [result, ...rest] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
  assert.equal(code, 0);
  assert.deepEqual({ ...result, ms: 0 }, { target: 'worker', status: 'ok', value: { a: [1, null] }, ms: 0 });
  const totals = rest.at(-1)?.['modules'];
  const modules = rest.slice(0, -1).map(({ module }) => module as unknown as SentModule);
  assert.equal(totals?.['count'], 3);
  assert.equal(
    totals['sent'],
    modules.reduce((sum, { sent }) => sum + sent, 0),
  );
});

testWithOracle(
  'mitos run --explain tells which modules went, who imported them, and how many round trips that took',
  { timeoutMs: 30_000 },
  async ({ signal }) => {
    const { stdout, stderr, code } = await mitos(signal, '--explain', `${at('script.ts')}#later`, 'worker', '--', 'late.ts');
    assert.deepEqual([stdout, code], ['7\n', 0]);
    assert.match(stderr, /script\.ts +called +1 /);
    assert.match(stderr, /lib\.ts +<- \S*script\.ts +1 /);
    assert.match(stderr, /left\/index\.js +<- \S*lib\.ts <- \S*script\.ts +1 /);
    assert.match(stderr, /late\.ts +asked for as "\.\/late\.ts" by \S*script\.ts +1 /);
    assert.match(stderr, /4 modules, .* in 2 batches to 1 context; 1 round trip for modules that nobody could predict/);
  },
);

testWithOracle(
  'mitos run ends with 2 before anything is connected when there is nothing to run, with 1 when it fails',
  { timeoutMs: 60_000 },
  async ({ signal }) => {
    const script = at('script.ts');
    const cases: [code: number, args: string[], told: RegExp][] = [
      [2, [], /needs a script and a target/],
      [2, [script], /needs a target/],
      [2, [at('none.ts'), 'local'], /there is no file/],
      [2, [folder, 'local'], /is not a file/],
      [2, [`${script}#`, 'local'], /no name of a function behind the #/],
      [2, [`${script}#nope`, 'local'], /"nope" is not exported: it exports default, echo, fails, five, later, nothing/],
      [2, [at('late.ts'), 'local'], /"default" is not exported, and neither is "main": it exports late/],
      [2, ['--json-args', script, 'local', '--', '{'], /argument 1 \("\{"\) is not JSON/],
      [1, [`${script}#five`, 'worker'], /ERR_MITOS_NOT_CALLABLE: Cannot call "five": it is not a function/],
      [1, [`${script}#fails`, 'worker'], /no luck \\x1b\[31m\n.*RangeError[^]*at fails \(\S*script\.ts:7:9\)/],
      [1, [at('broken.ts'), 'worker'], /broken\.ts/],
      [1, [script, 'docker:no-such-container-at-all'], /ERR_MITOS_/],
    ];
    for (const [expected, args, told] of cases) {
      const { stderr, code } = await mitos(signal, ...args);
      assert.match(stderr, told, args.join(' '));
      assert.equal(code, expected, args.join(' '));
      assert.equal(stderr.includes('\x1b'), false);
    }
  },
);

treeTest('a module event tells where a module goes, why, and its share of the bytes that are written', {}, async ({ router }) => {
  const events: SentModule[] = [];
  router.on('module', (event) => events.push(event));
  const from = pathToFileURL(at('package.json'));
  const url = (name: string): string => pathToFileURL(at(name)).href;
  const [a, b] = [router.local(), router.worker()];
  for (const context of [a, b]) {
    const far = await context.import<Record<string, (...args: unknown[]) => unknown>>('./script.ts', { from });
    assert.deepEqual(await far['default']?.(1, 2), { sum: 3, kind: 1 });
  }
  const own = events.filter((event) => event.url.startsWith('file:'));
  assert.deepEqual(
    own.map(({ url: one, to, why, importers, file, roundTrip }) => ({ one, to, why, importers, file, roundTrip })),
    [(await a).id, (await b).id].flatMap((to) => [
      {
        one: url('node_modules/left/index.js'),
        to,
        why: 'imported',
        importers: [url('lib.ts'), url('script.ts')],
        file: undefined,
        roundTrip: false,
      },
      { one: url('lib.ts'), to, why: 'imported', importers: [url('script.ts')], file: at('lib.ts'), roundTrip: false },
      { one: url('script.ts'), to, why: 'called', importers: [], file: at('script.ts'), roundTrip: false },
    ]),
  );
  assert.equal(
    events.reduce((sum, { sent }) => sum + sent, 0),
    router.stats().moduleBytes,
  );
  assert.ok(own.every(({ sent, bytes, batch }) => sent > 0 && bytes > 0 && batch !== undefined));
  assert.ok(own.slice(0, 3).every(({ ms }) => ms > 0) && own.slice(3).every(({ ms }) => ms === 0), 'it is made ready once');
  const far = await (await a).import<Record<string, (...args: unknown[]) => unknown>>('./script.ts', { from });
  assert.equal(await far['later']?.('late.ts'), 7);
  const { why, importers, specifier, roundTrip } = events.at(-1) as SentModule;
  assert.deepEqual(
    { why, importers, specifier, roundTrip },
    { why: 'asked', importers: [url('script.ts')], specifier: './late.ts', roundTrip: true },
  );
});
