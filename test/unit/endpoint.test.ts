import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '#src/core/endpoint.js';
import { MitosError, mitosError } from '#src/core/errors.js';
import { FIRST_REPLY, LOAD, TREE } from '#src/core/handles.js';
import { DEFAULT_LIMITS, type Limits } from '#src/core/limits.js';
import type { Reason } from '#src/core/reason.js';
import { CONTROL, DEAD, ERROR, HEADER, handleOf, jsonFrame, jsonOf, MAX_FRAME_DATA, makeFrame, NORMAL, replyToOf } from '#src/core/wire.js';
import '#src/core/whole.js';

function setUp(limits: Partial<Limits> = {}): { endpoint: Endpoint; sent: Buffer[] } {
  const sent: Buffer[] = [];
  const endpoint = new Endpoint(5, [3, 0], { ...DEFAULT_LIMITS, ...limits }, (frame) => sent.push(frame));
  return { endpoint, sent };
}

const from = (src: number, handle: number, value: unknown = null, flags = NORMAL, replyTo = 0): Buffer =>
  jsonFrame(flags, 5, src, handle, replyTo, value);
const codeOf = (error: unknown): string | undefined => (MitosError.is(error) ? error.code : undefined);
const codesOf = (frames: Buffer[]): string[] => frames.map((frame) => (jsonOf(frame) as Reason).code);

test('Endpoint gives a message to the handler of its mailbox, and refuses one for a mailbox that is not there', () => {
  const { endpoint, sent } = setUp();
  const got: unknown[] = [];
  endpoint.on(300, (message) => got.push(jsonOf(message)));
  endpoint.receive(from(7, 300, 'a'));
  endpoint.off(300);
  endpoint.receive(from(7, 300, 'b', NORMAL, 70000));
  endpoint.receive(from(7, 300, 'c'));
  endpoint.receive(from(7, 300, 'd', DEAD, 70000));
  assert.deepEqual(got, ['a']);
  assert.deepEqual(codesOf(sent), ['ERR_MITOS_DISCONNECTED']);
  assert.deepEqual([handleOf(sent[0] as Buffer), sent[0]?.[2]], [70000, CONTROL | DEAD]);
});

test('Endpoint refuses a message that its mailbox cannot read, instead of failing the link it came by', () => {
  const { endpoint, sent } = setUp();
  endpoint.on(300, () => {
    throw new TypeError('what is this');
  });
  endpoint.receive(from(7, 300, null, NORMAL, 70000));
  assert.deepEqual(codesOf(sent), ['ERR_MITOS_PROTOCOL']);
});

test('A request ends with its reply, and takes it from the context that was asked only', async () => {
  const { endpoint, sent } = setUp();
  const answer = endpoint.requestJson(9, 300, 'question');
  const handle = replyToOf(sent[0] as Buffer);
  assert.ok(handle >= FIRST_REPLY);
  endpoint.receive(from(8, handle, 'forged'));
  endpoint.receive(from(8, handle, { code: 'ERR_MITOS_ABORTED' }, DEAD));
  endpoint.receive(from(9, handle + 1, 'another'));
  endpoint.receive(from(9, handle, 'true'));
  endpoint.receive(from(9, handle, 'late'));
  assert.equal(await answer, 'true');
  assert.equal(endpoint.size, 0);
});

test('A request rejects with the reason of a dead message', async () => {
  const { endpoint, sent } = setUp();
  const answer = endpoint.request(9, 300, 1);
  endpoint.receive(
    from(9, replyToOf(sent[0] as Buffer), { code: 'ERR_MITOS_CHILD_EXIT', message: 'web died', data: { exitCode: 3 } }, DEAD),
  );
  await assert.rejects(answer, (error) => codeOf(error) === 'ERR_MITOS_CHILD_EXIT' && (error as { exitCode?: number }).exitCode === 3);
});

