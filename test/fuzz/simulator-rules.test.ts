/** Rules of whole trees, each in a simulated one of its own. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { MitosError } from '#src/core/errors.js';
import { type CallRecord, createSimulation, type SimulatedContext, type Simulation, simulate } from '#src/testing/index.js';

const codeOf = (call: CallRecord): string | undefined => (MitosError.is(call.error) ? call.error.code : undefined);

async function grow(
  depth: number,
  options: Partial<Parameters<typeof createSimulation>[0]> = {},
): Promise<{ tree: Simulation; line: SimulatedContext[] }> {
  const tree = createSimulation({ seed: 7, ...options });
  const line = [tree.master];
  for (let at = 0; at < depth; at++) line.push(tree.spawn(line[at]));
  await tree.pass(1000);
  return { tree, line };
}

async function end(tree: Simulation): Promise<void> {
  await tree.settle();
  assert.deepEqual(tree.problems(), []);
  assert.deepEqual(await tree.closeAll(), []);
}

test('The same seed gives the same run', async () => {
  const options = { seed: 1234, events: 80, isHostile: true };
  assert.deepEqual(await simulate(options), await simulate(options));
});

test('Calls reach contexts at every depth, and one of them can call those below it', async () => {
  const { tree, line } = await grow(5);
  const calls = line.slice(1).map((to) => tree.call(tree.master, to, 'echo', [to.id]));
  calls.push(tree.call(line[2] as SimulatedContext, line[5] as SimulatedContext, 'echo', [5]));
  await tree.pass(1000);
  assert.deepEqual(
    calls.map((call) => call.value),
    [1, 2, 3, 4, 5, 5],
  );
  await end(tree);
});

test('A call to a context that is not up yet waits for it, a whole chain of new contexts long', async () => {
  const tree = createSimulation({ seed: 3 });
  const a = tree.spawn();
  const b = tree.spawn(a);
  const c = tree.spawn(b);
  const call = tree.call(tree.master, c, 'echo', ['first']);
  await tree.pass(2000);
  assert.equal(call.value, 'first');
  await end(tree);
});

test('Calls that wait for a context that never comes up end with an error', async () => {
  const tree = createSimulation({ seed: 3 });
  const a = tree.spawn();
  const b = tree.spawn(a);
  const calls = [a, b, b].map((to) => tree.call(tree.master, to, 'echo', [1]));
  a.kill();
  await tree.settle();
  for (const call of calls) assert.equal(call.endings, 1);
  for (const call of calls) assert.notEqual(call.error, undefined);
});

test('Calls through a context that dies end at once, with what was lost, and later ones too', async () => {
  const { tree, line } = await grow(4);
  const [master, one, two, , leaf] = line as [SimulatedContext, SimulatedContext, SimulatedContext, SimulatedContext, SimulatedContext];
  const running = [tree.call(master, leaf, 'hang'), tree.call(one, leaf, 'hang'), tree.call(master, two, 'hang')];
  await tree.pass(100);
  two.kill();
  await tree.pass(500);
  const late = [tree.call(master, leaf, 'echo', [1]), tree.call(master, two, 'echo', [1]), tree.call(one, leaf, 'echo', [1])];
  await tree.pass(500);
  for (const call of [...running, ...late]) {
    assert.equal(codeOf(call), 'ERR_MITOS_DISCONNECTED');
    assert.match((call.error as Error).message, /"master\.1\.2"/, 'names the hop that died');
  }
  assert.equal(tree.call(master, one, 'echo', [1]).endings, 0);
  await end(tree);
});

test('A context with an id of its parent’s block is as reachable, and as dead, as any other', async () => {
  const { tree, line } = await grow(2);
  const [master, one, two] = line as [SimulatedContext, SimulatedContext, SimulatedContext];
  const spawning = tree.spawnBy(two, two);
  await tree.pass(1000);
  const own = await spawning;
  await tree.pass(1000);
  assert.ok(own.id >= 0x1000000);
  const call = tree.call(master, own, 'echo', ['yes']);
  await tree.pass(200);
  assert.equal(call.value, 'yes');
  const running = tree.call(master, own, 'hang');
  await tree.pass(200);
  own.kill();
  await tree.pass(500);
  const late = [tree.call(master, own, 'echo', [1]), tree.call(one, own, 'echo', [1])];
  await tree.pass(500);
  for (const dead of [running, ...late]) assert.equal(codeOf(dead), 'ERR_MITOS_DISCONNECTED');
  two.kill();
  await tree.pass(1000);
  const never = tree.call(master, own, 'echo', [1]);
  await tree.pass(100);
  assert.equal(codeOf(never), 'ERR_MITOS_DISCONNECTED');
  await end(tree);
});

test('Keep-alive notices a stalled link, and not one that is only slow', async () => {
  const { tree, line } = await grow(3, { keepAliveMs: 1000, link: { maxDelayMs: 200 } });
  const leaf = line[3] as SimulatedContext;
  const call = tree.call(tree.master, leaf, 'hang');
  await tree.pass(20_000);
  assert.equal(call.endings, 0);
  const at = tree.clock.now();
  line[2]?.link?.stall();
  while (!call.endings && tree.clock.now() < at + 20_000) await tree.pass(100);
  assert.equal(codeOf(call), 'ERR_MITOS_DISCONNECTED');
  // The other end may have noticed first, and hung up.
  assert.match((call.error as Error).message, /no sign of life|the link ended/);
  assert.ok(tree.clock.now() - at <= 3000 + 1000, `after ${tree.clock.now() - at} ms`);
  line[2]?.link?.resume();
  await end(tree);
});

test('A stall that ends in time harms nothing', async () => {
  const { tree, line } = await grow(3);
  const call = tree.call(tree.master, line[3] as SimulatedContext, 'echo', [Buffer.alloc(500_000)]);
  await tree.pass(5);
  line[2]?.link?.stall();
  await tree.pass(2000);
  line[2]?.link?.resume();
  await tree.pass(2000);
  assert.equal((call.value as Buffer).length, 500_000);
  await end(tree);
});

test('A hop holds no more than a window for a link that does not move, and lets other calls pass', async () => {
  const bulkWindowBytes = 1 << 20;
  const { tree, line } = await grow(3, { link: { maxDelayMs: 2 }, keepAliveMs: 1e6, limits: { bulkWindowBytes } });
  const [master, one, two, leaf] = line as [SimulatedContext, SimulatedContext, SimulatedContext, SimulatedContext];
  leaf.link?.stall();
  const large = Array.from({ length: 4 }, () => tree.call(master, leaf, 'echo', [Buffer.alloc(5 << 20)], { timeoutMs: 1e6 }));
  await tree.pass(500);
  const held = two.router.children.get(leaf.id)?.queuedBytes ?? 0;
  assert.ok(held > bulkWindowBytes / 2 && held <= bulkWindowBytes + (1 << 17), `${held} bytes`);
  const other = [tree.call(master, two, 'echo', [1]), tree.call(one, two, 'echo', [Buffer.alloc(3 << 20)])];
  await tree.pass(2000);
  assert.ok(other.every((call) => call.endings === 1 && call.error === undefined));
  leaf.link?.resume();
  await tree.pass(20_000);
  assert.ok(large.every((call) => (call.value as Buffer | undefined)?.length === 5 << 20));
  assert.ok(tree.oracle.maxQueuedBytes <= 2 * bulkWindowBytes + (1 << 20));
  await end(tree);
});

test('A small call to the same context does not overtake a large one, and one to another context does', async () => {
  const order: string[] = [];
  const functions = { note: (name: string) => void order.push(name) };
  const { tree, line } = await grow(2, { functions, link: { maxDelayMs: 10 } });
  const [master, one, two] = line as [SimulatedContext, SimulatedContext, SimulatedContext];
  tree.call(master, two, 'note', ['large', Buffer.alloc(8 << 20)]);
  tree.call(master, two, 'note', ['small']);
  tree.call(master, one, 'note', ['other']);
  await tree.pass(5000);
  assert.deepEqual(order, ['other', 'large', 'small']);
  await end(tree);
});

test('Siblings cannot talk, until one is handed to the other; then calls go one way, and end when it dies', async () => {
  const { tree } = await grow(0);
  const [a, b] = [tree.spawn(), tree.spawn()];
  const c = tree.spawn(b);
  await tree.pass(1000);
  const refused = [tree.call(a, c, 'echo', [1]), tree.call(c, a, 'echo', [1]), tree.call(a, b, 'echo', [1])];
  await tree.pass(500);
  assert.deepEqual(refused.map(codeOf), Array(3).fill('ERR_MITOS_POLICY'));
  tree.handOver(tree.master, a, c);
  await tree.pass(100);
  const calls = [tree.call(a, c, 'echo', [Buffer.alloc(3_000_000)]), tree.call(c, a, 'echo', [1]), tree.call(a, b, 'echo', [1])];
  const hanging = tree.call(a, c, 'hang');
  await tree.pass(3000);
  assert.equal((calls[0]?.value as Buffer | undefined)?.length, 3_000_000);
  assert.deepEqual([codeOf(calls[1] as CallRecord), codeOf(calls[2] as CallRecord)], ['ERR_MITOS_POLICY', 'ERR_MITOS_POLICY']);
  c.kill();
  await tree.pass(500);
  const late = tree.call(a, c, 'echo', [1]);
  await tree.pass(500);
  assert.deepEqual([hanging, late].map(codeOf), ['ERR_MITOS_DISCONNECTED', 'ERR_MITOS_DISCONNECTED']);
  await end(tree);
});

test('A channel that was handed over gives no right to call', async () => {
  const { tree } = await grow(0);
  const [a, b] = [tree.spawn(), tree.spawn()];
  await tree.pass(1000);
  tree.handOver(tree.master, a, b, true);
  await tree.pass(100);
  const call = tree.call(a, b, 'echo', [1]);
  await tree.pass(500);
  assert.equal(codeOf(call), 'ERR_MITOS_POLICY');
  await end(tree);
});

test('A chain fails together, and a call that is given up is cancelled on the far side', async () => {
  const { tree, line } = await grow(2);
  const leaf = line[2] as SimulatedContext;
  const chained = ['echo', 'fail', 'echo'].map((head) => tree.call(tree.master, leaf, head, ['x'], { chain: 1 }));
  const given = tree.call(tree.master, leaf, 'hang', [], { timeoutMs: 500 });
  await tree.pass(400);
  assert.deepEqual(
    chained.map((call) => call.error !== undefined),
    [false, true, true],
  );
  assert.equal(leaf.dispatcher.running, 1);
  await tree.pass(1000);
  assert.equal(codeOf(given), 'ERR_MITOS_TIMEOUT');
  assert.equal(leaf.dispatcher.running, 0);
  await end(tree);
});

test('A link that is cut anywhere in a large message ends the call once and leaves nothing behind', async () => {
  for (let ms = 0; ms < 60; ms += 3) {
    const { tree, line } = await grow(2, { link: { maxDelayMs: 10, maxSliceBytes: 2000 } });
    const call = tree.call(tree.master, line[2] as SimulatedContext, 'echo', [Buffer.alloc(1_000_000)]);
    await tree.pass(ms);
    (line[1 + (ms % 2)] as SimulatedContext).link?.cut();
    await tree.pass(2000);
    assert.equal(call.endings, 1);
    await end(tree);
  }
});
