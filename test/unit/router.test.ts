import assert from 'node:assert/strict';
import test from 'node:test';
import type { MitosError } from '#src/core/errors.js';
import { mitosError } from '#src/core/errors.js';
import * as handles from '#src/core/handles.js';
import { DEFAULT_LIMITS, type Limits } from '#src/core/limits.js';
import type { Reason } from '#src/core/reason.js';
import { FIRST_PAGED_ID, PAGE } from '#src/core/route-table.js';
import { Router } from '#src/core/router.js';
import type { Stream } from '#src/core/stream.js';
import {
  authOf,
  BULK,
  CONTROL,
  DEAD,
  dataOf,
  dstOf,
  FRAGMENT,
  HEADER,
  handleOf,
  jsonFrame,
  jsonOf,
  MAX_FRAME_DATA,
  makeFrame,
  NORMAL,
  srcOf,
} from '#src/core/wire.js';

interface FakeStream {
  peerId: number;
  name: string;
  queuedBytes: number;
  sent: Buffer[];
  closed: MitosError[];
}

function fakeStream(peerId: number): FakeStream & Stream {
  const stream = {
    peerId,
    name: `context ${peerId}`,
    queuedBytes: 0,
    sent: [] as Buffer[],
    closed: [] as MitosError[],
    stats: {},
    send: (frame: Buffer) => stream.sent.push(frame),
    close: (reason: MitosError) => stream.closed.push(reason),
  };
  return stream as unknown as FakeStream & Stream;
}

/** A router with a parent (unless it is the master) and children 1 and 2; child 1 has 11 below it. */
function setUp(id = 50, options: { limits?: Partial<Limits>; isUnidirectional?: boolean } = {}) {
  const delivered: Buffer[] = [];
  const events: string[] = [];
  const router = new Router(id, { ...DEFAULT_LIMITS, ...options.limits }, options.isUnidirectional ?? true, {
    deliver: (frame) => delivered.push(frame),
    onHello: () => events.push('hello'),
    onConnect: () => events.push('connect'),
    onShutdown: (_frame, target) => events.push(`shutdown ${target}`),
    onBundle: () => events.push('bundle'),
    onFlush: () => events.push('flush'),
    onOrphan: () => events.push('orphan'),
  });
  const parent = fakeStream(0);
  if (id) router.parent = parent;
  const one = fakeStream(1);
  const two = fakeStream(2);
  router.addChild(one);
  router.addChild(two);
  const grant = (start: number, count: number, via: number): void =>
    router.route(jsonFrame(CONTROL, id, 0, handles.GRANT, 0, { start, count, via }), id ? parent : undefined);
  grant(11, 1, 1);
  one.sent.length = 0;
  return { router, delivered, events, parent, one, two, grant };
}

const from = (src: number, dst: number, handle = 300, replyTo = 0, value: unknown = null): Buffer =>
  jsonFrame(NORMAL, dst, src, handle, replyTo, value);
const codesOf = (frames: Buffer[]): string[] => frames.map((frame) => (jsonOf(frame) as Reason).code);

test('Router gives a frame from a child no other authority than that of its source', () => {
  const { router, delivered, one } = setUp();
  for (const src of [1, 11]) {
    const frame = from(src, 50);
    frame.writeUInt32BE(0, 12);
    router.route(frame, one);
    const got = delivered.pop() as Buffer;
    assert.deepEqual([srcOf(got), authOf(got)], [src, src]);
  }
});

test('Router drops a frame from a child whose source was not granted to that child, or is gone', () => {
  const { router, delivered, parent, one, two } = setUp();
  for (const src of [2, 50, 0, 999, FIRST_PAGED_ID]) for (const dst of [50, 0, 2, 1]) router.route(from(src, dst, 300, 70000), one);
  router.route(from(1, 50, handles.GONE, 0, { ids: [11], pages: [] }), one);
  parent.sent.length = delivered.length = 0;
  router.route(from(11, 0), one);
  router.route(from(11, 50), one);
  assert.deepEqual([delivered, parent.sent, one.sent, two.sent], [[], [], [], []]);
});

test('Router believes its parent', () => {
  const { router, one, parent } = setUp();
  router.route(from(7, 11), parent);
  assert.equal(srcOf(one.sent[0] as Buffer), 7);
});

