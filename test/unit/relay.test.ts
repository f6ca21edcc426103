/** The relay of a hop, between a parent and two children that are played by the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildConfig } from '#src/core/config.js';
import { CALL, FIRST_REPLY, GET_MODULE, LOAD, RELAY } from '#src/core/handles.js';
import { Hop } from '#src/core/hop.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { type ModuleDef, Parts, unpackModules } from '#src/core/module-batch.js';
import { cut, packBatches, packModules } from '#src/core/module-pack.js';
import { fromRanges, type RelayHead, readRelayMessage, relayMessage, toRanges } from '#src/core/relay-message.js';
import type { Stream } from '#src/core/stream.js';
import { CONTROL, DEAD, handleOf, jsonFrame, jsonOf, makeFrame, NORMAL, srcOf, writeHeader } from '#src/core/wire.js';
import { Relay } from '#src/parent/relay.js';

const code = (id: number): string => `exports.id=${id}`;
const def = (id: number): ModuleDef => ({ id, url: `file:///${id}.js`, kind: 'cjs', code: code(id), deps: {} });
const HOP = 1;
const A = 2;
const B = 3;
/** Behind B. */
const FAR = 4;

interface Seen {
  handle: number;
  ids: number[];
  head?: RelayHead;
  value?: unknown;
  isDead?: boolean;
}

class Place {
  readonly hop: Hop;
  readonly relay: Relay;
  readonly streams: Record<'parent' | 'a' | 'b', Stream>;
  readonly #out: Map<string, Buffer[]> = new Map();
  readonly #parts: Map<string, Parts> = new Map();

  constructor(limits: Partial<typeof DEFAULT_LIMITS> = {}) {
    const config = {
      id: HOP,
      name: 'hop',
      ancestors: [0],
      ancestorNames: ['master'],
      isUnidirectional: true,
      limits: { ...DEFAULT_LIMITS, ...limits },
      keepAlive: { intervalMs: 1e6, timeoutMs: 1e6 },
    } as unknown as ChildConfig;
    const deliver = (frame: Buffer): void => this.#take('self', frame);
    this.hop = new Hop(config, { core: '', packedCore: Buffer.alloc(0) }, {}, { deliver, onOrphan: () => {}, onShutdown: () => {} });
    this.relay = new Relay(this.hop);
    this.streams = { parent: this.#stream(0, 'parent'), a: this.#stream(A, 'a'), b: this.#stream(B, 'b') };
    this.hop.router.parent = this.streams.parent;
    this.hop.router.addChild(this.streams.a);
    this.hop.router.addChild(this.streams.b);
    this.hop.router.routes.grant(FAR, 1, this.streams.b);
  }

  #stream(id: number, name: string): Stream {
    const stream = this.hop.createStream(id, name, () => {});
    stream.send = (frame) => this.#take(name, frame);
    return stream;
  }

  #take(to: string, frame: Buffer): void {
    const out = this.#out.get(to);
    if (out) out.push(frame);
    else this.#out.set(to, [frame]);
  }

  /** What has gone to a neighbour since it was looked at last. */
  seen(to: 'parent' | 'a' | 'b' | 'self'): Seen[] {
    const seen: Seen[] = [];
    for (const frame of this.#out.get(to)?.splice(0) ?? []) {
      const handle = handleOf(frame);
      const isDead = ((frame[2] as number) & DEAD) !== 0;
      if ((handle !== LOAD && handle !== RELAY) || isDead) {
        seen.push({ handle, ids: [], value: jsonOf(frame), ...(isDead && { isDead }) });
        continue;
      }
      assert.equal(srcOf(frame), 0);
      const key = `${to} ${handle}`;
      const parts = this.#parts.get(key) ?? new Parts();
      this.#parts.set(key, parts);
      const message = parts.add(frame);
      if (!message) continue;
      const { head, batch } = handle === RELAY ? readRelayMessage(message) : { head: undefined, batch: message };
      const ids = batch.length ? unpackModules(batch, 1 << 24).map(({ id }) => id) : [];
      seen.push({ handle, ids, ...(head && { head }) });
    }
    return seen;
  }

  /** From above. */
  relayed(head: RelayHead, batch?: Buffer): void {
    for (const message of cut(relayMessage(head, batch)))
      this.hop.router.route(writeHeader(message, NORMAL, HOP, 0, RELAY, 0), this.streams.parent);
  }

  /** Modules from above for a context. */
  bring(to: number, own: number[], ids: number[] = []): Buffer {
    const data = packModules(own.map(def));
    this.relayed({ to, own: toRanges(own), ids: toRanges(ids) }, data);
    return data;
  }

  ask(from: 'a' | 'b', query: unknown, replyTo: number = FIRST_REPLY, src: number = this.streams[from].peerId): void {
    this.hop.router.route(jsonFrame(NORMAL, 0, src, GET_MODULE, replyTo, query), this.streams[from]);
  }
}