test('A request rejects when the context that was asked is gone, by id or by page, and no other does', async () => {
  const { endpoint, sent } = setUp();
  const gone = endpoint.request(9, 300, 1);
  const paged = endpoint.request(0x1000005, 300, 1);
  const other = endpoint.request(10, 300, 1);
  endpoint.receive(
    from(3, TREE, { kind: 'gone', ids: [9], pages: [0x10000], reason: { code: 'ERR_MITOS_DISCONNECTED', message: 'Lost "web"' } }),
  );
  await assert.rejects(gone, /Lost "web"/);
  await assert.rejects(paged, /Lost "web"/);
  endpoint.receive(from(10, replyToOf(sent[2] as Buffer), 'yes'));
  assert.equal(jsonOf(await other), 'yes');
});

test('Endpoint believes news of the tree from its own line only', () => {
  const { endpoint } = setUp();
  const got: unknown[] = [];
  endpoint.onTree = (notice) => got.push(notice.kind);
  const notice = { kind: 'gone', ids: [9], pages: [], reason: {} };
  for (const src of [0, 3, 5]) endpoint.receive(from(src, TREE, notice));
  for (const src of [1, 4, 6]) endpoint.receive(from(src, TREE, notice));
  endpoint.receive(from(3, TREE, null));
  assert.equal(got.length, 3);
});

test('News that its context cannot read still ends the requests it concerns', async () => {
  const { endpoint, sent } = setUp();
  endpoint.onTree = () => assert.fail('hostile');
  const answer = endpoint.request(9, 300, 1);
  const late = endpoint.request(10, 300, 1);
  endpoint.receive(from(3, TREE, { kind: 'arrived', id: 9, about: { name: { toString: '' } } }));
  endpoint.receive(from(3, TREE, { kind: 'gone', ids: [9], pages: [], reason: { message: { toString: '' }, via: [{ toString: '' }] } }));
  await assert.rejects(answer, /gave no reason/);
  endpoint.receive(from(10, replyToOf(sent[1] as Buffer), { code: 5, message: { toString: '' } }, DEAD));
  await assert.rejects(late, /gave no reason/);
});

test('A reply that its request cannot read ends it all the same', () => {
  const { endpoint, sent } = setUp();
  const ends: string[] = [];
  const onReply = (): void => {
    throw new TypeError('no');
  };
  endpoint.sendJson(9, 300, endpoint.expect(9, { onReply, onDead: (reason) => ends.push(reason.code) }), 1);
  endpoint.receive(from(9, replyToOf(sent[0] as Buffer), 'x'));
  assert.deepEqual(ends, ['ERR_MITOS_PROTOCOL']);
});

test('Endpoint obeys itself and those above it', () => {
  const { endpoint } = setUp();
  assert.deepEqual(
    [0, 1, 3, 4, 5, 6].map((id) => endpoint.obeys(id)),
    [true, false, true, false, true, false],
  );
});

test('A message over the limit is an error at the sender, and the endpoint lives on', () => {
  const { endpoint, sent } = setUp({ maxMessageBytes: 100_000 });
  for (const size of [100_001, 200_000]) {
    assert.throws(
      () => endpoint.send(9, 300, 0, Buffer.alloc(HEADER + size)),
      (error) => codeOf(error) === 'ERR_MITOS_TOO_LARGE' && (error as { size?: number }).size === size,
    );
  }
  assert.equal(sent.length, 0);
  endpoint.send(9, 300, 0, Buffer.alloc(HEADER + 100_000));
  endpoint.send(9, 301, 0, Buffer.alloc(HEADER + 10));
  assert.equal(sent.length, 5);
});

test('An order to a router that does not fit into a frame is an error at the sender', async () => {
  const { endpoint } = setUp();
  await assert.rejects(endpoint.request(9, 8, 'x'.repeat(MAX_FRAME_DATA)), (error) => codeOf(error) === 'ERR_MITOS_TOO_LARGE');
  assert.equal(endpoint.size, 0);
});

test('JSON larger than a frame goes in fragments', () => {
  const { endpoint: sender, sent } = setUp();
  sender.sendJson(5, 300, 0, 'x'.repeat(100_000));
  assert.equal(sent.length, 4);
  const { endpoint: receiver } = setUp();
  let length = 0;
  receiver.on(300, (message) => (length = String(jsonOf(message)).length));
  for (const frame of sent) receiver.receive(frame);
  assert.equal(length, 100_000);
});

