/**
 * Bundles what is sent to other contexts into `src/generated/bundles.ts`:
 * CORE (src/core/main.ts), the preamble of every context: its hop side; USER (src/core/user.ts), what runs functions; PARENT (src/methods/main.ts),
 * API (src/api/child.ts) and the connection methods (each file of src/methods), sent on first need.
 *
 * Each bundle is a CommonJS function body for Node 12.22, minified and ASCII only, because it passes through shells and argv. No code is in two
 * of them: an import of a file that CORE (for API also USER) holds becomes `require("mitos:core")`, whose names are the exports of the entries of
 * those two. A second pass links against these entries, so a name they do not export fails the build and not a child. Private names are shortened
 * as plain properties, which is smaller, and faster where private methods are not native.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import { at, filesBelow, keyOf, textOf, writeText } from './project.mjs';

const OUTPUT = 'src/generated/bundles.ts';
const KEY = '.build/bundles.key';

/** Entries whose exports make up `mitos:core`, for each bundle. */
const LINKS = {
  CORE: [],
  USER: ['src/core/main.ts'],
  PARENT: ['src/core/main.ts'],
  EXEC: ['src/core/main.ts', 'src/core/user.ts'],
  DIAL: ['src/core/main.ts', 'src/core/user.ts'],
  API: ['src/core/main.ts', 'src/core/user.ts'],
  METHOD: ['src/core/main.ts', 'src/methods/main.ts'],
};

const BUNDLES = [
  { name: 'CORE', entry: 'src/core/main.ts', what: 'The preamble: runs first in every context.' },
  { name: 'USER', entry: 'src/core/user.ts', what: 'What runs functions: mailboxes, modules, channels.' },
  { name: 'PARENT', entry: 'src/methods/main.ts', what: 'What a context needs to have children.' },
  { name: 'EXEC', entry: 'src/services/exec.ts', what: 'Runs programs: the far side of exec.' },
  { name: 'DIAL', entry: 'src/services/dial.ts', what: 'Makes TCP connections: the far side of dial.' },
  { name: 'API', entry: 'src/api/child.ts', what: 'The module `mitos` as a child sees it.' },
];

/** Files of nothing but numbers: each bundle takes those it needs in, which is smaller than asking for them. */
const CONSTANTS = ['src/core/handles.ts'];

/** Bundles again when an input changed. @returns whether anything was written */
export async function buildBundles() {
  const inputs = ['core', 'parent', 'methods', 'services', 'api'].flatMap((layer) =>
    filesBelow(`src/${layer}`, (name) => name.endsWith('.ts')),
  );
  const key = keyOf([...inputs, 'tsconfig.base.json', 'package-lock.json', 'scripts/lib/bundle.mjs']);
  if (textOf(KEY) === key && existsSync(at(OUTPUT))) return false;
  const made = [];
  for (const bundle of BUNDLES) made.push({ ...bundle, code: existsSync(at(bundle.entry)) ? await bundleOne(bundle) : '' });
  const methods = [];
  for (const entry of methodFiles()) methods.push({ methods: methodsOf(entry), code: await bundleOne({ name: 'METHOD', entry }) });
  writeText(OUTPUT, moduleText(made) + methodsText(methods));
  writeText(KEY, key);
  return true;
}

/** Files of connection methods: all of src/methods but what is not one. */
function methodFiles() {
  return filesBelow('src/methods', (name) => name.endsWith('.ts') && !/(^|[\\/])(main|table)\.ts$/.test(name))
    .map((file) => relative(at(), resolve(at(), file)))
    .sort();
}

/** Names of the methods that a file exports. */
function methodsOf(entry) {
  return [...readFileSync(at(entry), 'utf8').matchAll(/^export const (\w+): Method\b/gm)].map((match) => match[1]);
}

async function bundleOne({ name, entry }) {
  const linked = LINKS[name];
  const held = new Set();
  for (const file of linked) {
    const others = LINKS[BUNDLES.find((bundle) => bundle.entry === file).name];
    const { metafile } = await build({ ...options(file), metafile: true, plugins: [private_, external(await filesOf(others))] });
    for (const input of Object.keys(metafile.inputs)) if (!CONSTANTS.includes(input)) held.add(at(input));
  }
  const plugins = [private_];
  if (name === 'API') plugins.push(parentIsForbidden);
  if (linked.length) await build({ ...options(entry), plugins: [...plugins, linkedTo(held, linked)] });
  const result = await build({ ...options(entry), plugins: [...plugins, external(held)] });
  const outputs = Object.fromEntries(result.outputFiles.map((file) => [file.path.endsWith('.map') ? 'map' : 'code', file.text]));
  const label = name === 'METHOD' ? basename(entry, '.ts') : name.toLowerCase();
  const map = at('dist/maps', `${label}.js.map`);
  mkdirSync(dirname(map), { recursive: true });
  writeFileSync(map, outputs.map);
  // The last statement only tells Node's lexer the export names; nothing reads it here.
  const code = outputs.code.replace(/0&&\(module\.exports=\{[^{}]*\}\);?\s*$/, '').trimEnd();
  // The name in stacks; a module gets its own from the importer.
  return ['API', 'EXEC', 'DIAL'].includes(name) ? code : `${code}\n//# sourceURL=mitos:${label}`;
}

