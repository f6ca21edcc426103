/** A password is nowhere but where it belongs: not in arguments, environments, logs, errors or reports, while it is used and after. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type ContextPromise, Router, Secret } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { asUser, uid } from '../support/elevated.js';
import { type LabUser, needs, openLab } from '../support/lab/index.js';

const lab = openLab();
const withUsers = needs('users', 'sudo', 'su', 'doas');
const CANARY = `canary-${randomBytes(9).toString('hex')}`;
let right: LabUser;
let wrong: LabUser;
if (withUsers.skip === false) {
  before(async () => {
    right = await lab.user({ password: CANARY });
    wrong = await lab.user();
  });
}

/** Reads what all processes were started with, again and again; what shows the canary is told. */
const WATCH = `
const { readdirSync, readFileSync } = require('fs');
const { workerData: { canary, stop } } = require('worker_threads');
const found = new Set();
let rounds = 0;
do {
  rounds++;
  for (const pid of readdirSync('/proc')) if (/^[0-9]+$/.test(pid)) for (const what of ['cmdline', 'environ']) {
    try {
      if (readFileSync('/proc/' + pid + '/' + what).includes(canary)) found.add(what + ': ' + readFileSync('/proc/' + pid + '/cmdline', 'latin1').split('\\0').join(' '));
    } catch {}
  }
} while (!Atomics.load(stop, 0));
require('worker_threads').parentPort.postMessage({ rounds, found: [...found] });`;

async function watched(fn: () => Promise<void>): Promise<string[]> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WATCH, { eval: true, workerData: { canary: CANARY, stop } });
  const result = new Promise<{ rounds: number; found: string[] }>((resolve, reject) => worker.on('message', resolve).on('error', reject));
  try {
    await fn();
  } finally {
    Atomics.store(stop, 0, 1);
  }
  const { rounds, found } = await result;
  assert.ok(rounds > 2);
  await worker.terminate();
  return found;
}

/** All methods that take a password, with the canary. */
function attempts(start: ContextPromise, username: string): Record<string, () => ContextPromise> {
  const password = new Secret(CANARY);
  const prompt = { text: 'Password: ', password: CANARY, tries: 2 };
  const run0 = lab.stub('run0', { prompt });
  const dzdo = lab.stub('dzdo', { prompt: { ...prompt, on: 'stdin' } });
  const refusing = lab.stub('dzdo', { prompt: { ...prompt, password: 'another', on: 'stdin' } });
  const prompts = [{ expect: 'Password: ', send: password }];
  return {
    sudo: () => start.sudo({ password }),
    'sudo, as a text': () => start.sudo({ password: CANARY }),
    su: () => start.su({ username, password }),
    doas: () => start.doas({ password }),
    run0: () => start.run0({ path: run0.path, password }),
    command: () => start.command({ argv: [dzdo.path], prompts }),
    'command, as a text': () => start.command({ argv: [dzdo.path], prompts: [{ expect: 'Password: ', send: CANARY }] }),
    'command that refuses': () => start.command({ argv: [refusing.path], prompts }),
    'command on a terminal that is not asked for it': () => start.command({ argv: ['false'], terminal: true, prompts }),
  };
}

const reportOf = (): string => JSON.stringify([process.report?.getReport(), process.argv, process.execArgv, process.env]);

testWithOracle('A canary password shows nowhere, whether it is right or wrong', { ...withUsers, timeoutMs: 60_000 }, async () => {
  const rule = ({ name }: LabUser): string => `Defaults:${name} timestamp_timeout=0\n${name} ALL=(ALL) ALL\n`;
  const doas = ({ name }: LabUser): string => `permit ${name} as root\n`;
  await using _sudoers = await lab.sudoers(`${rule(right)}Defaults:${right.name} requiretty\n${rule(wrong)}`);
  await using _doas = await lab.doas(doas(right) + doas(wrong));
  const shown: Record<string, string> = {};
  const outcomes: Record<string, string> = {};
  const router = new Router({
    logLevel: 'trace',
    logger: (record) => (shown['log'] += inspect(record, { depth: null, showHidden: true })),
  });
  const found = await watched(async () => {
    for (const user of [right, wrong]) {
      const start = asUser(router, user);
      for (const [what, attempt] of Object.entries(attempts(start, user.name))) {
        const key = `${user === right ? 'right' : 'wrong'} ${what}`;
        const opened = attempt();
        const inspected = (value: unknown): string => inspect(value, { depth: null, showHidden: true, maxStringLength: null });
        outcomes[key] = await opened.call(uid).then(String, (error: Error & { code: string }) => {
          shown[key] = inspected(error) + JSON.stringify(error) + String(error);
          return error.code;
        });
        shown[`${key}, the context`] = inspected(opened);
        if (outcomes[key] === '0') shown[`${key}, there`] = await opened.call(reportOf);
      }
      shown[`${user.name}, there`] = await start.call(reportOf);
    }
    shown['here'] = reportOf() + inspect(router, { depth: 12, showHidden: true });
    await router.close();
  });
  assert.deepEqual(found, []);
  for (const [where, text] of Object.entries(shown)) assert.ok(!text.includes(CANARY), where);
  assert.equal(outcomes['right sudo'], '0', inspect(outcomes));
  assert.equal(outcomes['right su'], String(right.uid));
  assert.equal(outcomes['right doas'], '0');
  for (const key of ['wrong sudo', 'wrong su', 'wrong doas', 'right command that refuses'])
    assert.equal(outcomes[key], 'ERR_MITOS_PASSWORD_WRONG', key);
});
