/** `npm run nodes`: what is fetched is what the table says, or nothing is kept. npm is a stand-in here. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testWithOracle } from '#src/testing/index.js';
import { NODE_VERSIONS } from '../support/nodes.js';
import { type Ended, runNode } from './run-program.js';

interface Room {
  /** Where Nodes are kept. */
  nodes: string;
  /** How often npm was asked. */
  asked(): number;
  fetch(...names: string[]): Promise<Ended>;
}

/** A test with a stand-in for npm: a script that gets the folder for the package as `folder`. */
function withNpm(name: string, npm: string, fn: (room: Room) => Promise<void>): void {
  testWithOracle(name, async ({ signal }) => {
    const folder = mkdtempSync(join(tmpdir(), 'fetch-nodes-'));
    const cli = join(folder, 'npm-cli.js');
    const log = join(folder, 'asked');
    const head = `const fs = require('fs'); fs.appendFileSync(${JSON.stringify(log)}, '.'); const folder = process.argv[process.argv.indexOf('--pack-destination') + 1];`;
    writeFileSync(cli, `${head}\n${npm}`);
    writeFileSync(log, '');
    const nodes = join(folder, 'nodes');
    const env = { MITOS_NODES_DIR: nodes, npm_execpath: cli };
    try {
      await fn({
        nodes,
        asked: () => readFileSync(log, 'utf8').length,
        fetch: (...args) => runNode('scripts/fetch-nodes.mjs', { args, env, signal }),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

withNpm(
  'A package with another hash than the one of the table is neither unpacked nor tried again',
  "fs.writeFileSync(folder + '/any.tgz', 'something else');",
  async (room) => {
    const { code, stderr } = await room.fetch('20');
    assert.equal(code, 1);
    assert.match(stderr, /Cannot get Node 20\.\d+\.\d+: .* has the hash sha512-\S+, scripts\/node-versions\.json says sha512-/);
    assert.equal(room.asked(), 1);
    assert.deepEqual(readdirSync(room.nodes), []);
  },
);

withNpm(
  'What npm cannot do is tried three times and told, and leaves nothing behind',
  "console.error('no network here'); process.exit(1);",
  async (room) => {
    const { code, stderr } = await room.fetch('20');
    assert.equal(code, 1);
    assert.match(stderr, /attempt 1 of 3 failed: npm ended with code 1: no network here/);
    assert.match(stderr, /Cannot get Node 20\S+: npm ended with code 1/);
    assert.equal(room.asked(), 3);
    assert.deepEqual(readdirSync(room.nodes), []);
  },
);

withNpm('What is there is not asked for again', 'process.exit(1);', async (room) => {
  const folder = join(room.nodes, `v${NODE_VERSIONS.get('20')}-linux-${process.arch}`, 'bin');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'node'), '');
  chmodSync(join(folder, 'node'), 0o755);
  const { code, stderr } = await room.fetch('20');
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^Nodes are kept in .*\nNode 20\.\d+\.\d+: is there\n$/);
  assert.equal(room.asked(), 0);
});

withNpm('A version that is not in the table is refused', 'process.exit(1);', async (room) => {
  const { code, stderr } = await room.fetch('11');
  assert.equal(code, 1);
  assert.match(stderr, /Cannot get Node "11": there are 8, 10, 12, 14, 16, 18, 20, 22, 24, 26/);
});