test('Router sends down by grant, up when it knows no way, and answers what has nowhere to go', () => {
  const { router, parent, one, two } = setUp();
  router.route(from(50, 11, 300, 70000), undefined);
  router.route(from(50, 2, 300, 70000), undefined);
  router.route(from(1, 4711, 300, 70000), one);
  assert.deepEqual([one.sent.length, two.sent.length, parent.sent.length], [1, 1, 1]);
  router.route(from(0, 4711, 300, 70000), parent);
  const answer = parent.sent[1] as Buffer;
  assert.equal(answer[2], CONTROL | DEAD);
  assert.deepEqual([dstOf(answer), srcOf(answer), handleOf(answer)], [0, 4711, 70000]);
  assert.deepEqual(codesOf([answer]), ['ERR_MITOS_NO_ROUTE']);
  assert.match((jsonOf(answer) as Reason).message, /4711/);
});

test('Router is silent when nobody waits for an answer, and never answers what is dead itself', () => {
  const { router, parent } = setUp();
  router.route(from(0, 4711), parent);
  router.route(jsonFrame(CONTROL | DEAD, 4711, 0, 300, 70000, null), parent);
  assert.deepEqual(parent.sent, []);
});

test('Router does not send back to a child what came from it', () => {
  const { router, one } = setUp(0);
  router.route(from(1, 11, 300, 70000), one);
  assert.deepEqual(codesOf(one.sent), ['ERR_MITOS_NO_ROUTE']);
});

test('Router grants ids one by one and in pages, hop by hop, and tells the one they are for', () => {
  const { router, one, grant, delivered } = setUp();
  grant(FIRST_PAGED_ID, PAGE, 11);
  assert.equal(router.routes.lookup(FIRST_PAGED_ID + 255), one);
  assert.deepEqual(jsonOf(one.sent[0] as Buffer), { start: FIRST_PAGED_ID, count: PAGE, via: 11 });
  assert.deepEqual([dstOf(one.sent[0] as Buffer), handleOf(one.sent[0] as Buffer)], [1, handles.GRANT]);
  grant(FIRST_PAGED_ID + PAGE, PAGE, 50);
  assert.deepEqual(jsonOf(delivered[0] as Buffer), { kind: 'grant', start: FIRST_PAGED_ID + PAGE, count: PAGE });
});

test('Router of the master hands out pages to children that ask, up to their quota', () => {
  const { router, one } = setUp(0, { limits: { maxIdsPerChild: 3 * PAGE } });
  for (let count = 0; count < 5; count++) router.route(from(11, 0, handles.ALLOCATE, 70000, {}), one);
  const starts = one.sent.filter((frame) => handleOf(frame) === handles.GRANT).map((frame) => (jsonOf(frame) as { start: number }).start);
  assert.deepEqual(
    starts,
    [0, 1, 2].map((at) => FIRST_PAGED_ID + at * PAGE),
  );
  assert.deepEqual(codesOf(one.sent.slice(3)), ['ERR_MITOS_LIMIT', 'ERR_MITOS_LIMIT']);
});

test('Router of another context does not pass on a wish for ids that is addressed to it', () => {
  const { router, one, parent } = setUp();
  router.route(from(1, 50, handles.ALLOCATE, 70000, {}), one);
  assert.deepEqual(parent.sent, []);
});

test('Router closes the link of a child that announces a context which was not granted to it', () => {
  for (const id of [2, 50, 0, 999, FIRST_PAGED_ID, 'x', null]) {
    const { router, one, parent, delivered } = setUp();
    router.route(from(1, 50, handles.ARRIVED, 0, { id, about: {} }), one);
    assert.equal(one.closed[0]?.code, 'ERR_MITOS_PROTOCOL');
    assert.deepEqual([parent.sent, delivered], [[], []]);
  }
});

test('Router passes the arrival of a granted context on to its own context and upwards', () => {
  const { router, one, parent, delivered } = setUp();
  router.route(from(1, 50, handles.ARRIVED, 0, { id: 11, about: { name: 'x' } }), one);
  assert.deepEqual(jsonOf(delivered[0] as Buffer), { kind: 'arrived', id: 11, about: { name: 'x' } });
  assert.deepEqual([handleOf(parent.sent[0] as Buffer), srcOf(parent.sent[0] as Buffer)], [handles.ARRIVED, 50]);
});

test('Router takes orders from above only, whatever a child claims to be', () => {
  for (const handle of [handles.GRANT, handles.CONNECT, handles.SHUTDOWN, handles.STATS, handles.FLUSH, handles.BUNDLE, 63]) {
    const { router, one, parent, events } = setUp();
    const frame = from(1, 50, handle, 70000, { start: 2, count: 1, via: 1 });
    frame.writeUInt32BE(0, 12);
    router.route(frame, one);
    assert.deepEqual(codesOf(one.sent), ['ERR_MITOS_POLICY']);
    assert.deepEqual(events, []);
    assert.equal(router.routes.lookup(2)?.peerId, 2);
    assert.deepEqual(parent.sent, []);
  }
});

