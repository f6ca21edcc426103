/** Native addons of packages: refused by name, or loaded from RAM, by a user who cannot see the program. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Context, ContextPromise, Remote, Router } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { MODES, quietRouter, rejectsWith } from '../fixtures/programs/harness.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';
import { ramFiles } from '../support/ram-files.ts';

type Loose = Record<string, (...args: unknown[]) => unknown>;

const base = realpathSync(mkdtempSync(join(tmpdir(), 'resource-addons-')));
const program = join(base, 'program');
const modules = join(program, 'node_modules');
cpSync(join(process.cwd(), 'test/fixtures/raw/resources/program'), program, { recursive: true });
for (const name of ['bufferutil', 'node-gyp-build', '@node-rs', 'bindings', 'file-uri-to-path'])
  cpSync(join(process.cwd(), 'node_modules', name), join(modules, name), { recursive: true, dereference: true });
const built = join(modules, 'addons/build/Release');
const native = readFileSync(join(modules, `bufferutil/prebuilds/${process.platform}-${process.arch}/bufferutil.node`));
mkdirSync(built, { recursive: true });
writeFileSync(join(built, 'masks.node'), native);
const foreign = Buffer.from(native);
foreign.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);
writeFileSync(join(built, 'foreign.node'), foreign);
writeFileSync(join(built, 'mac.node'), Buffer.concat([Buffer.from('cffaedfe', 'hex'), Buffer.alloc(4096)]));
writeFileSync(join(built, 'broken.node'), native.subarray(0, native.length / 2));
after(() => rmSync(base, { recursive: true, force: true }));
const from = pathToFileURL(join(program, 'src/own.mjs')).href;
const near = createRequire(from)('addons') as Loose;

const lab = openLab();
const here = needs('users', 'su');
let stranger: LabUser;
if (here.skip === false) {
  before(async () => {
    stranger = await lab.user();
  });
}

async function withContext(
  open: (router: Router) => ContextPromise,
  fn: (far: Remote<Loose>, context: Context) => Promise<void>,
): Promise<void> {
  const { router } = quietRouter();
  try {
    const context = await open(router);
    await fn(await context.import<Loose>('addons', { from }), context);
  } finally {
    await router.close();
  }
}

function nothingLeft(): void {
  assert.deepEqual(ramFiles(), []);
}

testWithOracle("With addons: 'ram' addons load from RAM however a package finds them, and nothing is left", here, async () => {
  await withContext(
    (router) => router.runuser({ username: stranger.name, node: lab.node, addons: 'ram' }),
    async (far, context) => {
      await assert.rejects(
        context.call((path: string) => readdirSync(path), program),
        /EACCES/,
      );
      for (const name of ['byBuild', 'byPackage', 'byPath', 'byHand', 'byBindings'])
        assert.deepEqual(await far[name]?.(), name === 'byPackage' ? 907060870 : near[name]?.(), name);
      assert.equal(await far['isNative']?.(), true);
      assert.deepEqual(await far['kept']?.(), []);
      nothingLeft();
    },
  );
});

testWithOracle('The option of the router holds for all contexts, and that of a connection wins', here, async () => {
  const { router } = quietRouter({ addons: 'ram' });
  try {
    const first = await router.runuser({ username: stranger.name, node: lab.node });
    const inherits = await first.local();
    const refuses = await first.local({ addons: 'refuse' });
    assert.equal(await (await inherits.import<Loose>('addons', { from }))['byPath']?.(), near['byPath']?.());
    const far = await refuses.import<Loose>('addons', { from });
    await rejectsWith(far['byPath']?.() as Promise<unknown>, 'ERR_MITOS_CALL', 'ERR_MITOS_ADDON');
  } finally {
    await router.close();
  }
});

for (const mode of MODES) {
  testWithOracle(`By default an addon is refused by name with advice, and a package falls back, for a ${mode.name} child`, {}, async () => {
    await withContext(
      (router) => mode.open(router),
      async (far) => {
        const refused = String(await far['refused']?.('masks.node'));
        assert.match(refused, /^ERR_MITOS_ADDON .*masks\.node.*addons.*without native code/);
        assert.equal(await far['byBuild']?.(), near['byBuild']?.());
      },
    );
  });
}

testWithOracle('An addon that does not fit says what differs', here, async () => {
  await withContext(
    (router) => router.runuser({ username: stranger.name, node: lab.node, addons: 'ram' }),
    async (far) => {
      for (const [name, what] of [
        ['foreign.node', /^ERR_MITOS_ADDON .*foreign\.node.*the architecture differs: it is built for \w+, there it is \w+/],
        ['mac.node', /^ERR_MITOS_ADDON .*mac\.node.*the platform differs/],
        ['broken.node', /^ERR_MITOS_ADDON .*broken\.node/],
      ] as const)
        assert.match(String(await far['refused']?.(name)), what);
      nothingLeft();
    },
  );
});

testWithOracle('Where a directory refuses programs the next one is tried, and an error lists them all', needs('namespaces'), async () => {
  const { router } = quietRouter({ addons: 'ram' });
  const inside = (mounts: string): ContextPromise =>
    router.command({ argv: ['unshare', '--mount', 'sh', '-c', `${mounts}; exec "$@"`, 'sh'] });
  const noexec = (path: string): string => `mount -t tmpfs -o noexec none ${path}`;
  try {
    const some = await inside(noexec('/dev/shm'));
    assert.equal(await (await some.import<Loose>('addons', { from }))['byPath']?.(), near['byPath']?.());
    const none = await inside(['/dev/shm', '/run', '/tmp'].map(noexec).join(';'));
    const far = await none.import<Loose>('addons', { from });
    const refused = String(await far['refused']?.('masks.node'));
    assert.match(refused, /^ERR_MITOS_ADDON .*no directory takes a file for it; tried \/dev\/shm \(.*\), \/run \(.*\), \/tmp \(.*\)$/);
    assert.deepEqual(await far['kept']?.(), []);
  } finally {
    await router.close();
  }
});
