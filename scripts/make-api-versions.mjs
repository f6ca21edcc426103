/**
 * Makes src/master/api-versions-data.ts: since which version of Node there is what a Node 12.22 has not, and until which there was what a new one has not.
 * Run by hand (`npm run api-versions`) when a Node is added to node-versions.json.
 *
 * What there is, the Nodes themselves say (lib/api-probe.cjs, in every one of the table). The exact versions come from two tables that are well kept: that
 * of eslint-plugin-n (MIT) for Node's own modules, and @mdn/browser-compat-data (CC0) for the language and the web's globals. Where a table contradicts
 * a Node, or knows nothing, the major version stands alone.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetchNode, nodeFacts, SUPPORTED } from './lib/nodes.mjs';
import { at } from './lib/project.mjs';

const ESLINT_PLUGIN_N = 'eslint-plugin-n@18.5.0';
const BROWSER_COMPAT_DATA = '@mdn/browser-compat-data@8.1.9';
const OUTPUT = 'src/master/api-versions-data.ts';

const scratch = mkdtempSync(join(tmpdir(), 'api-versions-'));
try {
  await make();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function make() {
  const nodes = [];
  for (const name of SUPPORTED) {
    const { own, inherited } = probe(await fetchNode(name));
    nodes.push({ version: nodeFacts(name).version, own: new Set(own), names: new Set([...own, ...inherited]) });
  }
  const tables = [compatData(unpack(BROWSER_COMPAT_DATA, 'bcd')), await pluginData(unpack(ESLINT_PLUGIN_N, 'plugin'))];
  const all = [...new Set(nodes.flatMap(({ names }) => [...names]))].sort((a, b) => (a < b ? -1 : 1));
  const spans = new Map();
  for (const name of all) {
    const span = nodes.map(({ names }) => names.has(name));
    const candidates = tables.flatMap((table) => table.get(name) ?? []);
    spans.set(name, { span: String(span), ...(span.every(Boolean) ? {} : keyFor(span, nodes, candidates)) });
  }
  const byVersion = new Map();
  let guessed = 0;
  for (const [name, { key, isExact }] of spans) {
    const span = nodes.map(({ names }) => names.has(name));
    // It is told of the class that it came or went with.
    const isOwn = nodes.some(({ own }, i) => own.has(name) && (span[i - 1] === false || span[i + 1] === false));
    if (key === undefined || !isOwn || isImplied(name, spans)) continue;
    if (!isExact) guessed++;
    if (!byVersion.has(key)) byVersion.set(key, []);
    byVersion.get(key).push(name);
  }
  const keys = [...byVersion.keys()].sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
  const lines = keys.map((key) => `  '${key}':\n    '${byVersion.get(key).join(' ')}',`);
  const text = [
    '/**',
    ' * Made by scripts/make-api-versions.mjs; do not edit. What is not the same on every Node from 12.22 on, by version: `16.6.0` since, `18.4.0 16.17.0` since',
    ' * 18.4 and within 16 since 16.17, `-23` no more in 23. Names: `structuredClone`, `Array.prototype.at`, `node:fs.cp`; what is on something that came in the',
    ` * same version is left out. Sources: the Nodes themselves, ${ESLINT_PLUGIN_N} (MIT), ${BROWSER_COMPAT_DATA} (CC0).`,
    ' */',
    'export const API_VERSIONS: Readonly<Record<string, string>> = {',
    ...lines,
    '};',
    '',
  ].join('\n');
  writeFileSync(at(OUTPUT), text);
  const count = [...byVersion.values()].reduce((sum, list) => sum + list.length, 0);
  console.log(`${OUTPUT}: ${count} names, ${guessed} of them by major version only, ${text.length} bytes`);
}

/** What came and went with the thing it is on needs no entry of its own. */
function isImplied(name, spans) {
  const parents = [];
  for (let at = name.lastIndexOf('.'); at > 0; at = name.lastIndexOf('.', at - 1)) parents.push(name.slice(0, at));
  // What a module gives beside a global of the same name.
  const twin = /^node:\w+\.([A-Z].*|performance\..*)$/.exec(name)?.[1];
  const own = spans.get(name);
  return [...parents, twin].some((other) => {
    const above = spans.get(other);
    return above?.span === own.span && (above.key === own.key || !own.isExact);
  });
}