test('Sets of ids travel as runs', () => {
  assert.deepEqual(toRanges([5, 1, 2, 3, 9, 8]), [1, 3, 5, 5, 8, 9]);
  assert.deepEqual(fromRanges(toRanges([5, 1, 2, 3, 9, 8])), [1, 2, 3, 5, 8, 9]);
  assert.deepEqual(fromRanges(), []);
});

test('What comes for one child is given to it, and to the next without coming again', () => {
  const place = new Place();
  place.bring(A, [1, 2, 3]);
  assert.deepEqual(place.seen('a'), [{ handle: LOAD, ids: [1, 2, 3] }]);
  place.relayed({ to: B, ids: toRanges([1, 2, 3]) });
  place.relayed({ to: B, ids: toRanges([1, 2, 3]) });
  assert.deepEqual(place.seen('b'), [{ handle: LOAD, ids: [1, 2, 3] }]);
  assert.deepEqual(place.seen('parent'), []);
});

test('A batch of several frames is passed on whole and in front of the call behind it', () => {
  const place = new Place();
  const big = { ...def(1), code: Array.from({ length: 40_000 }, (_, n) => (n * 7919 * 104729).toString(36)).join() };
  const data = packModules([big]);
  assert.ok(data.length > 65536, `${data.length}`);
  place.relayed({ to: A, own: [1, 1] }, data);
  place.hop.router.route(makeFrame(NORMAL, A, 0, CALL, 0), place.streams.parent);
  assert.deepEqual(
    place.seen('a').map(({ handle, ids }) => ({ handle, ids })),
    [
      { handle: LOAD, ids: [1] },
      { handle: CALL, ids: [] },
    ],
  );
});

test('To a hop further below goes what its link has not carried, with the ids of the rest', () => {
  const place = new Place();
  place.bring(FAR, [1, 2]);
  assert.deepEqual(place.seen('b'), [{ handle: RELAY, ids: [1, 2], head: { to: FAR, own: [1, 2] } }]);
  place.bring(FAR, [3], [1, 2]);
  assert.deepEqual(place.seen('b'), [
    { handle: RELAY, ids: [3], head: { to: FAR, own: [3, 3] } },
    { handle: RELAY, ids: [], head: { to: FAR, ids: [1, 2] } },
  ]);
  // That child itself needs them too: it has them below, so only the word goes.
  place.relayed({ to: B, ids: [1, 3] });
  assert.deepEqual(place.seen('b'), [{ handle: RELAY, ids: [], head: { to: B, ids: [1, 3] } }]);
  place.relayed({ to: B, ids: [1, 3] });
  assert.deepEqual(place.seen('b'), []);
});

