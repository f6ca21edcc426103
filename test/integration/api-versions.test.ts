/** A function that uses what the Node of its context has not: the error says what that is, which Node has it, and what to do. */
import assert from 'node:assert/strict';
import { cp as copyTree, promises } from 'node:fs';
import { inspect } from 'node:util';
import { type CallError, Router } from 'mitos';
import { testWithOracle } from '#src/testing/index.js';
import { NODE_VERSIONS, needsNodes, nodeBinary } from '../support/nodes.js';
import { rejection } from './modes-table.js';

const needs = needsNodes('12', '16');
const OLD = NODE_VERSIONS.get('12') ?? '';

/** A test with a context on Node 12. */
function withOld(name: string, fn: (context: import('mitos').Context, router: Router) => Promise<void>): void {
  testWithOracle(name, needs, async () => {
    const router = new Router({ logger: false });
    try {
      await fn(await router.local({ node: nodeBinary('12') as string, name: 'old' }), router);
    } finally {
      await router.close();
    }
  });
}

function clone(value: unknown): unknown {
  return structuredClone(value);
}

function last(list: number[]): number | undefined {
  return list.at(-1);
}

function copy(): void {
  copyTree('/nowhere', '/nowhere/else', { recursive: true }, () => {});
}

function removeTree(): Promise<void> {
  return promises.rm('/nowhere');
}

async function load(): Promise<unknown> {
  return Object.keys(await import('node:timers/promises'));
}

withOld('An error for what a Node has not says which Node has it', async (context) => {
  const rows: [fn: (...args: never[]) => unknown, args: unknown[], hint: RegExp][] = [
    [clone, [{}], /^"structuredClone" is there from Node 17 on, this context runs 12\.22/],
    [last, [[1, 2]], /^If that is "Array\.prototype\.at", .* from Node 16\.6 on/],
    [copy, [], /^"fs\.cp" is there from Node 16\.7 on/],
    [removeTree, [], /^"fs\.promises\.rm" is there from Node 14\.14 on/],
    [load, [], /^"node:timers\/promises" is there from Node 16 \(and 15\) on/],
  ];
  for (const [fn, args, hint] of rows) {
    const error = (await rejection(context.call(fn as (...args: unknown[]) => unknown, ...args))) as unknown as CallError;
    assert.equal(error.code, 'ERR_MITOS_CALL', fn.name);
    assert.match(String(error.hint), hint, fn.name);
    assert.match(String(error.hint), /; start it with a newer Node, or with runtime: 'push'$/);
    assert.ok(inspect(error).includes(error.hint as string), 'who prints the error sees it');
  }
  assert.equal(((await rejection(context.call(() => Promise.reject(new Error('mine'))))) as CallError).hint, undefined);
});

withOld('The Node that counts is that of the context where it was thrown', async (context, router) => {
  const middle = await context.local({ node: nodeBinary('16') as string, name: 'middle' });
  const error = (await rejection(middle.call(clone, {}))) as unknown as CallError;
  assert.match(String(error.hint), /"structuredClone" is there from Node 17 on, this context runs 16\.20/);
  const through = (await rejection(router.local({ name: 'new' }).call((inner) => inner.call(clone, {}), middle))) as unknown as CallError;
  assert.match(String(through.hint), /this context runs 16\.20/);
});

withOld('A chain fails with the same advice', async (context) => {
  const chain = context.chain();
  const [first, second] = [rejection(chain.call(clone, {})), rejection(chain.call(last, [1]))];
  for (const error of [await first, await second]) assert.match(String((error as CallError).hint), /structuredClone.*17/, OLD);
});
