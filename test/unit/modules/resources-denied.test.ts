/**
 * What a context may read (threats T14): 2,000 spellings of paths, as modules and as files, with links, mounts, pipes and devices in the way. Not a byte
 * of what is not served leaves the master, and the master opens none of it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import type { ModuleQuery } from '#src/core/importer.js';
import type { ResourceQuery } from '#src/core/resource.js';
import { ModuleGraph } from '#src/master/module-graph.js';
import { FILES } from '#src/master/resources.js';
import { missing } from '../../support/lab/index.js';
import { overWire } from './zoo.ts';

const CANARY = 'canary_9c1e';
const base = realpathSync(mkdtempSync(join(tmpdir(), 'resource-denied-')));
const program = join(base, 'program');
const pkg = join(program, 'node_modules/pkg');
const ROOTS = [program, pkg];

function file(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

file(join(program, 'package.json'), '{"type":"module","name":"program"}');
file(
  join(program, 'src/lib.js'),
  "import { readFileSync } from 'node:fs';\nexport const read = (name) => readFileSync(new URL(name, import.meta.url));",
);
file(join(program, 'src/fine.txt'), 'fine');
file(join(program, 'elsewhere/own.txt'), CANARY);
file(join(pkg, 'package.json'), '{"name":"pkg","main":"index.js"}');
file(join(pkg, 'index.js'), 'exports.at = __dirname;');
file(join(pkg, 'src/fine.txt'), 'fine');
file(join(pkg, 'node_modules/inner/index.js'), `exports.secret = "${CANARY}"`);
file(join(program, 'node_modules/stranger/index.txt'), CANARY);
for (const name of ['outside.txt', 'outside.js', 'program-evil/x.txt', 'folder/x.txt', 'folder/x.js']) file(join(base, name), CANARY);

const HIDDEN = [
  '.env',
  '.npmrc',
  '.git/config',
  '.ssh/id_rsa',
  'id_rsa',
  'id_ed25519',
  'server.pem',
  'server.key',
  'store.p12',
  'KEY.PEM',
  '_netrc',
];
const LINKS = ['link.txt', 'link.js', 'up/x.txt', 'up/x.js', 'away/passwd', 'zero', 'fifo', 'fifo.js', 'socket-like', 'root/etc/passwd'];
for (const root of ROOTS) {
  const at = join(root, 'src');
  for (const name of HIDDEN) file(join(at, name), CANARY);
  symlinkSync(join(base, 'outside.txt'), join(at, 'link.txt'));
  symlinkSync(join(base, 'outside.js'), join(at, 'link.js'));
  symlinkSync(join(base, 'folder'), join(at, 'up'));
  symlinkSync('/etc', join(at, 'away'));
  symlinkSync('/', join(at, 'root'));
  symlinkSync('/dev/zero', join(at, 'zero'));
  symlinkSync('.env', join(at, 'visible.txt'));
  symlinkSync('loop', join(at, 'loop'));
  execFileSync('mkfifo', [join(at, 'fifo'), join(at, 'fifo.js')]);
}
linkSync(join(base, 'outside.txt'), join(program, 'src/hard.txt'));
linkSync(join(base, 'outside.js'), join(program, 'src/hard.js'));

const isRoot = missing('chroot') === undefined;
const mounted: string[] = [];
before(() => {
  if (!isRoot) return;
  for (const root of ROOTS) {
    mkdirSync(join(root, 'src/mounted'));
    file(join(root, 'src/mounted.txt'), '');
    for (const [from, to] of [
      ['folder', 'mounted'],
      ['outside.txt', 'mounted.txt'],
    ] as const) {
      execFileSync('mount', ['--bind', join(base, from), join(root, 'src', to)]);
      mounted.push(join(root, 'src', to));
    }
  }
  for (const root of ROOTS) execFileSync('mknod', [join(root, 'src/null'), 'c', '1', '3']);
});
after(() => {
  for (const point of mounted) execFileSync('umount', ['-l', point]);
  rmSync(base, { recursive: true, force: true });
});

/** Paths of what must not be read, as seen from the package. */
function targets(root: string): string[] {
  const out = [...HIDDEN, ...LINKS, 'visible.txt', 'loop', 'mounted/x.txt', 'mounted/x.js', 'mounted.txt', 'null'].map(
    (name) => `src/${name}`,
  );
  if (root === program)
    out.push('src/hard.txt', 'src/hard.js', 'elsewhere/own.txt', 'node_modules/stranger/index.txt', 'node_modules/pkg/src/.env');
  else out.push('node_modules/inner/index.js', '../stranger/index.txt', '../../elsewhere/own.txt');
  for (const name of ['outside.txt', 'outside.js', 'program-evil/x.txt', 'folder/x.txt'])
    out.push(join(base, name), join(base, name).slice(1), root === program ? `../${name}` : `../../../${name}`, `src/../../${name}`);
  out.push('/etc/passwd', '/proc/self/environ', '/dev/stdin', '../../../../../../../../etc/passwd', '..', '.', '/', '~/.ssh/id_rsa');
  return out;
}