test('A blocking request keeps other messages until it is over, in order, and gives its own reply at once', async () => {
  const { endpoint, sent } = setUp();
  const got: unknown[] = [];
  endpoint.on(300, (message) => got.push(jsonOf(message)));
  const other = endpoint.requestJson(9, 301, 'other');
  let turn = 0;
  const reply = endpoint.requestSync(0, 302, 'q', () => {
    turn++;
    endpoint.receive(from(7, 300, turn));
    if (turn === 3) endpoint.receive(from(9, replyToOf(sent[0] as Buffer), 'meanwhile'));
    if (turn === 5) endpoint.receive(from(0, replyToOf(sent[1] as Buffer), 'reply'));
    return true;
  });
  assert.equal(jsonOf(reply), 'reply');
  assert.deepEqual(got, []);
  endpoint.receive(from(7, 300, 6));
  assert.deepEqual(got, [], 'what comes later does not overtake what waits');
  assert.equal(await other, 'meanwhile');
  await new Promise(setImmediate);
  assert.deepEqual(got, [1, 2, 3, 4, 5, 6]);
});

test('A message that was kept may block in its turn, and the order still holds', async () => {
  const { endpoint, sent } = setUp();
  const got: unknown[] = [];
  const block = (messages: unknown[]): void => {
    const at = sent.length;
    endpoint.requestSync(0, 302, 'q', () => {
      for (const value of messages.splice(0)) endpoint.receive(from(7, 300, value));
      endpoint.receive(from(0, replyToOf(sent[at] as Buffer), 'reply'));
      return true;
    });
  };
  endpoint.on(300, (message) => {
    const value = jsonOf(message);
    got.push(value);
    if (value === 1) block([4, 5]);
    if (value === 4) block([6]);
  });
  block([1, 2, 3]);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  assert.deepEqual(got, [1, 2, 3, 4, 5, 6]);
});

test('A blocking request ends with the reason when there is no answer, and leaves nothing behind', () => {
  const { endpoint, sent } = setUp();
  const dead = (): boolean => {
    endpoint.receive(from(0, replyToOf(sent[0] as Buffer), { code: 'ERR_MITOS_MODULE_DENIED', message: 'no' }, DEAD));
    return true;
  };
  assert.throws(
    () => endpoint.requestSync(0, 302, 'q', dead),
    (error) => codeOf(error) === 'ERR_MITOS_MODULE_DENIED',
  );
  assert.throws(
    () => endpoint.requestSync(0, 302, 'q', () => false),
    (error) => codeOf(error) === 'ERR_MITOS_SHUTDOWN',
  );
  assert.equal(endpoint.size, 0);
});

test('Endpoint.abandon ends every request', async () => {
  const { endpoint } = setUp();
  const answers = [endpoint.request(1, 300, 1), endpoint.request(2, 300, 1)];
  endpoint.abandon({ code: 'ERR_MITOS_SHUTDOWN', message: 'over' });
  for (const answer of answers) await assert.rejects(answer, /over/);
  assert.equal(endpoint.size, 0);
});

test('Endpoint.refuse sends the facts of an error', () => {
  const { endpoint, sent } = setUp();
  endpoint.refuse(makeFrame(NORMAL | ERROR, 5, 7, 300, 70000), mitosError('ERR_MITOS_LIMIT', 'full', { hint: 'wait', data: { limit: 3 } }));
  assert.deepEqual(jsonOf(sent[0] as Buffer), { code: 'ERR_MITOS_LIMIT', message: 'full', hint: 'wait', via: [], data: { limit: 3 } });
});

test('A blocking request keeps what comes meanwhile for later, but takes modules in at once', async () => {
  const { endpoint, sent } = setUp();
  const got: string[] = [];
  endpoint.on(LOAD, () => got.push('modules'));
  endpoint.on(300, (message) => got.push(String(jsonOf(message))));
  const incoming = [from(0, 300, 'call'), from(0, LOAD, 'm'), from(0, 0, 'answer')];
  const reply = endpoint.requestSync(0, 301, null, () => {
    const frame = incoming.shift() as Buffer;
    if (!incoming.length) frame.writeUInt32BE(replyToOf(sent[0] as Buffer), 16);
    endpoint.receive(frame);
    return true;
  });
  assert.equal(jsonOf(reply), 'answer');
  assert.deepEqual(got, ['modules']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(got, ['modules', 'call']);
});
