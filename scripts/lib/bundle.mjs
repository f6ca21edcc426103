/**
 * Bundles what is sent to other contexts into `src/generated/bundles.ts`:
 * CORE (src/core/main.ts), the preamble of every context; PARENT (src/parent/main.ts) and API (src/api/child.ts), sent on first need.
 *
 * Each bundle is a CommonJS function body for Node 12.22, minified and ASCII only, because it passes through shells and argv. PARENT and API
 * carry no copy of the core: every import that resolves into src/core/ becomes `require("mitos:core")`, whose names are the exports of
 * src/core/main.ts. A second pass links against that file, so a name it does not export fails the build and not a child.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import { at, filesBelow, keyOf, textOf, writeText } from './project.mjs';

const OUTPUT = 'src/generated/bundles.ts';
const KEY = '.build/bundles.key';
const CORE_MAIN = at('src/core/main.ts');

const BUNDLES = [
  { name: 'CORE', entry: 'src/core/main.ts', what: 'The preamble: runs first in every context.' },
  { name: 'PARENT', entry: 'src/parent/main.ts', what: 'What a context needs to have children.' },
  { name: 'API', entry: 'src/api/child.ts', what: 'The module `mitos` as a child sees it.' },
];

/** Bundles again when an input changed. @returns whether anything was written */
export async function buildBundles() {
  const inputs = ['core', 'parent', 'api'].flatMap((layer) => filesBelow(`src/${layer}`, (name) => name.endsWith('.ts')));
  const key = keyOf([...inputs, 'tsconfig.base.json', 'package-lock.json', 'scripts/lib/bundle.mjs']);
  if (textOf(KEY) === key && existsSync(at(OUTPUT))) return false;
  const made = [];
  for (const bundle of BUNDLES) made.push({ ...bundle, code: existsSync(at(bundle.entry)) ? await bundleOne(bundle) : '' });
  writeText(OUTPUT, moduleText(made));
  writeText(KEY, key);
  return true;
}

async function bundleOne({ name, entry }) {
  const plugins = name === 'CORE' ? [] : [coreIsExternal];
  if (name === 'API') plugins.push(parentIsForbidden);
  if (name !== 'CORE' && existsSync(CORE_MAIN)) await build({ ...options(entry), plugins: [coreIsMain, ...plugins] });
  const result = await build({ ...options(entry), plugins });
  const outputs = Object.fromEntries(result.outputFiles.map((file) => [file.path.endsWith('.map') ? 'map' : 'code', file.text]));
  const map = at('dist/maps', `${name.toLowerCase()}.js.map`);
  mkdirSync(dirname(map), { recursive: true });
  writeFileSync(map, outputs.map);
  // The last statement only tells Node's lexer the export names; nothing reads it here.
  return outputs.code.replace(/0&&\(module\.exports=\{[^{}]*\}\);?\s*$/, '').trimEnd();
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
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'warning',
    absWorkingDir: at(),
  };
}

const isBelow = (path, folder) => path.startsWith(at(folder) + sep);
const target = (args) => resolve(args.resolveDir, args.path);

const coreIsExternal = {
  name: 'core-is-external',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, (args) => (isBelow(target(args), 'src/core') ? { path: 'mitos:core', external: true } : undefined)),
};

const coreIsMain = {
  name: 'core-is-main',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, (args) =>
      !isBelow(args.importer, 'src/core') && isBelow(target(args), 'src/core') ? { path: CORE_MAIN } : undefined,
    ),
};

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

function moduleText(bundles) {
  const lines = ['// Made by scripts/build.mjs; do not edit.', ''];
  const sizes = [];
  for (const { name, code, what } of bundles) {
    const packed = brotli(code);
    lines.push(`/** ${what} Minified CommonJS function body. */`, `export const ${name}: string =`, `  ${JSON.stringify(code)};`, '');
    if (name === 'CORE') {
      lines.push('/** {@link CORE}, brotli, base64. */', 'export const CORE_BROTLI: string =', `  '${packed.toString('base64')}';`, '');
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