test('What the hop was sent itself is there for its children, and what is there for them it gets without asking', () => {
  const place = new Place();
  for (const message of cut(packModules([def(1), def(2)]))) place.streams.parent.feed(writeHeader(message, NORMAL, HOP, 0, LOAD, 0));
  assert.deepEqual(place.seen('self'), [{ handle: LOAD, ids: [1, 2] }]);
  place.bring(A, [3], [1, 2]);
  assert.deepEqual(
    place
      .seen('a')
      .flatMap(({ ids }) => ids)
      .sort((x, y) => x - y),
    [1, 2, 3],
  );
  place.relayed({ to: HOP, ids: [1, 3] });
  assert.deepEqual(place.seen('self'), [{ handle: LOAD, ids: [3] }]);
  assert.deepEqual(place.seen('parent'), []);
});

test('What a child was sent through the hop is there for the others, and not sent to that child again', () => {
  const place = new Place();
  for (const message of cut(packModules([def(1), def(2)]))) place.streams.parent.feed(writeHeader(message, NORMAL, A, 0, LOAD, 0));
  for (const message of cut(packModules([def(3)]))) place.streams.parent.feed(writeHeader(message, NORMAL, FAR, 0, LOAD, 0));
  assert.deepEqual(place.seen('a'), [{ handle: LOAD, ids: [1, 2] }]);
  assert.deepEqual(place.seen('b'), [{ handle: LOAD, ids: [3] }]);
  place.relayed({ to: A, ids: [1, 3] });
  assert.deepEqual(place.seen('a'), [{ handle: LOAD, ids: [3] }]);
  // The link to the hop below has carried it, for one behind that.
  place.relayed({ to: B, ids: [1, 3] });
  assert.deepEqual(
    place.seen('b').map(({ handle, ids }) => ({ handle, ids })),
    [
      { handle: LOAD, ids: [1, 2] },
      { handle: RELAY, ids: [] },
    ],
  );
  assert.deepEqual(place.seen('parent'), []);
});

test('What has been given up to make room is asked for again, and reaches who needs it', () => {
  const place = new Place({ maxModuleBytes: 10 });
  place.bring(A, [1]);
  place.bring(A, [2]);
  place.relayed({ to: B, ids: [1, 2] });
  assert.deepEqual(place.seen('b'), [{ handle: LOAD, ids: [2] }]);
  assert.deepEqual(place.seen('parent'), [{ handle: GET_MODULE, ids: [], value: { id: 1 } }]);
  // The child comes to miss it meanwhile: the same question.
  place.ask('b', { id: 1 });
  assert.deepEqual(place.seen('parent'), []);
  place.relayed({ re: { id: 1 }, own: [1, 1] }, packModules([def(1)]));
  place.relayed({ re: { id: 1 }, target: 1, ids: [1, 2] });
  assert.deepEqual(place.seen('b'), [
    { handle: LOAD, ids: [1] },
    { handle: FIRST_REPLY, ids: [], value: 1 },
  ]);
});

test('Equal questions under way are one, each asker gets what it lacks, and an answer that stays is not asked for again', () => {
  const place = new Place();
  const query = { from: 1, specifier: './x', kind: 'import' } as const;
  place.bring(A, [1]);
  place.ask('a', query);
  place.ask('b', query, FIRST_REPLY + 5);
  assert.deepEqual(place.seen('parent'), [{ handle: GET_MODULE, ids: [], value: query }]);
  place.relayed({ re: query, own: [2, 3] }, packModules([def(2), def(3)]));
  place.relayed({ re: query, target: 3, ids: [1, 3], keep: true });
  assert.deepEqual(place.seen('a'), [
    { handle: LOAD, ids: [1] },
    { handle: LOAD, ids: [2, 3] },
    { handle: FIRST_REPLY, ids: [], value: 3 },
  ]);
  assert.deepEqual(place.seen('b'), [
    { handle: LOAD, ids: [2, 3] },
    { handle: LOAD, ids: [1] },
    { handle: FIRST_REPLY + 5, ids: [], value: 3 },
  ]);
  place.ask('a', query, FIRST_REPLY + 1);
  assert.deepEqual(place.seen('a'), [{ handle: FIRST_REPLY + 1, ids: [], value: 3 }]);
  assert.deepEqual(place.seen('parent'), []);
  assert.equal(place.relay.stats.questions, 0);
});

