/**
 * One frame of each kind, byte by byte, as it is on the wire. A change here is a change of the protocol: it breaks contexts
 * of other versions and other languages, and needs a new `VERSION`.
 *
 * The header: magic 6d, version 01, flags, reserved 00, dst, src, auth, handle, replyTo, length of the data.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Endpoint } from '#src/core/endpoint.js';
import { mitosError } from '#src/core/errors.js';
import * as handles from '#src/core/handles.js';
import { DEFAULT_LIMITS } from '#src/core/limits.js';
import { LiveValues } from '#src/core/live.js';
import { unpackModules } from '#src/core/module-batch.js';
import { cut } from '#src/core/module-pack.js';
import { fromReason } from '#src/core/reason.js';
import { relayMessage, toRanges } from '#src/core/relay-message.js';
import { Router } from '#src/core/router.js';
import { Stream } from '#src/core/stream.js';
import { BULK, CONTROL, DEAD, ERROR, FRAGMENT, HEADER, jsonFrame, makeFrame, NORMAL, shorten, writeHeader } from '#src/core/wire.js';
import { memoryStreamPair, VirtualClock } from '#src/testing/index.js';
import '#src/core/whole.js';

/** Compares without regard to spaces; on failure the message shows what is produced now. */
function assertBytes(frame: Buffer | undefined, ...expected: string[]): void {
  assert.equal(frame?.toString('hex'), expected.join('').replaceAll(' ', ''));
}

const text = (value: string): string => Buffer.from(value).toString('hex');

/** The frames that an endpoint with id 3 (below 1 and 0) sends. */
function endpoint(bulkWindowBytes = DEFAULT_LIMITS.bulkWindowBytes): { sent: Buffer[]; endpoint: Endpoint; live: LiveValues } {
  const sent: Buffer[] = [];
  const made = new Endpoint(3, [1, 0], { ...DEFAULT_LIMITS, bulkWindowBytes }, (frame) => sent.push(frame));
  return { sent, endpoint: made, live: new LiveValues(made) };
}

/** The frames that a router with id 1 sends to its parent 0 and its child 3, and hands to its own endpoint. */
function router(): { router: Router; parent: Buffer[]; child: Buffer[]; own: Buffer[]; childStream: Stream } {
  const own: Buffer[] = [];
  const unused = (): void => {};
  const hooks = { onHello: unused, onConnect: unused, onShutdown: unused, onBundle: unused, onFlush: unused, onOrphan: unused };
  const made = new Router(1, DEFAULT_LIMITS, true, { ...hooks, deliver: (frame) => own.push(frame) });
  const fake = (peerId: number, sent: Buffer[]): Stream =>
    ({ peerId, name: 'c', queuedBytes: 0, send: (frame: Buffer) => sent.push(frame) }) as unknown as Stream;
  const parent: Buffer[] = [];
  const child: Buffer[] = [];
  const childStream = fake(3, child);
  made.parent = fake(0, parent);
  made.addChild(childStream);
  return { router: made, parent, child, own, childStream };
}

test('A short header is 10 bytes', () => {
  const frame = makeFrame(CONTROL, 1, 0, handles.PING, 0, Buffer.alloc(8));
  assertBytes(shorten(frame), 'ed 00 08 01 00 00 0002 0000 0000000000000000');
});

test('The numbers of the protocol are what they are', () => {
  assert.deepEqual([CONTROL, NORMAL, BULK, DEAD, FRAGMENT, ERROR, HEADER], [0, 1, 2, 4, 8, 16, 28]);
  assert.deepEqual(
    { ...handles },
    {
      HELLO: 1,
      PING: 2,
      PONG: 3,
      GRANT: 4,
      GONE: 5,
      OPEN: 6,
      ARRIVED: 7,
      CONNECT: 8,
      SHUTDOWN: 9,
      STATS: 10,
      FLUSH: 11,
      ALLOCATE: 12,
      BUNDLE: 13,
      RELAY: 14,
      BLOB: 15,
      INSPECT: 16,
      RUNTIME: 17,
      FIRST_MAILBOX: 64,
      BULK_CREDIT: 64,
      CALL: 65,
      CANCEL: 66,
      LOAD: 67,
      GET_MODULE: 68,
      IDENTIFY: 69,
      LOG: 70,
      TREE: 72,
      GET_BUNDLE: 73,
      DROP_CHAIN: 74,
      GET_RUNTIME: 75,
      GET_RESOURCE: 76,
      INSPECTED: 78,
      FIRST_REPLY: 0x10000,
      FIRST_CHANNEL: 0x80000000,
    },
  );
});