/** All files that the given entries take in. */
async function filesOf(entries) {
  const files = new Set();
  for (const entry of entries) {
    const { metafile } = await build({ ...options(entry), metafile: true });
    for (const input of Object.keys(metafile.inputs)) if (!CONSTANTS.includes(input)) files.add(at(input));
  }
  return files;
}

function options(entry) {
  return {
    entryPoints: [at(entry)],
    outfile: at('dist/maps/bundle.js'),
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node12.22',
    // Node 12 has these; esbuild would turn them into slow WeakMaps.
    supported: { 'class-field': true, 'class-private-field': true, 'class-static-field': true, 'class-private-static-field': true },
    charset: 'ascii',
    minify: true,
    mangleProps: /^_private_/,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'warning',
    absWorkingDir: at(),
  };
}

const isBelow = (path, folder) => path.startsWith(at(folder) + sep);
const target = (args) => resolve(args.resolveDir, args.path);

/** Writes `#name` as a plain property that is unique to its file, so that it can be shortened. */
const private_ = {
  name: 'private',
  setup: ({ onLoad }) =>
    onLoad({ filter: /src[\\/](core|parent|methods|api|services)[\\/].*\.ts$/ }, ({ path }) => {
      const prefix = `_private_${basename(path, '.ts').replace(/\W/g, '_')}_`;
      const member = /(\.|^\s+(?:(?:readonly|static|async|get|set|\*)\s+)*)#([a-zA-Z]\w*)/gm;
      return { contents: readFileSync(path, 'utf8').replace(member, (_all, before, name) => before + prefix + name), loader: 'ts' };
    }),
};

const external = (held) => ({
  name: 'external',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, (args) => (held.has(target(args)) ? { path: 'mitos:core', external: true } : undefined)),
});

/** Takes held files from the entries instead, which fails for what these do not export. */
const linkedTo = (held, entries) => ({
  name: 'linked',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^\./ }, (args) =>
      args.namespace === 'file' && held.has(target(args)) && !held.has(args.importer) ? { path: 'linked', namespace: 'linked' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'linked' }, () => ({
      contents: entries.map((entry) => `export * from './${relative(at('src'), at(entry))}';`).join('\n'),
      loader: 'ts',
      resolveDir: at('src'),
    }));
  },
});

const parentIsForbidden = {
  name: 'parent-is-forbidden',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, (args) =>
      isBelow(target(args), 'src/parent') ? { errors: [{ text: 'Cannot import parent/ from api/: api/ may use core/ only' }] } : undefined,
    ),
};

/** Compresses as the first stage expects it. */
function brotli(code) {
  const input = Buffer.from(code, 'latin1');
  return brotliCompressSync(input, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 22,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: input.length,
    },
  });
}

/** The connection methods, by file. */
function methodsText(bundles) {
  const rows = bundles.map(({ methods, code }) => {
    const packed = brotli(code);
    return `  { methods: ${JSON.stringify(methods)}, size: ${packed.length}, code: ${JSON.stringify(code)}, brotli: '${packed.toString('base64')}' },`;
  });
  const type = 'readonly { readonly methods: readonly string[]; readonly size: number; readonly code: string; readonly brotli: string }[]';
  return [`/** Connection methods, a file each: their names, code, and code as {@link PARENT_BROTLI}. */`, `export const METHOD_BUNDLES: ${type} = [`, ...rows, '];', ''].join('\n');
}

function moduleText(bundles) {
  const lines = ['// Made by scripts/build.mjs; do not edit.', ''];
  const sizes = [];
  for (const { name, code, what } of bundles) {
    const packed = brotli(code);
    lines.push(`/** ${what} Minified CommonJS function body. */`, `export const ${name}: string =`, `  ${JSON.stringify(code)};`, '');
    if (!['API', 'EXEC', 'DIAL'].includes(name)) {
      lines.push(
        `/** {@link ${name}}, brotli, base64. */`,
        `export const ${name}_BROTLI: string =`,
        `  '${packed.toString('base64')}';`,
        '',
      );
    }
    sizes.push(`  ${name}: { minified: ${code.length}, brotli: ${code === '' ? 0 : packed.length} },`);
  }
  lines.push('/** Bytes of each bundle. */');
  lines.push(
    'export const BUNDLE_SIZES: Readonly<Record<string, { readonly minified: number; readonly brotli: number }>> = {',
    ...sizes,
    '};',
    '',
  );
  return lines.join('\n');
}
