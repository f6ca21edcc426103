import assert from 'node:assert/strict';
import fs from 'node:fs';
import os, { cpus } from 'node:os';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { referenceOf } from '#src/api/reference-of.js';
import { FakeContext, type Loose, zoo } from './zoo.ts';

let total = 10;
const factor = 2;
function add(n: number): number {
  total += n;
  return scaled();
}
const scaled = (): number => total * factor;
const readTotal = (): number => total;
function isEven(n: number): boolean {
  return n === 0 || isOdd(n - 1);
}
function isOdd(n: number): boolean {
  return n !== 0 && isEven(n - 1);
}
class Counter {
  static #count = 0;
  static up(): number {
    return ++Counter.#count;
  }
}
const sideEffects: string[] = [];
sideEffects.push('top level ran');
const countEffects = (): number => sideEffects.length;
const user = await zoo('esm/user.mjs');

test('ModuleGraph names builtins by their module, with nothing to send', () => {
  const { graph } = new FakeContext();
  assert.equal(graph.identify(os.hostname), 'node:os#hostname');
  assert.equal(graph.identify(fs.promises.readFile as Loose), 'node:fs#promises.readFile');
  assert.equal(graph.identify(process.cwd), 'node:process#cwd');
  assert.deepEqual(graph.closureOf('node:os#hostname'), []);
  assert.equal(new FakeContext().take(os.hostname)(), os.hostname());
});

test('Slices of a main script share state between calls, and leave the state here alone', () => {
  const context = new FakeContext();
  assert.equal(context.take(add)(5 as never), 30);
  assert.equal(context.take(readTotal)(), 15);
  assert.equal(context.take(() => ++total)(), 16);
  assert.equal(context.take(scaled)(), 32);
  assert.equal(total, 10);
});

test('Slices of a main script hold only what the function reaches, and run no statement of its top level', () => {
  const context = new FakeContext();
  const code = (fn: () => unknown): string =>
    context.graph
      .closureOf(context.graph.identify(fn))
      .map((def) => def.code)
      .join('');
  assert.doesNotMatch(code(readTotal), /isEven|Counter|FakeContext|node:test/);
  assert.equal(context.take(countEffects)(), 0);
  assert.equal(context.take(isEven)(10 as never), true);
  assert.equal(context.take(Counter.up)(), 1);
  assert.equal(context.take(Counter.up)(), 2);
});

test('ModuleGraph sends inline functions with the imports they use', () => {
  assert.deepEqual(new FakeContext().take((n: number) => [os.cpus().length, cpus().length * n])(2 as never), [
    cpus().length,
    cpus().length * 2,
  ]);
});

test('ModuleGraph reaches functions that a module does not export, in the one instance of that module', async () => {
  const context = new FakeContext();
  assert.equal(context.take(user.pick.hidden)(3 as never), 'hidden 3');
  assert.equal(await context.take(user.pick.arrow)(1 as never), 4);
  assert.deepEqual([...context.take(user.pick.numbers)(3 as never)], [0, 1, 2]);
  const later = [];
  for await (const one of context.take(user.pick.later)(2 as never)) later.push(one);
  assert.deepEqual(later, [0, 1]);
  assert.equal(context.take(user.pick.ping)(), 'pong');
  assert.equal(context.take(user.pick.pong)(), 3);
  assert.equal(context.take(user.inline[2])(), 3);
  assert.equal(context.take(user.inline[0])(), `${os.hostname()}4`);
});

test('ModuleGraph sends inline functions of every form', async () => {
  const context = new FakeContext();
  assert.equal(context.take(user.inline[1])(3 as never), 'end');
  assert.equal(await context.take(user.inline[3])(7 as never), 7);
  assert.deepEqual([...context.take(user.inline[4])()], [1]);
  assert.deepEqual(
    user.reassigned.map((fn: Loose) => context.take(fn)()),
    [1, 2],
  );
});

test('Importer binds static methods to their class, inherited ones to the class that declares them', async () => {
  const context = new FakeContext();
  assert.equal(context.take(user.Tools.probe)(1 as never), 8);
  assert.equal(await context.take(user.Child.slow)(), 'Tools');
  assert.equal(context.take(user.Tools.computed)(), 1);
});