test('HELLO: the greeting on a new link; data is JSON', () => {
  //                                                                     flags  dst      src      auth     handle   replyTo  length
  assertBytes(
    jsonFrame(CONTROL, 0, 3, handles.HELLO, 0, { v: 1 }),
    '6d 01 00 00 00000000 00000003 00000003 00000001 00000000 00000007',
    text('{"v":1}'),
  );
});

test('PING and PONG: eight bytes that come back as they are, here the time 1.5 as a double', async () => {
  const clock = new VirtualClock();
  const [near, far] = memoryStreamPair({ schedule: clock.schedule });
  const written: Buffer[] = [];
  far.onData = (chunk) => written.push(chunk);
  const stream = new Stream({
    peerId: 0,
    selfId: 3,
    name: 'p',
    clock,
    keepAlive: { intervalMs: 1.5, timeoutMs: 1000 },
    onFrame: () => {},
    onClose: () => {},
  });
  stream.attach(near);
  stream.startKeepAlive();
  await clock.advanceAsync(1.5);
  assertBytes(written[0], '6d 01 00 00 00000000 00000003 00000003 00000002 00000000 00000008', '3ff8000000000000');
  far.write([makeFrame(CONTROL, 3, 0, handles.PING, 0, Buffer.from('0102030405060708', 'hex'))]);
  await clock.advanceAsync(0.1);
  assertBytes(written.at(-1), '6d 01 00 00 00000000 00000003 00000003 00000003 00000000 00000008', '0102030405060708');
  stream.close(mitosError('ERR_MITOS_SHUTDOWN', 'over'));
});

test('GRANT: ids lie behind a context; passed on hop by hop, told to the one they are for', () => {
  const { router: hop, child, own, parent } = router();
  hop.route(jsonFrame(CONTROL, 1, 0, handles.GRANT, 0, { start: 4, count: 1, via: 3 }), hop.parent);
  assertBytes(child[0], '6d 01 00 00 00000003 00000001 00000001 00000004 00000000 0000001d', text('{"start":4,"count":1,"via":3}'));
  hop.route(jsonFrame(CONTROL, 1, 0, handles.GRANT, 0, { start: 16777216, count: 256, via: 1 }), hop.parent);
  assertBytes(
    own[0],
    '6d 01 00 00 00000001 00000001 00000001 00000048 00000000 0000002d',
    text('{"kind":"grant","start":16777216,"count":256}'),
  );
  assert.equal(parent.length, 0);
});

test('ARRIVED: a context has come up, told upwards and to the own context', () => {
  const { router: hop, parent, own } = router();
  hop.announceArrival(3, { name: 'web' });
  assertBytes(parent[0], '6d 01 00 00 00000000 00000001 00000001 00000007 00000000 0000001f', text('{"id":3,"about":{"name":"web"}}'));
  assertBytes(
    own[0],
    '6d 01 00 00 00000001 00000001 00000001 00000048 00000000 00000030',
    text('{"kind":"arrived","id":3,"about":{"name":"web"}}'),
  );
});

