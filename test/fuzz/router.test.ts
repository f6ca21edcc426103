/**
 * Routers by chance (T1, T2, T4). A fresh seed each run, printed here; `MITOS_SEED=<seed>` replays one and
 * `MITOS_FUZZ_RUNS` makes it longer.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as handles from '#src/core/handles.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { FIRST_PAGED_ID, PAGE } from '#src/core/route-table.js';
import { Router, type RouterHooks } from '#src/core/router.js';
import type { Stream } from '#src/core/stream.js';
import { authOf, CONTROL, DEAD, dstOf, HEADER, handleOf, jsonFrame, MAX_FRAME_DATA, srcOf } from '#src/core/wire.js';
import { createRandom, forge, type Random, seedFromEnv, withSeed } from '#src/testing/index.js';

const seed = seedFromEnv();
const runs = Number(process.env['MITOS_FUZZ_RUNS'] ?? 200);
console.log(`router fuzz: MITOS_SEED=${seed}, ${runs} trees`);

/** One context: its router, and what has reached it. */
interface Node {
  id: number;
  up: Node | undefined;
  down: Node[];
  router: Router;
  delivered: Buffer[];
  closed: Node[];
}

/** A tree whose links hand frames over one after the other, without streams. */
class Tree {
  readonly nodes: Node[] = [];
  readonly queue: (() => void)[] = [];
  readonly orders: string[] = [];

  add(up: Node | undefined): Node {
    const id = this.nodes.length;
    const node: Node = { id, up, down: [], router: undefined as never, delivered: [], closed: [] };
    const order = (what: string) => () => void this.orders.push(`${what} at ${id}`);
    const hooks: RouterHooks = {
      deliver: (frame) => node.delivered.push(frame),
      onHello: () => {},
      onConnect: order('connect'),
      onShutdown: order('shutdown'),
      onBundle: order('bundle'),
      onFlush: order('flush'),
      onOrphan: order('orphan'),
    };
    node.router = new Router(id, DEFAULT_LIMITS, true, hooks);
    this.nodes.push(node);
    if (!up) return node;
    up.down.push(node);
    const toParent = this.#link(node, up);
    const toChild = this.#link(up, node);
    this.ends.set(toParent, toChild).set(toChild, toParent);
    node.router.parent = toParent;
    up.router.addChild(toChild);
    for (let at = up.up, via = up; at; via = at, at = at.up) at.router.routes.grant(id, 1, at.router.children.get(via.id) as Stream);
    return node;
  }

  /** The other end of each link. */
  readonly ends: Map<Stream, Stream> = new Map();

  #link(from: Node, to: Node): Stream {
    const stream = {
      peerId: to.id,
      name: `${to.id}`,
      queuedBytes: 0,
      isClosed: false,
      stats: {},
      send: (frame: Buffer) => {
        assert.ok(frame.length <= HEADER + MAX_FRAME_DATA);
        const copy = Buffer.from(frame);
        this.queue.push(() => {
          if (!stream.isClosed) to.router.route(copy, this.ends.get(stream as unknown as Stream));
        });
      },
      close: () => {
        stream.isClosed = true;
        from.closed.push(to);
      },
    };
    return stream as unknown as Stream;
  }

  run(): void {
    let steps = 0;
    for (let act = this.queue.shift(); act; act = this.queue.shift()) {
      act();
      assert.ok(steps++ < 200_000, 'frames go round for ever');
    }
  }
}

const isAbove = (high: Node, low: Node): boolean => high === low || (low.up !== undefined && isAbove(high, low.up));

function grow(random: Random): Tree {
  const tree = new Tree();
  tree.add(undefined);
  for (let count = 2 + random.int(48); count > 0; count--) tree.add(random.pick(tree.nodes));
  return tree;
}

