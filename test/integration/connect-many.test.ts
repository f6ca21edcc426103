/**
 * Many logins to one sshd, which drops some of those that come at once.
 * `MITOS_CONNECT_MANY` (40) is their number; `npm run connect:many` makes a hundred.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { Router, type Spec } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { type LabUser, needs, openLab, type Sshd } from '../support/lab/index.js';

const COUNT = Number(process.env['MITOS_CONNECT_MANY'] ?? 40);
const need = needs('sshd');
const lab = openLab();
let server: Sshd;
let user: LabUser;

if (need.skip === false) {
  before(async () => {
    user = await lab.user();
    // Drops none of few at once, so a short run needs a stricter server.
    server = await lab.sshd({ maxStartups: COUNT < 100 ? '4:90:8' : '10:30:100' });
  });
}

function pid(): number {
  return process.pid;
}

testWithOracle(
  `${COUNT} logins at once to an sshd that drops some of them all succeed`,
  { ...need, timeoutMs: 60_000 + COUNT * 2000 },
  async () => {
    await using router = new Router({ logger: false });
    const { host, port, keys, knownHosts } = server;
    const spec: Spec = {
      method: 'ssh',
      hostname: host,
      port,
      username: user.name,
      identityFile: keys.plain,
      knownHosts: knownHosts.right,
      node: lab.node,
      threadless: true,
      connectTimeoutMs: 120_000,
    };
    const specs = Array.from({ length: COUNT }, () => spec);
    const pids = new Set<number>();
    // More at once than sshd takes without dropping any.
    for await (const result of router.connectAll(specs, { perHop: 25 })) {
      if (result.status !== 'ok') throw result.error;
      pids.add(await result.context.call(pid));
    }
    assert.equal(pids.size, COUNT);
    assert.match(server.log(), /drop connection|exceeded MaxStartups/i, 'some of them were dropped and tried again');
  },
);