test('GONE and TREE: contexts are gone, and why', () => {
  const { router: hop, parent, own, childStream } = router();
  hop.remove(childStream, mitosError('ERR_MITOS_CHILD_EXIT', 'c exited', { data: { exitCode: 3 } }));
  const reason = '{"code":"ERR_MITOS_CHILD_EXIT","message":"c exited","via":[],"data":{"exitCode":3}}';
  assertBytes(
    parent[0],
    '6d 01 00 00 00000000 00000001 00000001 00000005 00000000 00000073',
    text(`{"ids":[3],"pages":[],"reason":${reason}}`),
  );
  assertBytes(
    own[0],
    '6d 01 00 00 00000001 00000001 00000001 00000048 00000000 00000081',
    text(`{"kind":"gone","ids":[3],"pages":[],"reason":${reason}}`),
  );
});

test('DEAD: there is no answer; from the destination, to the handle for the reply, data is the reason', () => {
  const { router: hop, parent } = router();
  hop.route(makeFrame(NORMAL, 9, 0, handles.CALL, 0x10001), hop.parent);
  assertBytes(
    parent[0],
    '6d 01 04 00 00000000 00000009 00000009 00010001 00000000 00000043',
    text('{"code":"ERR_MITOS_NO_ROUTE","message":"No context 9 in this tree"}'),
  );
  assert.equal(fromReason({ code: 'ERR_MITOS_NO_ROUTE', message: 'No context 9 in this tree' }).code, 'ERR_MITOS_NO_ROUTE');
});

test('OPEN, ALLOCATE, CONNECT, SHUTDOWN: orders to a router, as JSON', () => {
  const { sent, endpoint: from } = endpoint();
  from.sendJson(3, handles.OPEN, 0, { from: 4, to: 5 }, CONTROL);
  assertBytes(sent[0], '6d 01 00 00 00000003 00000003 00000003 00000006 00000000 00000011', text('{"from":4,"to":5}'));
  from.sendJson(0, handles.ALLOCATE, 0x10000, {}, CONTROL);
  assertBytes(sent[1], '6d 01 00 00 00000000 00000003 00000003 0000000c 00010000 00000002', text('{}'));
  from.sendJson(3, handles.SHUTDOWN, 0x10001, { id: 4, graceMs: 500 }, CONTROL);
  assertBytes(sent[2], '6d 01 00 00 00000003 00000003 00000003 00000009 00010001 00000016', text('{"id":4,"graceMs":500}'));
});

test('CALL: u16 length of the head, the head, the arguments as a payload', () => {
  const { sent, endpoint: from, live } = endpoint();
  const head = '12#add\n{"c":1}';
  const message = live.encode([1, 2], 'args', 4, 2 + head.length);
  message.writeUInt16BE(head.length, HEADER);
  message.write(head, HEADER + 2);
  from.send(4, handles.CALL, 0x10000, message);
  assertBytes(sent[0], '6d 01 01 00 00000004 00000003 00000003 00000041 00010000 00000015', '000e', text(head), text('[1,2]'));
});

test('A reply: the value as a payload, nothing for undefined; with the flag ERROR [whether it was thrown, the error]', () => {
  const { sent, endpoint: from, live } = endpoint();
  from.send(4, 0x10000, 0, live.encode({ ok: true }, 'result', 4));
  assertBytes(sent[0], '6d 01 01 00 00000004 00000003 00000003 00010000 00000000 0000000b', text('{"ok":true}'));
  from.send(4, 0x10000, 0, live.encode(undefined, 'result', 4));
  assertBytes(sent[1], '6d 01 01 00 00000004 00000003 00000003 00010000 00000000 00000000');
  from.send(4, 0x10000, 0, live.encode([1, 'no'], 'error', 4), NORMAL | ERROR);
  assertBytes(sent[2], '6d 01 11 00 00000004 00000003 00000003 00010000 00000000 00000008', text('[1,"no"]'));
});

test('CANCEL and DROP_CHAIN: JSON', () => {
  const { sent, endpoint: from } = endpoint();
  from.sendJson(4, handles.CANCEL, 0, { call: 0x10000, reason: 'x' });
  assertBytes(sent[0], '6d 01 01 00 00000004 00000003 00000003 00000042 00000000 0000001b', text('{"call":65536,"reason":"x"}'));
  from.sendJson(4, handles.DROP_CHAIN, 0, 7);
  assertBytes(sent[1], '6d 01 01 00 00000004 00000003 00000003 0000004a 00000000 00000001', text('7'));
});