test('A hop below is answered with what its link has not carried', () => {
  const place = new Place();
  const query = { from: 1, specifier: './x', kind: 'import' } as const;
  place.bring(FAR, [1]);
  place.seen('b');
  place.ask('b', query, RELAY);
  place.ask('a', query);
  place.relayed({ re: query, own: [2, 2] }, packModules([def(2)]));
  place.relayed({ re: query, target: 2, ids: [1, 2], keep: true });
  assert.deepEqual(place.seen('b'), [
    { handle: RELAY, ids: [2], head: { re: query, own: [2, 2] } },
    { handle: RELAY, ids: [], head: { re: query, target: 2, ids: [1, 2], keep: true } },
  ]);
  assert.deepEqual(
    place.seen('a').flatMap(({ ids }) => ids),
    [2, 1],
  );
});

test('A refusal carries its reason to all who asked, and only one that stays is kept', () => {
  const place = new Place();
  const target = { code: 'ERR_MITOS_MODULE_NOT_FOUND', message: 'Cannot find module' };
  for (const keep of [false, true]) {
    const query = { from: 1, specifier: `./${keep}`, kind: 'import' } as const;
    for (const from of ['a', 'b'] as const) place.ask(from, query);
    place.relayed({ re: query, target, ids: [], ...(keep && { keep }) });
    for (const from of ['a', 'b'] as const) assert.deepEqual(place.seen(from), [{ handle: FIRST_REPLY, ids: [], value: target }]);
    place.seen('parent');
    place.ask('a', query);
    assert.equal(place.seen('parent').length, keep ? 0 : 1);
  }
});

test('Who is gone is forgotten: it gets no answer, and the next of its number gets everything', () => {
  const place = new Place();
  const query = { from: 1, specifier: './x', kind: 'import' } as const;
  place.bring(A, [1]);
  place.ask('a', query);
  place.seen('a');
  place.hop.router.remove(place.streams.a, new Error('gone') as never);
  place.relayed({ re: query, target: 1, ids: [1, 1], keep: true });
  assert.deepEqual(place.seen('a'), []);
  place.relayed({ to: A, ids: [1, 1] });
  assert.deepEqual(place.seen('a'), []);
});

test('When the one above refuses to answer, all who wait are told why', () => {
  const place = new Place();
  place.ask('a', { from: 1, specifier: './x', kind: 'import' });
  place.ask('b', { from: 1, specifier: './y', kind: 'import' }, RELAY);
  const reason = { code: 'ERR_MITOS_LIMIT', message: 'too often' };
  place.hop.router.route(jsonFrame(CONTROL | DEAD, HOP, 0, RELAY, 0, reason), place.streams.parent);
  assert.deepEqual(place.seen('a'), [{ handle: FIRST_REPLY, ids: [], value: reason }]);
  assert.deepEqual(place.seen('b')[0]?.head?.target, reason);
  assert.equal(place.relay.stats.questions, 0);
});

test('A byte that changes in the store of a hop is found: the module is asked for again and never passed on to who misses it', () => {
  const place = new Place();
  place.bring(A, [1, 2]);
  place.seen('a');
  // As it lies there: the last bytes of a message that came are those that are kept.
  const data = packBatches([def(3)])[0]?.data as Buffer;
  const message = cut(relayMessage({ to: A, own: [3, 3] }, data))[0] as Buffer;
  const at = message.length - 3;
  message[at] = (message[at] as number) ^ 0x40;
  place.hop.router.route(writeHeader(message, NORMAL, HOP, 0, RELAY, 0), place.streams.parent);
  assert.throws(() => place.seen('a'), { code: 'ERR_MITOS_MODULE_DAMAGED' });
  // The child has refused it and asks.
  place.ask('a', { id: 3 });
  assert.deepEqual(place.seen('parent'), [{ handle: GET_MODULE, ids: [], value: { id: 3 } }]);
  place.relayed({ re: { id: 3 }, own: [3, 3] }, data);
  place.relayed({ re: { id: 3 }, target: 3, ids: [3, 3], keep: true });
  assert.deepEqual(place.seen('a'), [
    { handle: LOAD, ids: [3] },
    { handle: FIRST_REPLY, ids: [], value: 3 },
  ]);
  // What is whole is given again without a question.
  place.ask('a', { id: 2 });
  assert.deepEqual(place.seen('a'), [
    { handle: LOAD, ids: [2] },
    { handle: FIRST_REPLY, ids: [], value: 2 },
  ]);
  assert.deepEqual(place.seen('parent'), []);
});