test('No frame of a hostile context is taken for one of anybody else, obeyed by a router, or passed to a sibling', async () => {
  for (let run = 0; run < runs; run++) {
    const one = (random: Random): void => {
      const tree = grow(random);
      const hostile = random.pick(tree.nodes.slice(1));
      const outside = tree.nodes.filter((node) => !isAbove(hostile, node));
      const ids = tree.nodes.map((node) => node.id);
      for (let count = 0; count < 100; count++) hostile.router.parent?.send(forge(random, ids));
      tree.run();
      for (const node of outside) {
        for (const frame of node.delivered) {
          const isNotice = handleOf(frame) === handles.TREE && srcOf(frame) === node.id;
          const src = tree.nodes[srcOf(frame)];
          assert.ok(isNotice || (src && isAbove(hostile, src)), `${node.id} took a frame of ${srcOf(frame)}, hostile is ${hostile.id}`);
          assert.ok(isNotice || authOf(frame) === srcOf(frame));
          assert.ok(isAbove(node, hostile), `${node.id} is not above ${hostile.id} and got a frame`);
        }
        if (!isAbove(node, hostile)) assert.equal(node.delivered.length, 0);
      }
      assert.deepEqual(
        tree.orders.filter((order) => outside.some((node) => order.endsWith(` at ${node.id}`))),
        [],
      );
      for (const node of outside)
        for (const closed of node.closed)
          assert.ok(
            node === hostile.up && closed === hostile,
            `${node.id} ended its link to ${closed.id}, hostile is ${hostile.id} below ${hostile.up?.id}`,
          );
    };
    await withSeed('No frame of a hostile context is taken for one of anybody else, obeyed by a router, or passed to a sibling', one, {
      seed: (seed + run) % 2 ** 32,
    });
  }
});

test('A context that squats ids gets no frame that is meant for another (T2)', () => {
  const tree = new Tree();
  const master = tree.add(undefined);
  const hostile = tree.add(master);
  const random = createRandom(seed);
  for (let count = 0; count < 1000; count++) {
    const start = random.int(2 ** 32);
    for (const handle of [handles.GRANT, handles.OPEN]) {
      hostile.router.parent?.send(
        jsonFrame(CONTROL, 0, hostile.id, handle, 0, {
          start,
          count: random.pick([1, PAGE]),
          via: hostile.id,
          from: start,
          to: hostile.id,
        }),
      );
    }
  }
  tree.run();
  const children = Array.from({ length: 100 }, () => tree.add(master));
  for (const child of children) master.router.route(jsonFrame(1, child.id, 0, 300, 0, 'secret'), undefined);
  tree.run();
  assert.ok(children.every((child) => child.delivered.length === 1));
  assert.equal(hostile.delivered.length, 0);
  hostile.router.parent?.send(jsonFrame(CONTROL, 0, hostile.id, handles.ARRIVED, 0, { id: children[0]?.id }));
  tree.run();
  assert.deepEqual(
    master.closed.map((node) => node.id),
    [hostile.id],
  );
});

test('Ids that were given back are not known any more: old frames get one answer each, and the tables do not grow (T3)', () => {
  const tree = new Tree();
  const master = tree.add(undefined);
  const size = master.router.size;
  for (let id = 1; id <= 3000; id++) {
    const answers: Buffer[] = [];
    const stream = {
      peerId: id,
      name: `${id}`,
      queuedBytes: 0,
      stats: {},
      send: (frame: Buffer) => answers.push(frame),
      close: () => {},
    } as unknown as Stream;
    master.router.addChild(stream);
    master.router.routes.grant(FIRST_PAGED_ID + id * PAGE, PAGE, stream);
    master.router.remove(stream, Object.assign(new Error('x'), { code: 'ERR_MITOS_DISCONNECTED', via: [], hint: undefined }) as never);
    master.delivered.length = 0;
    master.router.route(jsonFrame(1, 0, id, 300, 70000, 'late'), stream);
    assert.deepEqual([master.delivered.length, answers.length], [0, 0]);
    master.router.route(jsonFrame(1, id, 0, 300, 70000, 'late'), undefined);
    assert.equal((master.delivered.at(-1)?.[2] as number) & DEAD, DEAD);
    assert.equal(dstOf(master.delivered.at(-1) as Buffer), 0);
  }
  assert.equal(master.router.size, size);
});

/** A tree of four levels: 0 / 1 2 / 3 4 5 6 (two below each) / 7… (one below each of them). */
function fourLevels(): Tree {
  const tree = new Tree();
  const master = tree.add(undefined);
  const tiers = [[master]];
  for (const width of [2, 2, 1]) tiers.push((tiers.at(-1) as Node[]).flatMap((up) => Array.from({ length: width }, () => tree.add(up))));
  return tree;
}