test('LOAD: u8 whether the batch goes on, then its bytes: u32 checksum, u32 size inflated, brotli of u32 length of the table, table, sources', () => {
  const batch = 'a781bded' + '0000002b' + '0b1580' + `0000001c${text('[[7,2,"file:///a.js",11,{}]]')}${text('exports.a=1')}` + '03';
  const modules = [{ id: 7, url: 'file:///a.js', kind: 'cjs' as const, code: 'exports.a=1', deps: {} }];
  assert.deepEqual(unpackModules(Buffer.from(batch, 'hex'), 100), modules);
  const [load] = cut(Buffer.from(batch, 'hex')) as [Buffer];
  assertBytes(
    writeHeader(load, NORMAL, 4, 0, handles.LOAD, 0),
    '6d 01 01 00 00000004 00000000 00000000 00000043 00000000 00000038',
    '00',
    batch,
  );
  assert.deepEqual(
    cut(Buffer.alloc(65536)).map((part) => [part.length - HEADER, part[HEADER]]),
    [
      [65536, 1],
      [2, 0],
    ],
  );
});

test('RELAY: parts as of LOAD; u32 length of the head, the head as JSON, and the batch that came with it', () => {
  assertBytes(relayMessage({ to: 3, own: toRanges([8, 7]) }, Buffer.from('xy')), '00000014', text('{"to":3,"own":[7,8]}xy'));
});

test('A fragment: u32 number of the message, u32 length of the whole, then its part', () => {
  const { sent, endpoint: from } = endpoint();
  from.send(4, 0x80000001, 0x80000002, Buffer.alloc(HEADER + 65537, 0x61));
  const [first] = sent as [Buffer];
  assertBytes(first.subarray(0, HEADER - 4), '6d 01 0a 00 00000004 00000003 00000003 80000001 80000002');
  assertBytes(first.subarray(HEADER, HEADER + 12), '00000001', '00010001', '61616161');
  // Behind a large message a small one to the same mailbox goes as one fragment.
  from.send(4, 0x80000001, 0x80000002, Buffer.concat([Buffer.alloc(HEADER), Buffer.from('bb')]));
  assertBytes(sent.at(-1), '6d 01 0a 00 00000004 00000003 00000003 80000001 80000002 0000000a', '00000002', '00000002', '6262');
});

test('BULK_CREDIT: u32 bytes of fragments taken, their numbers and lengths included', () => {
  const { sent, endpoint: to } = endpoint();
  const fragment = makeFrame(BULK | FRAGMENT, 3, 4, 70, 0, Buffer.from('0000000100000002' + '6161', 'hex'));
  to.receive(fragment);
  assertBytes(sent[0], '6d 01 00 00 00000004 00000003 00000003 00000040 00000000 00000004', '0000000a');
});

test('A channel: items, credit, its end and the end of reading', () => {
  const item = writeHeader(Buffer.concat([Buffer.alloc(HEADER), Buffer.from('"x"')]), BULK, 0, 3, 0x80000005, 0x90000006);
  assertBytes(item, '6d 01 02 00 00000000 00000003 00000003 80000005 90000006 00000003', text('"x"'));
  const credit = makeFrame(CONTROL, 3, 0, 0x90000006, 0x80000005, Buffer.from('00020000', 'hex'));
  assertBytes(credit, '6d 01 00 00 00000003 00000000 00000000 90000006 80000005 00000004', '00020000');
  assertBytes(makeFrame(BULK | DEAD, 0, 3, 0x80000005, 0), '6d 01 06 00 00000000 00000003 00000003 80000005 00000000 00000000');
  assertBytes(makeFrame(CONTROL | DEAD, 3, 0, 0x90000006, 0), '6d 01 04 00 00000003 00000000 00000000 90000006 00000000 00000000');
});