/** Other spellings of one path. */
function spellings(path: string): string[] {
  const encoded = (pattern: RegExp): string => path.replace(pattern, (one) => `%${one.charCodeAt(0).toString(16)}`);
  return [
    path,
    `./${path}`,
    `src/../${path}`,
    `src/./${path}`,
    `/${path}`,
    `//${path}`,
    `${path}/`,
    `${path}/.`,
    path.replaceAll('/', '//'),
    path.replaceAll('/', '\\'),
    encoded(/\./g),
    encoded(/\//g),
    encoded(/[./]/g),
    encoded(/[./]/g).replaceAll('%', '%25'),
    encoded(/[a-z]/),
    `${path}\0`,
    `${path}\0.txt`,
    `${path}\n`,
    path.toUpperCase(),
    path.replaceAll('.', '\uff0e'),
    path.replaceAll('/', '\uff0f'),
    path.replaceAll('s', '\u017f'),
    path.normalize('NFD'),
    `${path}.`,
    `${path} `,
    `${path}::$DATA`,
    `file://${path}`,
    `file:///${path}`,
    `file://localhost/${path}`,
    `\\\\localhost\\${path}`,
    `\\\\?\\${path}`,
    `${path}?x`,
    `${path}#x`,
    `/proc/self/cwd/${path}`,
    `/proc/self/root/${path}`,
    `node_modules/../${path}`,
    `__proto__/${path}`,
  ];
}

/** Paths that something was opened by, with what they really lead to. */
const opened = new Set<string>();
function record(): () => void {
  const names = ['openSync', 'readFileSync', 'open', 'readFile', 'createReadStream', 'readdirSync', 'opendirSync', 'copyFileSync'] as const;
  const undo: (() => void)[] = [];
  const wrap = (holder: Record<string, unknown>, name: string): void => {
    const was = holder[name] as (...args: unknown[]) => unknown;
    holder[name] = (path: unknown, ...rest: unknown[]) => {
      if (typeof path === 'string') {
        opened.add(path);
        try {
          opened.add(realpathSync(path));
        } catch {
          // it leads nowhere
        }
      }
      return was.call(holder, path, ...rest);
    };
    undo.push(() => (holder[name] = was));
  };
  for (const name of names) wrap(fs as unknown as Record<string, unknown>, name);
  for (const name of ['open', 'readFile', 'readdir']) wrap(fs.promises as unknown as Record<string, unknown>, name);
  syncBuiltinESMExports();
  return () => {
    for (const one of undo) one();
    syncBuiltinESMExports();
  };
}

/** Asserts that nothing was opened that has the canary, is no regular file, or lies outside. */
function assertNothingOpened(): void {
  const bad = [...opened].filter((path) => {
    const full = resolve(path);
    if (/^\/proc\/(?:self|\d+)\/mountinfo$/.test(full)) return false;
    if (!full.startsWith(base)) return true;
    const stat = fs.lstatSync(full, { throwIfNoEntry: false });
    return stat?.isDirectory() ? !full.startsWith(program) : stat?.isFile() !== true || fs.readFileSync(full, 'utf8').includes(CANARY);
  });
  assert.deepEqual(bad, []);
}

test('Of 2,000 spellings nothing is served that is not in the package, is hidden, a key or no regular file, and nothing of it is opened', async () => {
  const graph = new ModuleGraph({ textModules: { [FILES]: { code: '' } } });
  const from = graph.addEntry('./lib.js', pathToFileURL(join(program, 'src/lib.js')).href) as number;
  graph.addEntry('pkg', pathToFileURL(join(program, 'src/lib.js')).href);
  const ids = [1, 2].map((id) => graph.resources.root(id));
  assert.deepEqual(new Set(ids.map((root) => root?.path)), new Set(ROOTS));

  const stop = record();
  let count = 0;
  try {
    for (const root of ids) {
      const id = root?.id as number;
      const all = targets(root?.path as string).flatMap((path) => spellings(path).map((spelled) => [spelled, spelled === path] as const));
      // All paths as they are, and of their other spellings every second.
      for (const [path] of all.filter(([, isPlain], index) => isPlain || index % 2 === id % 2)) {
        count++;
        for (const want of ['stat', 'read', 'list', 'addon'] as const) {
          const query: ResourceQuery = { root: id, path, want, facts: { platform: 'linux', arch: process.arch, libc: '2.31' } };
          const { head, data } = await graph.resources.answer(query);
          const content = data && (head.data === 'brotli' ? brotliDecompressSync(data) : data).toString('latin1');
          assert.equal(content?.includes(CANARY) ?? false, false, `${want} ${JSON.stringify(path)}`);
          assert.ok(
            head.kind === 'missing' || head.kind === 'refused' || head.kind === 'directory',
            `${want} ${JSON.stringify(path)}: ${JSON.stringify(head)}`,
          );
        }
        const kind = (['import', 'require', 'resolve'] as const)[count % 3] as 'import' | 'require' | 'resolve';
        const asked: ModuleQuery[] = [
          { from: -id, specifier: path, kind: 'import' },
          { from, specifier: count % 2 ? path : `./${path}`, kind },
        ];
        for (const query of asked) {
          const { target, modules } = graph.answer(query);
          assert.equal(JSON.stringify([target, overWire(modules)]).includes(CANARY), false, JSON.stringify(query));
        }
      }
    }
  } finally {
    stop();
  }
  assert.ok(count >= 2000, `${count} spellings`);
  assertNothingOpened();
});

test('What a package has, and what a module of the program names, is served', async () => {
  const graph = new ModuleGraph({ textModules: { [FILES]: { code: '' } } });
  const seen = pathToFileURL(join(program, 'src/lib.js')).href;
  graph.addEntry('./lib.js', seen);
  graph.addEntry('pkg', seen);
  for (const id of [1, 2]) {
    const { head, data } = await graph.resources.answer({ root: id, path: 'src/fine.txt', want: 'read' });
    assert.deepEqual([head.kind, data?.toString()], ['file', 'fine']);
    const list = await graph.resources.answer({ root: id, path: 'src', want: 'list' });
    const names = (JSON.parse(String(list.data)) as [string, boolean][]).map(([name]) => name);
    assert.ok(names.includes('fine.txt'));
    for (const name of [...HIDDEN, 'link.txt', 'up', 'fifo', 'visible.txt', 'mounted']) assert.equal(names.includes(name), false, name);
  }
});

test('A context reads nothing of a package that it was not offered, whatever it says', async () => {
  const graph = new ModuleGraph({ textModules: { [FILES]: { code: '' } } });
  for (const query of [
    { root: 1, path: 'package.json', want: 'read' },
    { root: 0, path: '', want: 'list' },
    { root: -1, path: '', want: 'list' },
    { root: '1', path: 'x', want: 'read' },
    { root: '__proto__', path: 'x', want: 'read' },
    { path: 1 },
    {},
  ]) {
    assert.equal((await graph.resources.answer(query as unknown as ResourceQuery)).head.kind, 'refused');
  }
  assert.equal(typeof graph.answer({ from: -1, specifier: 'package.json', kind: 'import' }).target, 'object');
  assert.equal(typeof graph.answer({ from: -1.5, specifier: {} as string, kind: 'import' }).target, 'object');
});