function reaches(tree: Tree, from: Node, to: Node, handle: number): number | undefined {
  for (const node of tree.nodes) node.delivered.length = 0;
  from.router.route(jsonFrame(1, to.id, from.id, handle, 0, 'x'), undefined);
  tree.run();
  const got = to.delivered.find((frame) => srcOf(frame) === from.id);
  return got && authOf(got);
}

const MATRIX: [
  string,
  (tree: Tree, from: Node, to: Node) => void,
  (isOnLine: boolean, handle: number, from: Node) => number | undefined,
][] = [
  ['by default', () => {}, (isOnLine, _handle, from) => (isOnLine ? from.id : undefined)],
  ['after a hand-over', open(false), (isOnLine, _handle, from) => (isOnLine ? from.id : 0)],
  ['after a hand-over of a channel', open(true), (_isOnLine, _handle, from) => from.id],
  [
    'after a hand-over the other way',
    (tree, from, to) => open(false)(tree, to, from),
    (isOnLine, handle, from) => (isOnLine || handle >= handles.FIRST_REPLY ? from.id : undefined),
  ],
];

function open(own: boolean): (tree: Tree, from: Node, to: Node) => void {
  return (tree, from, to) => {
    const master = tree.nodes[0] as Node;
    master.router.route(jsonFrame(CONTROL, 0, 0, handles.OPEN, 0, { from: from.id, to: to.id, own }), undefined);
    tree.run();
  };
}

for (const [name, prepare, expected] of MATRIX) {
  test(`Who may talk to whom in a tree of four levels, ${name} (T4)`, () => {
    const count = fourLevels().nodes.length;
    for (let a = 0; a < count; a++) {
      for (let b = 0; b < count; b++) {
        if (a === b) continue;
        const tree = fourLevels();
        const from = tree.nodes[a] as Node;
        const to = tree.nodes[b] as Node;
        prepare(tree, from, to);
        const isOnLine = isAbove(from, to) || isAbove(to, from);
        for (const handle of [handles.CALL, 300, handles.FIRST_REPLY, handles.FIRST_CHANNEL]) {
          const auth = reaches(tree, from, to, handle);
          // On the way down the source is believed with what it says; the hop that opens the way lends its own authority.
          const wanted = expected(isOnLine, handle, from);
          const isRight =
            wanted === 0 && !isOnLine
              ? auth !== undefined && isAbove(tree.nodes[auth] as Node, from) && isAbove(tree.nodes[auth] as Node, to)
              : auth === wanted;
          assert.ok(isRight, `${a} to handle ${handle} of ${b}: ${auth} instead of ${wanted}`);
        }
        for (const handle of [handles.CONNECT, handles.SHUTDOWN, handles.BUNDLE]) if (!isAbove(from, to)) reaches(tree, from, to, handle);
        assert.deepEqual(tree.orders, isOnLine && isAbove(from, to) ? tree.orders : [], 'no order crosses, or goes up');
        const { size } = to.router;
        to.up?.router.remove(
          to.up.router.children.get(to.id) as Stream,
          Object.assign(new Error('died'), { code: 'ERR_MITOS_DISCONNECTED', via: [], hint: undefined }) as never,
        );
        tree.run();
        assert.equal(size, to.router.size);
        if (!isAbove(to, from)) assert.equal(reaches(tree, from, to, 300), undefined, 'nobody reaches the dead');
      }
    }
  });
}

test('A hostile parent may do as it likes below, but what it strips is still checked above it (T4)', () => {
  const tree = fourLevels();
  const [master, one, two] = tree.nodes as [Node, Node, Node];
  const leaf = tree.nodes.at(-1) as Node;
  assert.ok(isAbove(two, leaf) && master.down.length === 2);
  const frame = jsonFrame(1, leaf.id, 3, handles.CALL, 0, 'x');
  frame.writeUInt32BE(0, 12);
  one.router.parent?.send(frame);
  tree.run();
  assert.equal(leaf.delivered.length, 0);
});
