/** Files of packages, read where the program is not installed: as another user who may not see them, and as this one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Context, Remote, Router } from 'mitos';
import { type Requirement, testWithOracle } from '#src/testing/index.js';
import { errorOf, MODES, quietRouter } from '../fixtures/programs/harness.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';
import { ramFiles } from '../support/ram-files.ts';

type Loose = Record<string, (...args: unknown[]) => unknown>;

/** A copy of the fixtures that only this user may enter. */
const base = realpathSync(mkdtempSync(join(tmpdir(), 'resource-files-')));
const program = join(base, 'program');
cpSync(join(process.cwd(), 'test/fixtures/raw/resources/program'), program, { recursive: true });
for (const name of ['.env', 'secrets/token.txt', 'node_modules/reads-cjs/.env', 'node_modules/reads-cjs/key.pem']) {
  mkdirSync(dirname(join(program, name)), { recursive: true });
  writeFileSync(join(program, name), 'canary');
}
writeFileSync(
  join(program, 'node_modules/reads-cjs/data/large.bin'),
  Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000, 'abcdef')]),
);
after(() => rmSync(base, { recursive: true, force: true }));
const from = pathToFileURL(join(program, 'src/own.mjs')).href;
const near = createRequire(from);

const lab = openLab();
const here = needs('users', 'su');
let stranger: LabUser;
if (here.skip === false) {
  before(async () => {
    stranger = await lab.user();
  });
}

interface Place {
  name: string;
  needs: Requirement;
  open(router: Router): Promise<Context>;
}

const PLACES: Place[] = [
  ...MODES.map((mode): Place => ({ name: `a ${mode.name} child`, needs: { skip: false }, open: async (router) => mode.open(router) })),
  {
    name: 'a user who cannot see the program',
    needs: here,
    open: async (router) => {
      const context = await router.runuser({ username: stranger.name, node: lab.node });
      await assert.rejects(
        context.call((path: string) => readdirSync(path), program),
        /EACCES/,
      );
      return context;
    },
  },
];

function everywhere(
  rule: string,
  fn: (far: (specifier: string) => Promise<Remote<Loose>>, context: Context, router: Router) => Promise<void>,
): void {
  for (const place of PLACES) {
    testWithOracle(`${rule}, for ${place.name}`, place.needs, async () => {
      const { router } = quietRouter();
      try {
        const context = await place.open(router);
        await fn((specifier) => context.import<Loose>(specifier, { from }), context, router);
      } finally {
        await router.close();
      }
    });
  }
}

/** Asserts that functions give there what they give here. */
async function assertSame(far: Remote<Loose>, here_: Loose, names: readonly (string | [string, ...unknown[]])[]): Promise<void> {
  for (const call of names) {
    const [name, ...args] = typeof call === 'string' ? [call] : call;
    assert.deepEqual(await far[name]?.(...args), await here_[name]?.(...args), name);
  }
}

everywhere('A package reads its own files with every function of fs', async (far) => {
  const there = await far('reads-cjs');
  const package_ = near('reads-cjs') as Loose;
  await assertSame(there, package_, ['reads', 'streams', 'large', 'resolved', ['sum', 20, 22]]);
  const { access, ...facts } = ((await there['facts']?.()) ?? {}) as Record<string, unknown>;
  const { access: accessHere, ...factsHere } = ((await package_['facts']?.()) ?? {}) as Record<string, unknown>;
  assert.deepEqual(facts, factsHere);
  assert.deepEqual(access, accessHere);
});

everywhere('An ES package reads and compiles its WebAssembly', async (far) => {
  const there = await far('reads-esm');
  assert.equal(await there['sum']?.(1, 2), 3);
  assert.equal(await there['compiled']?.(3, 4), 7);
  assert.equal(await there['own']?.(), true);
});

everywhere('What the program names of its own files is read, once for each file', async (_far, context, router) => {
  const there = await context.import<Loose>('./own.mjs', { from });
  assert.equal(await there['beside']?.(), 'text beside\n');
  assert.equal(await there['page']?.(), 'page part\n\n');
  assert.deepEqual(await there['listed']?.(), ['page.html', 'partials']);
  assert.deepEqual(await there['table']?.(), { n: 1 });
  assert.equal(await there['version']?.(), '1.2.3');
  const { requests } = router.stats();
  assert.equal(requests, 6);
  await there['beside']?.();
  await there['page']?.();
  assert.deepEqual([await there['exists']?.('page.html'), await there['exists']?.('nothing.html')], [true, false]);
  assert.equal(router.stats().requests, requests, 'nothing is asked for twice, nor what a list has shown not to be there');
});

everywhere('Threads that a package starts from its files are threads as Node makes them', async (far) => {
  await assertSame(await far('@scope/threads'), near('@scope/threads') as Loose, [
    ['echo', 21],
    ['fails', 'throws.js'],
    ['fails', 'throws.mjs'],
    'terminated',
    'exits',
    'transfers',
    'limited',
    'printed',
    'nested',
  ]);
});

testWithOracle('A stranger gets nothing that nobody names, and keeps nothing', here, async () => {
  const { router } = quietRouter();
  try {
    const context = await router.runuser({ username: stranger.name, node: lab.node });
    const own = await context.import<Loose>('./own.mjs', { from });
    const package_ = await context.import<Loose>('reads-cjs', { from });
    const tried = (await own['tries']?.(
      ['src/private.txt', 'secrets/token.txt', 'nowhere.txt', '.env'].map((name) => join(program, name)),
    )) as string[];
    for (const index of [0, 1]) assert.match(String(tried[index]), /^ENOENT .*no module that was served names it/);
    assert.match(String(tried[2]), /^ENOENT /);
    assert.match(String(tried[3]), /^ENOENT .*it is hidden/);
    assert.deepEqual(await package_['tries']?.(['../.env', '../node_modules/x/y', '../../reads-esm/index.js', '../key.pem']), [
      'ENOENT',
      // Not a path of a package that it knows: the file system's own answer.
      'EACCES',
      'EACCES',
      'ENOENT',
    ]);
    const copy = join('/tmp', `mitos-copied-${process.pid}`);
    const [copied, ...refused] = ((await package_['writes']?.(copy)) ?? []) as string[];
    assert.equal(copied, 'hello, world\n');
    assert.deepEqual(refused, ['EACCES', 'EACCES', 'EROFS']);
    assert.equal(existsSync(copy), false);
    assert.deepEqual(ramFiles(), []);
    const open = await context.call(() => (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles().length);
    assert.ok(open < 10, `${open} handles`);
  } finally {
    await router.close();
  }
});

testWithOracle('A thread cannot be started from a main script, and says so', {}, async () => {
  const { router } = quietRouter();
  try {
    const context = await router.local();
    const error = await errorOf(
      context.call(async () => {
        const { Worker } = await import('node:worker_threads');
        return new Worker(new URL(import.meta.url)).threadId;
      }),
    );
    assert.match(error.message, /main script/);
  } finally {
    await router.close();
  }
});