/** The key of the table for a name that some Nodes have: the versions that are known for it if these are what the Nodes show, else majors. */
function keyFor(span, nodes, candidates) {
  for (const versions of candidates) {
    const exact = [...new Set(versions)].sort((a, b) => order(b) - order(a));
    if (exact.length > 0 && nodes.every(({ version }, i) => isSince(version, exact) === span[i]))
      return { key: exact.join(' '), isExact: true };
  }
  const major = (i) => Number.parseInt(nodes[i].version, 10);
  const parts = [];
  for (let i = 0; i < span.length; i++) {
    if (span[i] && !span[i - 1] && i > 0) parts.push(`${major(i)}`);
    if (!span[i] && span[i - 1]) parts.push(`-${major(i)}`);
  }
  return { key: parts.join(' '), isExact: false };
}

/** Whether what has been there since `versions` (newest first; older ones within their own major only) is in `version`. */
function isSince(version, versions) {
  const major = Number.parseInt(version, 10);
  return versions.some((since, i) => order(version) >= order(since) && (i === 0 || Number.parseInt(since, 10) === major));
}

function order(version) {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^-/, '').split(' ')[0].split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}

function probe(node) {
  const { stdout, stderr, status } = spawnSync(node, [at('scripts/lib/api-probe.cjs')], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${node} does not run the probe: ${stderr}`);
  return JSON.parse(stdout);
}

function unpack(spec, name) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const run = (command, ...args) => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`);
  };
  run('npm', 'pack', spec, '--silent', '--ignore-scripts', '--pack-destination', folder);
  run('sh', '-c', 'tar -xzf ./*.tgz --strip-components=1');
  return folder;
}

/** name -> lists of versions to try. */
function compatData(folder) {
  const found = new Map();
  const { javascript, api, webassembly } = JSON.parse(readFileSync(join(folder, 'data.json'), 'utf8'));
  const versionsOf = ({ __compat }) => {
    const statements = [__compat?.support?.nodejs ?? []].flat();
    return statements
      .filter(({ flags }) => !flags)
      .map(({ version_added }) => String(version_added).replace(/^≤/, ''))
      .filter((text) => /^\d/.test(text));
  };
  const note = (name, node) => {
    const versions = versionsOf(node);
    if (versions.length > 0) found.set(name, [versions, ...versions.map((one) => [one])]);
  };
  for (const tree of [javascript.builtins, api, webassembly.api])
    for (const [owner, members] of Object.entries(tree)) {
      note(owner, members);
      for (const [key, node] of Object.entries(members)) {
        const name = key.replace(/_static$/, '');
        if (key.startsWith('__')) continue;
        for (const path of [`${owner}.${name}`, `${owner}.prototype.${name}`]) note(path, node);
        for (const [inner, deeper] of Object.entries(node))
          for (const middle of ['', 'prototype.']) note(`${owner}.${name}.${middle}${inner.replace(/_static$/, '')}`, deeper);
      }
    }
  return found;
}

/** The same from eslint-plugin-n, whose tables are modules. */
async function pluginData(folder) {
  const stub = join(folder, 'node_modules/@eslint-community/eslint-utils');
  mkdirSync(stub, { recursive: true });
  writeFileSync(join(stub, 'package.json'), '{"type":"module","main":"index.js"}');
  writeFileSync(join(stub, 'index.js'), "export const READ = '#read', CALL = '#call', CONSTRUCT = '#construct';");
  const load = (file) => import(pathToFileURL(join(folder, 'lib/unsupported-features', file)));
  const found = new Map();
  const walk = (node, path) => {
    const { supported = [], experimental = [] } = node['#read'] ?? node['#call'] ?? node['#construct'] ?? {};
    const lists = [[...supported, ...experimental], supported, experimental].filter((list) => list.length > 0);
    const isMethodOfClass = /\.[A-Z]\w*\.[a-z]\w*$/.test(path);
    if (path !== '') {
      found.set(path, lists);
      if (isMethodOfClass) found.set(path.replace(/\.(\w+)$/, '.prototype.$1'), lists);
    }
    for (const [key, value] of Object.entries(node))
      if (!key.startsWith('#') && typeof value === 'object' && path.split('.').length < 3)
        walk(value, path === '' ? key : `${path}.${key}`);
  };
  const { NodeBuiltinModules, NodeBuiltinGlobals } = await load('node-builtins.js');
  for (const [name, node] of Object.entries(NodeBuiltinModules)) walk(node, name.startsWith('node:') ? name : `node:${name}`);
  walk(NodeBuiltinGlobals, '');
  return found;
}