test('Router lets no order for another router cross, even where the way is open', () => {
  for (const isUnidirectional of [true, false]) {
    const { router, one, two, parent } = setUp(50, { isUnidirectional });
    router.route(from(0, 50, handles.OPEN, 0, { from: 1, to: 2 }), parent);
    for (let handle = 1; handle < handles.FIRST_MAILBOX; handle++) router.route(from(1, 2, handle, 70000, {}), one);
    assert.deepEqual(two.sent, []);
    assert.equal(one.sent.length, 63);
  }
});

test('Router refuses an unknown control frame by rule', () => {
  const { router, parent } = setUp();
  router.route(from(0, 50, 40, 70000), parent);
  assert.deepEqual(codesOf(parent.sent), ['ERR_MITOS_PROTOCOL']);
});

test('Router refuses a sibling, until an ancestor opens the way, and gives its frames the authority of that ancestor', () => {
  const { router, one, two, parent } = setUp();
  router.route(from(1, 2, handles.CALL, 70000), one);
  assert.deepEqual(codesOf(one.sent), ['ERR_MITOS_POLICY']);
  router.route(from(0, 50, handles.OPEN, 0, { from: 1, to: 2 }), parent);
  router.route(from(1, 2, handles.CALL, 70000), one);
  assert.deepEqual([srcOf(two.sent[0] as Buffer), authOf(two.sent[0] as Buffer)], [1, 0]);
  router.route(from(2, 1, handles.CALL, 70000), two);
  assert.deepEqual(codesOf(two.sent.slice(1)), ['ERR_MITOS_POLICY']);
  router.route(from(2, 1, 70000), two);
  assert.equal(authOf(one.sent.at(-1) as Buffer), 2);
});

test('Router opens a way for a channel only without lending anybody authority', () => {
  const { router, one, two, parent } = setUp();
  router.route(from(0, 50, handles.OPEN, 0, { from: 1, to: 2, own: true }), parent);
  router.route(from(1, 2, handles.CALL, 70000), one);
  assert.equal(authOf(two.sent[0] as Buffer), 1);
});

test('Router opens nothing on the word of a child for anybody but those behind it', () => {
  const { router, one, two } = setUp();
  router.route(from(1, 50, handles.OPEN, 0, { from: 1, to: 2 }), one);
  router.route(from(1, 50, handles.OPEN, 0, { from: 2, to: 1 }), one);
  router.route(from(1, 2, 300, 70000), one);
  router.route(from(2, 1, 300, 70000), two);
  assert.deepEqual(codesOf([...one.sent, ...two.sent]), ['ERR_MITOS_POLICY', 'ERR_MITOS_POLICY']);
});

test('Router takes news and wishes from its neighbours only, and not from further below', () => {
  const { router, one, parent, delivered, grant } = setUp();
  grant(12, 1, 1);
  parent.sent.length = one.sent.length = 0;
  for (const [handle, value] of [
    [handles.ARRIVED, { id: 999 }],
    [handles.GONE, { ids: [12], pages: [], reason: {} }],
    [handles.OPEN, { from: 99, to: 12 }],
    [handles.HELLO, { v: 7 }],
  ] as const)
    router.route(from(11, 50, handle, 70000, value), one);
  assert.deepEqual(codesOf(one.sent), Array(4).fill('ERR_MITOS_POLICY'));
  assert.deepEqual([one.closed, delivered, parent.sent], [[], [], []]);
  assert.equal(router.routes.lookup(12), one);
});

test('Router lets a child open itself to one it may talk to', () => {
  const { router, one, two, parent } = setUp();
  router.route(from(0, 50, handles.OPEN, 0, { from: 1, to: 2 }), parent);
  router.route(from(1, 50, handles.OPEN, 0, { from: 2, to: 11, by: 11 }), one);
  router.route(from(2, 11, 300, 70000), two);
  assert.deepEqual(codesOf(two.sent), ['ERR_MITOS_POLICY'], '11 itself may not talk to 2');
  router.route(from(1, 50, handles.OPEN, 0, { from: 2, to: 11 }), one);
  router.route(from(2, 11, 300, 70000), two);
  assert.equal(authOf(one.sent.at(-1) as Buffer), 1);
});

