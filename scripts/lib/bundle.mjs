/**
 * Bundles what is sent to other contexts into `src/generated/bundles.ts`:
 * CORE (src/core/main.ts), the preamble of every context; EXTRA (src/core/extra.ts), what few calls need; PARENT (src/methods/main.ts),
 * EXEC (src/services/exec.ts), FILES (src/services/files.ts), API (src/api/child.ts) and the connection methods (each file of src/methods), sent on first need.
 *
 * Each bundle is a CommonJS function body for Node 12.22, minified and ASCII only, because it passes through shells and argv. No code is in two
 * of them: an import of a file that CORE holds becomes `require("mitos:core")`, whose names are the exports of its entry; for API the same goes
 * for EXTRA and `require("mitos:extra")`. A second pass links against these entries, so a name they do not export fails the build and not a
 * child. Private names are shortened as plain properties, which is smaller, and faster where private methods are not native.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, relative, resolve, sep } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { build, transform } from 'esbuild';
import { at, filesBelow, keyOf, textOf, writeText } from './project.mjs';

const OUTPUT = 'src/generated/bundles.ts';
const KEY = '.build/bundles.key';

/** What a bundle can require, in the order in which files are looked for there. The parent layer adds its exports to those of the core. */
const CORE = { module: 'mitos:core', entry: 'src/core/main.ts' };
const EXTRA = { module: 'mitos:extra', entry: 'src/core/extra.ts' };
const PARENT = { module: 'mitos:core', entry: 'src/methods/main.ts' };
const LINKS = {
  CORE: [],
  EXTRA: [CORE],
  PARENT: [CORE],
  EXEC: [CORE],
  DIAL: [CORE],
  FILES: [CORE],
  API: [CORE, EXTRA],
  METHOD: [CORE, PARENT],
};

const BUNDLES = [
  { name: 'CORE', entry: CORE.entry, what: 'The preamble: runs first in every context.' },
  { name: 'EXTRA', entry: EXTRA.entry, what: 'The part of the core that few calls need.' },
  { name: 'PARENT', entry: PARENT.entry, what: 'What a context needs to have children.' },
  { name: 'EXEC', entry: 'src/services/exec.ts', what: 'Runs programs: the far side of exec.' },
  { name: 'DIAL', entry: 'src/services/dial.ts', what: 'Makes TCP connections: the far side of dial.' },
  { name: 'FILES', entry: 'src/services/files.ts', what: 'Files of packages: reading them, threads and addons made of them.' },
  { name: 'API', entry: 'src/api/child.ts', what: 'The module `mitos` as a child sees it.' },
];

/** Bundles that are sent as modules. */
const IS_MODULE = /^(API|EXEC|DIAL|EXTRA|FILES)$/;

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

/** Names of the methods that a file exports; what is not a method goes by the name of its file. */
function methodsOf(entry) {
  const names = [...readFileSync(at(entry), 'utf8').matchAll(/^export const (\w+): Method\b/gm)].map((match) => match[1]);
  return names.length ? names : [basename(entry, '.ts')];
}

async function bundleOne({ name, entry }) {
  const links = LINKS[name];
  const held = await filesOf(links);
  const plugins = [private_];
  if (name === 'API') plugins.push(parentIsForbidden);
  if (links.length) await build({ ...options(entry), plugins: [...plugins, linkedTo(held, links)] });
  const result = await build({ ...options(entry), plugins: [...plugins, external(held)] });
  const { code, map } = await transform(asFunctionBody(result.outputFiles[0].text), minified);
  const label = name === 'METHOD' ? basename(entry, '.ts') : name.toLowerCase();
  mkdirSync(at('dist/maps'), { recursive: true });
  writeFileSync(at('dist/maps', `${label}.js.map`), map.replace('"mappings": "', '"mappings": ";'));
  const body = `"use strict";\n${code.trimEnd().replaceAll(REQUIRE, 'require').replaceAll(MODULE, 'module')}`;
  // The name in stacks; a module gets its own from the importer.
  return IS_MODULE.test(name) ? body : `${body}\n//# sourceURL=mitos:${label}`;
}