const captures: Record<string, string> = { closes: 'local', thisArrow: 'this', args: 'arguments', priv: '#p', field: 'this', cls: 'L' };
for (const [name, variable] of Object.entries(captures)) {
  test(`ModuleGraph refuses a function that captures "${variable}", naming variable, file and line`, () => {
    const fn = name === 'priv' ? user.made.priv.call(new (user.made.cls().constructor)(), {}) : user.made[name];
    assert.throws(
      () => new FakeContext().graph.identify(fn),
      (error: Loose) =>
        error.code === 'ERR_MITOS_CAPTURE' && error.message.includes(`"${variable}"`) && /user\.mjs:\d+/.test(error.message),
    );
  });
}

test('ModuleGraph takes a local function that captures nothing', () => {
  assert.equal(new FakeContext().take(user.made.shadow)(4 as never), 4);
  assert.equal(new FakeContext().take(user.made.nested)()(), 2);
});

test('ModuleGraph refuses what has no place in a module', () => {
  const { graph } = new FakeContext();
  const refused: Record<string, Loose> = {
    bound: add.bind(null),
    class: user.Tools,
    proxy: new Proxy(add, {}),
    method: new user.Tools().go,
    native: new Promise(() => {}).then.bind(null),
    evaluated: runInThisContext('() => 1'),
    local: user.made.meth,
    number: 5,
    block: undefined,
  };
  for (const [name, fn] of Object.entries(refused)) {
    assert.throws(() => graph.identify(fn), { code: 'ERR_MITOS_NOT_CALLABLE' }, name);
  }
  assert.throws(() => graph.identify(user.inBlock), { code: 'ERR_MITOS_CAPTURE' });
});

test('ModuleGraph finds a function in code that a child was sent', () => {
  const context = new FakeContext();
  const ref = context.graph.identify(user.pick.hidden);
  context.send(ref);
  const id = Number.parseInt(ref, 10);
  const def = context.graph.closureOf(ref).at(-1);
  const place = (text: string): [number, number] => {
    const before = `(function*($mitos){${def?.code}`.split(text)[0] ?? '';
    return [before.split('\n').length - 1, before.length - before.lastIndexOf('\n') - 1];
  };
  assert.equal(context.graph.identifyAt(id, ...place('(add)'), ''), ref);
  const inline = context.graph.identifyAt(id, ...place('() => counter++'), '() => counter++');
  context.send(inline);
  assert.equal((context.importer.resolveRef(inline) as Loose)(), 0);
  assert.throws(() => context.graph.identifyAt(id, ...place('() => local, shadow'), ''), { code: 'ERR_MITOS_CAPTURE' });
  assert.throws(() => context.graph.identifyAt(99, 0, 0, 'x'), { code: 'ERR_MITOS_NOT_CALLABLE' });
});

test('ModuleGraph maps stacks of shipped code to files, lines and columns of the program', async () => {
  const context = new FakeContext();
  const stackOf = (fn: Loose): string => {
    try {
      context.take(fn)('x' as never);
    } catch (error) {
      return context.graph.mapStack((error as Error).stack as string);
    }
    return '';
  };
  const near = ((): string => {
    try {
      user.boom('x');
    } catch (error) {
      return (error as Error).stack as string;
    }
    return '';
  })();
  const place = (stack: string): string => /user\.mjs:(\d+:\d+)/.exec(stack)?.[1] ?? 'none';
  assert.equal(place(stackOf(user.boom)), place(near));
  // This file is compiled: its own source map leads to the .ts.
  const line = /identify\.test\.ts:(\d+)/.exec(
    stackOf(() => {
      throw new Error('here');
    }),
  )?.[1];
  assert.ok(Number(line) > 100);
  assert.equal(
    context.graph.mapStack('at mitos:999/x.js:1:1 and mitos:1/../../etc:1:1'),
    'at mitos:999/x.js:1:1 and mitos:1/../../etc:1:1',
  );
});

test('Importer hands on the closure of a module and knows the functions it exports', () => {
  const context = new FakeContext();
  const ref = context.graph.identify(user.Tools.probe);
  const far = context.namespace('esm/user.mjs');
  assert.deepEqual(
    context.importer.closure(Number.parseInt(ref, 10)).map((def) => def.id),
    context.graph.closureOf(ref).map((def) => def.id),
  );
  assert.equal(referenceOf(context.importer, far.boom), `${Number.parseInt(ref, 10)}#boom`);
  assert.equal(
    referenceOf(context.importer, () => 1),
    undefined,
  );
});