test('Router passes the wish to open a way upwards when one end is not below it, and down when both are behind one child', () => {
  const { router, one, parent } = setUp();
  router.route(from(50, 50, handles.OPEN, 0, { from: 99, to: 11 }), undefined);
  router.route(from(50, 50, handles.OPEN, 0, { from: 99, to: 50 }), undefined);
  router.route(from(1, 50, handles.OPEN, 0, { from: 99, to: 11 }), one);
  assert.deepEqual(parent.sent.map(handleOf), [handles.OPEN, handles.OPEN, handles.OPEN]);
  assert.equal(srcOf(parent.sent[2] as Buffer), 50);
  assert.deepEqual(jsonOf(parent.sent[2] as Buffer), { from: 99, to: 11, by: 1 });
  router.route(from(0, 50, handles.OPEN, 0, { from: 11, to: 1 }), parent);
  assert.deepEqual(one.sent.map(handleOf), [handles.OPEN]);
});

test('Router lets siblings talk when it is not unidirectional, on nobody else’s authority', () => {
  const { router, one, two } = setUp(50, { isUnidirectional: false });
  const frame = from(11, 2);
  frame.writeUInt32BE(0, 12);
  router.route(frame, one);
  assert.deepEqual([srcOf(two.sent[0] as Buffer), authOf(two.sent[0] as Buffer)], [11, 11]);
});

test('Router tells its context, its parent and whoever could talk to it when a child is gone', () => {
  const { router, one, two, parent, delivered, grant } = setUp();
  grant(FIRST_PAGED_ID, PAGE, 11);
  router.route(from(0, 50, handles.OPEN, 0, { from: 2, to: 11 }), parent);
  router.remove(one, mitosError('ERR_MITOS_CHILD_EXIT', 'It exited'));
  const gone = delivered.map(jsonOf).at(-1) as { kind: string; ids: number[]; pages: number[]; reason: Reason };
  assert.deepEqual([gone.kind, gone.ids, gone.pages, gone.reason.code], ['gone', [1, 11], [FIRST_PAGED_ID / PAGE], 'ERR_MITOS_CHILD_EXIT']);
  assert.equal(handleOf(parent.sent[0] as Buffer), handles.GONE);
  assert.deepEqual([handleOf(two.sent[0] as Buffer), dstOf(two.sent[0] as Buffer)], [handles.TREE, 2]);
  assert.equal(router.size, 1);
  router.remove(one, mitosError('ERR_MITOS_CHILD_EXIT', 'Again'));
  assert.equal(parent.sent.length, 1);
});

test('Router answers for a context that is gone with the reason, also for one of a page, from below and from above', () => {
  const { router, one, two, parent, grant } = setUp();
  grant(FIRST_PAGED_ID, PAGE, 11);
  router.remove(one, mitosError('ERR_MITOS_CHILD_EXIT', 'web exited with code 3', { hint: 'look', data: { exitCode: 3 } }));
  parent.sent.length = 0;
  for (const dst of [1, 11, FIRST_PAGED_ID + 3]) {
    router.route(from(0, dst, 300, 70000), parent);
    router.route(from(2, dst, 300, 70000), two);
  }
  assert.equal(two.sent.length, 3);
  for (const answer of [...parent.sent, ...two.sent]) {
    assert.deepEqual(jsonOf(answer), {
      code: 'ERR_MITOS_CHILD_EXIT',
      message: 'web exited with code 3',
      hint: 'look',
      via: [],
      data: { exitCode: 3 },
    });
  }
});

test('Router takes the news that contexts are gone from the child they were granted to only', () => {
  const { router, one, two, parent, grant } = setUp();
  grant(FIRST_PAGED_ID, PAGE, 11);
  const reason = { code: 'ERR_MITOS_CHILD_EXIT', message: 'x' };
  router.route(from(2, 50, handles.GONE, 0, { ids: [1, 11, 50, 0, FIRST_PAGED_ID], pages: [FIRST_PAGED_ID / PAGE], reason }), two);
  assert.equal(parent.sent.length, 0);
  router.route(from(1, 50, handles.GONE, 0, { ids: [1, 2, 11], pages: [FIRST_PAGED_ID / PAGE], reason }), one);
  const gone = jsonOf(parent.sent[0] as Buffer) as { ids: number[]; pages: number[] };
  assert.deepEqual([gone.ids, gone.pages], [[11], [FIRST_PAGED_ID / PAGE]], 'a child is not gone while its link is up');
  assert.equal(router.routes.lookup(1), one);
});