/**
 * Turns an ES module into the body of a CommonJS function. What it imports are constants, and its exports plain properties that are there at the end:
 * smaller and faster than the live bindings that esbuild makes. Lines stay where they are, for the map.
 */
function asFunctionBody(text) {
  const pairs = (list, swap) => list.replace(/([\w$]+) as ([\w$]+)/g, swap);
  const imported = new Map();
  const statement = /^import \{([^}]*)\} from ("[^"]*");/gm;
  for (const [, list, name] of text.matchAll(statement))
    imported.set(name, [...(imported.get(name) ?? []), list.trim().replace(/\s+/g, ' ')]);
  const body = text
    .replace(statement, (all, _list, name) => {
      const lists = imported.get(name);
      imported.delete(name);
      const lines = all.replace(/[^\n]/g, '');
      return lists ? `const {${pairs(lists.join(', '), '$1: $2')}} = ${REQUIRE}(${name});${lines}` : lines;
    })
    .replace(/^export \{([^}]*)\};/m, (_all, list) => `${MODULE}.exports = {${pairs(list, '$2: $1')}};`);
  const left = /^(?:import|export)\b.*/m.exec(body);
  if (left) throw new Error(`Cannot make a function body of ${left[0]}`);
  return body;
}

/** The files that the given bundles hold, with the module by which others get at them. */
async function filesOf(links) {
  const files = new Map();
  for (const { module, entry } of links) {
    const { metafile } = await build({ ...options(entry), metafile: true, plugins: [private_] });
    for (const input of Object.keys(metafile.inputs)) if (!CONSTANTS.includes(input) && !files.has(at(input))) files.set(at(input), module);
  }
  return files;
}

/** Stand for `require` and `module` while esbuild is at work, which would take them for its own. As long as these, for the map. */
const REQUIRE = 'requ1re';
const MODULE = 'm0dule';

const common = {
  target: 'node12.22',
  // Node 12 has these; esbuild would turn them into slow WeakMaps.
  supported: { 'class-field': true, 'class-private-field': true, 'class-static-field': true, 'class-private-static-field': true },
  format: 'esm',
  charset: 'ascii',
  legalComments: 'none',
  sourcesContent: false,
  logLevel: 'warning',
};

const minified = { ...common, minify: true, mangleProps: /^_private_/, sourcemap: 'external' };

function options(entry) {
  return {
    ...common,
    entryPoints: [at(entry)],
    outfile: at('dist/maps/bundle.js'),
    bundle: true,
    write: false,
    platform: 'node',
    minifySyntax: true,
    define: { require: REQUIRE, module: MODULE },
    sourcemap: 'inline',
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
    onResolve({ filter: /^\./ }, (args) => (held.has(target(args)) ? { path: held.get(target(args)), external: true } : undefined)),
});

/** Takes held files from the entries instead, which fails for what these do not export. */
const linkedTo = (held, links) => ({
  name: 'linked',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^\./ }, (args) =>
      args.namespace === 'file' && held.has(target(args)) && !held.has(args.importer) ? { path: 'linked', namespace: 'linked' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'linked' }, () => ({
      contents: links.map(({ entry }) => `export * from './${relative(at('src'), at(entry))}';`).join('\n'),
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
  return [
    `/** Connection methods, a file each: their names, code, and code as {@link PARENT_BROTLI}. */`,
    `export const METHOD_BUNDLES: ${type} = [`,
    ...rows,
    '];',
    '',
  ].join('\n');
}

function moduleText(bundles) {
  const lines = ['// Made by scripts/build.mjs; do not edit.', ''];
  const sizes = [];
  for (const { name, code, what } of bundles) {
    const packed = brotli(code);
    lines.push(`/** ${what} Minified CommonJS function body. */`, `export const ${name}: string =`, `  ${JSON.stringify(code)};`, '');
    if (!IS_MODULE.test(name)) {
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
