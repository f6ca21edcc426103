/** What is told of a Node that lacks something: the table, and what the words of an error mean. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { adviceForMissingApi, apiNames, isInNode } from '#src/master/api-versions.js';
import { NODE_VERSIONS, needsNodes, nodeBinary } from '../support/nodes.js';

/** Looks names up in the Node that runs it, by their own way: says which are there. */
const LOOK = `
  const find = (name) => {
    const [, module, path] = /^(?:node:([\\w/]+)\\.?)?(.*)$/.exec(name);
    let at = globalThis;
    if (name.startsWith('TypedArray.')) at = { TypedArray: Object.getPrototypeOf(Int8Array) };
    if (module) {
      try { at = require(module) } catch (_) { try { at = require('node:' + module) } catch (_) { return false } }
    }
    const keys = path.split('.').filter(Boolean);
    for (const [i, key] of keys.entries()) {
      if (at === null || (typeof at !== 'object' && typeof at !== 'function') || !(key in at)) return false;
      if (i < keys.length - 1) at = at[key];
    }
    return true;
  };
  process.on('warning', () => {});
  const names = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  process.stdout.write(JSON.stringify(names.filter(find)), () => process.exit(0));
`;

for (const name of ['12', '20', '24']) {
  test(`The table of APIs says of Node ${name} what it has`, needsNodes(name), () => {
    const folder = mkdtempSync(join(tmpdir(), 'api-versions-'));
    const script = join(folder, 'look.cjs'); // by -e, modules are global
    writeFileSync(script, LOOK);
    const node = nodeBinary(name) as string;
    const { stdout, stderr } = spawnSync(node, ['--no-warnings', script], { input: JSON.stringify(apiNames()), encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    assert.equal(stderr, '');
    const version = NODE_VERSIONS.get(name) as string;
    const there = new Set(JSON.parse(stdout) as string[]);
    const wrong = apiNames().filter((api) => isInNode(api, version) !== there.has(api));
    assert.deepEqual(wrong, []);
    assert.ok(apiNames().length > 700);
  });
}

/** The error of a line of code whose last `name` is where it was thrown. */
function advise(message: string, node: string, text?: string, name = ''): string | undefined {
  return adviceForMissingApi(new TypeError(message), node, text === undefined ? undefined : { text, offset: text.lastIndexOf(name) });
}

const FROM = (what: string, since: string, node: string): string =>
  `${what} is there from Node ${since} on, this context runs ${node}; start it with a newer Node, or with runtime: 'push'`;

test('What is certain is told by its name', () => {
  const rows: [message: string, node: string, what: string, since: string, text?: string, name?: string][] = [
    ['structuredClone is not defined', '12.22.12', '"structuredClone"', '17'],
    ['structuredClone is not defined', 'v16.20.2', '"structuredClone"', '17'],
    ['Object.hasOwn is not a function', '14.21.3', '"Object.hasOwn"', '16.9'],
    ['AbortSignal.any is not a function', '18.0.0', '"AbortSignal.any"', '20.3 (and 18.17)'],
    ["Cannot find module 'node:test'\nRequire stack:", '12.22.12', '"node:test"', '20 (and 18.7, 16.17)'],
    ["Cannot find module 'fs/promises'", '12.22.12', '"node:fs/promises"', '14.13.1'],
    ['No such built-in module: node:test', '14.21.3', '"node:test"', '20 (and 18.7, 16.17)'],
    ["Cannot find module 'node:fs'", '12.22.12', 'The prefix in "node:fs"', '16 (and 14.18)'],
    ["Invalid flags supplied to RegExp constructor 'gv'", '18.20.8', 'The flag "v" of regular expressions', '20'],
    ['(0 , $1.cp) is not a function', '12.22.12', '"fs.cp"', '16.7', "import { cp } from 'node:fs';\ncp(a);", 'cp('],
    ['(0 , $1.cp) is not a function', '12.22.12', '"fs.cp"', '16.7', "import { rm, cp as copy } from 'fs';\ncopy(a);", 'copy('],
    ['fs.promises.rm is not a function', '12.22.12', '"fs.promises.rm"', '14.14', "const fs = require('fs');\nfs.promises.rm(a);", 'rm('],
    ['rm is not a function', '12.22.12', '"fs.promises.rm"', '14.14', "const { rm: away } = require('fs').promises;\naway(a);", 'away('],
    [
      'util.MIMEType is not a constructor',
      '18.0.0',
      '"util.MIMEType"',
      '19.1 (and 18.13)',
      "import * as util from 'node:util';\nnew util.MIMEType(a);",
      'util.MIME',
    ],
    [
      "Cannot read property 'digest' of undefined",
      '12.22.12',
      '"crypto.subtle"',
      '17.4',
      "import crypto from 'crypto';\ncrypto.subtle.digest(a);",
      'digest',
    ],
    [
      "Cannot read properties of undefined (reading 'digest')",
      '16.20.2',
      '"crypto.subtle"',
      '17.4',
      "import crypto from 'crypto';\ncrypto.subtle.digest(a);",
      'digest',
    ],
    [
      'Class extends value undefined is not a constructor or null',
      '12.22.12',
      '"events.EventEmitterAsyncResource"',
      '17.4 (and 16.14)',
      "import { EventEmitterAsyncResource } from 'events';\nclass A extends EventEmitterAsyncResource {}",
      'EventEmitterAsyncResource {',
    ],
  ]; // prettier-ignore
  for (const [message, node, what, since, text, name] of rows)
    assert.equal(advise(message, node, text, name), FROM(what, since, node.replace('v', '')), message);
});

test('A method of an object that may be of any class is told with an "if"', () => {
  const at = 'If that is "Array.prototype.at", "String.prototype.at" or "TypedArray.prototype.at": it';
  for (const object of ['list', 'a.b.list', '(intermediate value)', 'make(...)', '"text"'])
    assert.equal(advise(`${object}.at is not a function`, '12.22.12'), FROM(at, '16.6', '12.22.12'), object);
});

test('What has been removed is told too', () => {
  const advice = advise('util.isDate is not a function', '24.1.0', "const util = require('util');\nutil.isDate(a);", 'isDate');
  assert.equal(
    advice,
    `"util.isDate" is gone since Node 24, this context runs 24.1.0; start it with an older Node, or with runtime: 'push'`,
  );
});

test('A newer Node than that of the master is not offered to be pushed', () => {
  assert.match(String(advise("Cannot find module 'node:ffi'", '20.0.0')), /start it with a newer Node/);
  assert.equal(/push/.test(String(advise("Cannot find module 'node:ffi'", '20.0.0'))), isInNode('node:ffi', process.versions.node));
});

test('Nothing is claimed of what the Node has, what no Node has, and what the program calls by the same name', () => {
  const rows: [message: string, node: string, text?: string, name?: string][] = [
    ['structuredClone is not defined', '18.0.0'],
    ['list.at is not a function', '16.6.0'],
    ['nonsense is not defined', '12.22.12'],
    ["Cannot find module 'lodash'", '12.22.12'],
    ["Cannot find module './test'", '12.22.12'],
    // Arrays have it on every Node, so this object is something else.
    ['things.map is not a function', '12.22.12'],
    ['things.find is not a function', '12.22.12'],
    ['tree.cp is not a function', '12.22.12', "import { cp } from 'fs';\nimport tree from 'tree';\ntree.cp(a);", 'cp(a'],
    ['cp is not a function', '12.22.12', 'function copy(cp) { cp(a); }', 'cp(a'],
    ["Cannot read property 'digest' of undefined", '12.22.12', 'const a = {};\na.b.digest();', 'digest'],
    ["Cannot read property 'digest' of undefined", '12.22.12'],
    ['something else', '12.22.12'],
    ['list.at is not a function', 'no version'],
  ];
  for (const [message, node, text, name] of rows) assert.equal(advise(message, node, text, name), undefined, message);
  assert.equal(adviceForMissingApi('structuredClone is not defined', '12.22.12'), undefined);
});

test('A message that was made to be hard to read is read in no time', () => {
  const start = performance.now();
  for (const message of [
    `${'a.'.repeat(50_000)}b is not a function`,
    `${'('.repeat(50_000)}x.at is not a function`,
    `Cannot find module '${'node:'.repeat(9999)}`,
  ])
    advise(message, '12.22.12', `${'import {'.repeat(2000)}${' '.repeat(20_000)}`, '');
  assert.ok(performance.now() - start < 2000);
});