test('Router survives every kind of nonsense in a control frame of a child', () => {
  for (const value of [
    null,
    5,
    'x',
    [],
    {},
    { ids: 1 },
    { ids: [], pages: [] },
    { ids: [{}], pages: ['y'] },
    { ids: [11], pages: [], reason: null },
    { ids: [11], pages: [], reason: { message: {} } },
  ]) {
    for (let handle = 0; handle < handles.FIRST_MAILBOX; handle++) {
      const { router, one } = setUp();
      router.route(from(1, 50, handle, 70000, value), one);
      router.route(makeFrame(NORMAL, 50, 1, handle, 70000, Buffer.from('{')), one);
    }
  }
});

test('Router makes a readable reason of what a child says', () => {
  const { router, one, delivered } = setUp();
  router.route(from(1, 50, handles.GONE, 0, { ids: [11], pages: [], reason: { code: 'rm -rf', message: 'x'.repeat(50_000) } }), one);
  const { reason } = jsonOf(delivered[0] as Buffer) as { reason: Reason };
  assert.equal(reason.code, 'ERR_MITOS_DISCONNECTED');
  assert.ok(reason.message.length <= 8192);
});

test('Router tells of many contexts in frames that are not too large', () => {
  const { router, one, parent, grant, delivered } = setUp();
  for (let id = 100_000; id < 120_000; id++) grant(id, 1, 1);
  router.remove(one, mitosError('ERR_MITOS_CHILD_EXIT', 'y'.repeat(40_000)));
  const told = (frames: Buffer[]): number =>
    frames.map((frame) => (jsonOf(frame) as { ids: number[] }).ids.length).reduce((sum, count) => sum + count, 0);
  assert.equal(told(parent.sent), 20_002);
  assert.equal(told(delivered), 20_002);
  for (const frame of parent.sent) assert.ok(frame.length <= HEADER + MAX_FRAME_DATA);
});

test('Router keeps a bounded number of reasons', () => {
  const { router, one, parent, grant } = setUp();
  for (let id = 1000; id < 4000; id++) grant(id, 1, 1);
  router.remove(one, mitosError('ERR_MITOS_CHILD_EXIT', 'x'));
  parent.sent.length = 0;
  for (let id = 1000; id < 4000; id++) router.route(from(0, id, 300, 70000), parent);
  assert.equal(codesOf(parent.sent).filter((code) => code === 'ERR_MITOS_CHILD_EXIT').length, 256);
});

test('Router holds a bounded number of bytes for a neighbour that does not read', () => {
  const { router, one, two, parent } = setUp(50, { limits: { maxHeldBytes: 1000 } });
  one.queuedBytes = 1001;
  router.route(from(0, 1, 300, 70000), parent);
  assert.deepEqual(one.sent, []);
  assert.deepEqual(codesOf(parent.sent), ['ERR_MITOS_LIMIT']);
  parent.queuedBytes = 1001;
  router.route(from(2, 0, 300, 70000), two);
  assert.deepEqual(codesOf(two.sent), ['ERR_MITOS_LIMIT']);
});

test('Router gives back the credit of a fragment that it refuses', () => {
  const { router, parent } = setUp();
  router.route(makeFrame(BULK | FRAGMENT, 4711, 0, 300, 0, Buffer.alloc(1000)), parent);
  const credit = parent.sent[0] as Buffer;
  assert.deepEqual([dstOf(credit), srcOf(credit), handleOf(credit), dataOf(credit).readUInt32BE(0)], [0, 4711, handles.BULK_CREDIT, 1000]);
});

test('Router answers with a reason when the answer does not fit into a frame, and shortens a reason that does not', () => {
  const { router, parent } = setUp();
  router.reply(from(0, 50, handles.STATS, 70000), 'x'.repeat(MAX_FRAME_DATA));
  router.refuse(from(0, 50, handles.STATS, 70000), {
    code: 'ERR_MITOS_CHILD_EXIT',
    message: 'died',
    data: { stderr: 'x'.repeat(MAX_FRAME_DATA) },
  });
  assert.deepEqual(codesOf(parent.sent), ['ERR_MITOS_TOO_LARGE', 'ERR_MITOS_CHILD_EXIT']);
});

test('Router tells its context when the parent is gone', () => {
  const { router, parent, events } = setUp();
  router.remove(parent, mitosError('ERR_MITOS_DISCONNECTED', 'x'));
  assert.deepEqual(events, ['orphan']);
});

test('Router ignores a greeting-like or arrival-like frame of its parent', () => {
  const { router, parent } = setUp();
  router.route(from(0, 50, handles.ARRIVED, 0, { id: 999 }), parent);
  router.route(from(0, 50, handles.GONE, 0, { ids: [1], pages: [] }), parent);
  assert.deepEqual(parent.closed, []);
  assert.equal(router.routes.lookup(1)?.peerId, 1);
});