test('A child cannot bring modules to the hop: neither as a relay nor as a load, and nothing of it reaches a sibling', () => {
  const place = new Place();
  const evil = packModules([{ ...def(1), code: 'evil' }]);
  for (const message of cut(relayMessage({ to: B, own: [1, 1] }, evil)))
    place.hop.router.route(writeHeader(message, NORMAL, HOP, A, RELAY, FIRST_REPLY), place.streams.a);
  assert.deepEqual(
    place.seen('a').map(({ isDead, value }) => [isDead, (value as { code: string }).code]),
    [[true, 'ERR_MITOS_POLICY']],
  );
  for (const message of cut(evil)) place.hop.router.route(writeHeader(message, NORMAL, HOP, A, LOAD, 0), place.streams.a);
  assert.deepEqual(place.hop.loads, []);
  place.relayed({ re: { id: 1 } as never, target: 1, ids: [] });
  place.relayed({ to: B, ids: [1, 1] });
  assert.deepEqual(place.seen('b'), []);
  assert.equal(place.relay.stats.bytes, 0);
  // Nor can it answer its sibling's question.
  place.ask('b', { id: 1 });
  for (const message of cut(relayMessage({ re: { id: 1 } as never, target: 1, own: [1, 1] }, evil)))
    place.hop.router.route(writeHeader(message, NORMAL, HOP, A, RELAY, 0), place.streams.a);
  assert.deepEqual(place.seen('b'), []);
});

test('Junk for a question, too long a one, and one from further below are left to the master', () => {
  const place = new Place();
  const long = { from: 1, specifier: 'x'.repeat(5000), kind: 'import' };
  for (const query of [null, 3, 'x', long]) place.ask('a', query);
  place.ask('b', { id: 1 }, FIRST_REPLY, FAR);
  assert.deepEqual(
    place.seen('parent').map(({ value }) => value),
    [null, 3, 'x', long, { id: 1 }],
  );
  assert.equal(place.relay.stats.questions, 0);
  for (const query of [{}, [], { id: null }, { id: {} }, { id: '__proto__' }, { from: {}, specifier: 1 }]) place.ask('a', query);
  assert.equal(place.seen('parent').length, 6);
});

test('A child that asks without end is refused, and its siblings are not', () => {
  const place = new Place();
  const query = { from: 1, specifier: './x', kind: 'import' } as const;
  place.ask('a', query);
  place.relayed({ re: query, target: 'node:fs', ids: [], keep: true });
  place.seen('a');
  for (let n = 0; n < 20_000; n++) place.ask('a', query);
  const last = place.seen('a').at(-1);
  assert.equal((last as { value: { code: string } }).value.code, 'ERR_MITOS_LIMIT');
  place.ask('b', query);
  assert.deepEqual(place.seen('b'), [{ handle: FIRST_REPLY, ids: [], value: 'node:fs' }]);
});

test('Answers that are kept are bounded', () => {
  const place = new Place();
  for (let n = 0; n < 3000; n++) {
    const query = { from: 1, specifier: `./${n}`, kind: 'import' } as const;
    place.ask('a', query);
    place.relayed({ re: query, target: 'node:fs', ids: [], keep: true });
  }
  assert.equal(place.relay.stats.answers, 2000);
  assert.equal(place.relay.stats.questions, 0);
});
