/**
 * The core: what every context starts with. It is bundled into one text, the preamble, which the first stage evaluates; `boot`
 * is its entry there, `start` in the threads of such a process. What bundles that come later need of it they import from
 * `mitos:core`: the exports of this module.
 *
 * Boot: read the parent's greeting (one frame) from fd 3, tidy up the process, then run hop and user's side, on two threads or on
 * one, and greet back.
 */
import { writeSync } from 'fs';
import { isMainThread, receiveMessageOnPort, workerData } from 'worker_threads';
import type { ChildConfig, LifeNotice } from './config.ts';
import { describe } from './describe.ts';
import { closeStrayDescriptors, IN, OUT, readExactly, rest, tryRead } from './descriptors.ts';
import { fdTransport, writeNow } from './fd-transport.ts';
import { FIRST_MAILBOX, HELLO, LOAD } from './handles.ts';
import { Hop, type Sources } from './hop.ts';
import { addShortcut, pumpOf, startIoThread, type ThreadData } from './io-thread.ts';
import { FrameLink, PortTransport, sharedLock } from './port-transport.ts';
import type { ResourceHost } from './resource.ts';
import type { Stream } from './stream.ts';
import { createUser, endUser, flushUser } from './user.ts';
import type { UserSide } from './user-side.ts';
import { CONTROL, dstOf, FrameParser, HEADER, handleOf, jsonFrame, jsonOf, VERSION } from './wire.ts';

export { systemClock } from './clock.ts';
export { failed, open, PROTOCOL, revive } from './codec-decode.ts';
export { checkSize, encode, quote, tagged, write, writeItems, writeMembers } from './codec-encode.ts';
export { starting } from './dispatcher.ts';
export { withoutOwnFrames } from './error-text.ts';
export * from './errors.ts';
export { SocketTransport } from './fd-transport.ts';
export { threadSource } from './hop.ts';
export { Importer } from './importer.ts';
export { CONTEXT } from './live.ts';
export { LogLimiter } from './log.ts';
export { checksumOf, KINDS, Parts, unpackModules } from './module-batch.ts';
export { PortTransport } from './port-transport.ts';
export { fromReason, toReason } from './reason.ts';
export { FIRST_PAGED_ID, holds, PAGE } from './route-table.ts';
export * from './wire.ts';

/** What this thread is, once it runs; for the layers that are sent later. */
export const self: { user?: UserSide; hop?: Hop; sources?: Sources; thread?: ResourceHost } = {};

/** What `mitos:core` gives: there once this module has run. */
const core = (): object => module.exports as object;

/** Starts this process as a context. `text` is the source of this very module, `packed` the same as it came. */
export function boot(text: string, packed: Buffer): void {
  const header = readExactly(HEADER);
  const config = jsonOf(Buffer.concat([header, readExactly(header.readUInt32BE(24))])) as ChildConfig;
  const sources = (self.sources = { core: text, packedCore: packed });
  closeStrayDescriptors();
  // What the first stage has set.
  for (const name of 'pvanbo') delete (globalThis as Record<string, unknown>)[name];
  process.title = config.title;
  if (config.env) Object.assign(process.env, config.env);
  if (config.cwd) enter(config.cwd);
  process.on('SIGUSR1', () => {});
  if (config.isThreadless) bootThreadless(config, sources);
  else bootThreaded(config, sources);
}

/** Goes to a directory; where there is none, the parent reads why. */
function enter(cwd: string): void {
  try {
    process.chdir(cwd);
  } catch (error) {
    writeSync(2, `${(error as Error).message}\n`);
    process.exit(1);
  }
}

/** Starts a thread of a context, from its {@link ThreadData}. */
export function start(): void {
  const data = workerData as ThreadData;
  self.sources = data.sources;
  if (data.mitos === 'io') runIo(data);
  else runWorkerContext(data);
}

function bootThreadless(config: ChildConfig, sources: Sources): void {
  const chunk = Buffer.allocUnsafe(65536);
  const hop = runHere(config, sources, (parent) => {
    const size = tryRead(chunk, 0);
    if (size > 0) parent.feed(Buffer.from(chunk.subarray(0, size)));
    return size !== 0;
  });
  hop.attachParent(fdTransport(IN, OUT));
  greet(hop);
}

function runWorkerContext({ config, port, sources }: ThreadData): void {
  const hop = runHere(config, sources, (parent) => {
    const received = receiveMessageOnPort(port) as { message: Uint8Array } | undefined;
    if (received) parent.feed(Buffer.from(received.message));
    else rest();
    return true;
  });
  hop.attachParent(new PortTransport(port));
  greet(hop);
}

/** Hop and user's side on this thread. `read` feeds the parent's stream while the loop stands still. */
function runHere(config: ChildConfig, sources: Sources, read: (parent: Stream) => boolean): Hop {
  const leave = (graceMs: number): void => {
    dieOnExit();
    endUser(user, graceMs);
  };
  const hop = new Hop(config, sources, core(), {
    deliver: (frame) => user.endpoint.receive(frame),
    onOrphan: () => leave(0),
    onShutdown: leave,
  });
  const pump = (): boolean => {
    const { parent } = hop.router;
    if (parent) parent.flush();
    return parent !== undefined && read(parent);
  };
  const user = createUser(config, (frame) => hop.router.route(frame, undefined), pump, core());
  self.hop = hop;
  self.user = user;
  process.on('exit', () => {
    if (hop.router.parent) hop.router.parent.flush();
  });
  return hop;
}

function bootThreaded(config: ChildConfig, sources: Sources): void {
  writeNow(OUT, [greeting(config)]);
  const first = takeFirstFrames(config);
  const { worker, port, cells } = startIoThread(config, sources, [], Buffer.concat(first.others));
  worker.on('error', (error: Error) => {
    process.stderr.write(`mitos: the I/O thread failed: ${error.stack || error}\n`);
    process.exit(70);
  });
  const link = new FrameLink(
    port,
    cells,
    (frame) => user.endpoint.receive(frame),
    (notice: LifeNotice) => {
      dieOnExit();
      endUser(user, notice.graceMs);
    },
  );
  addShortcut(link, cells, config);
  const user = createUser(config, (frame) => link.send(frame), pumpOf(link, Infinity), core());
  self.user = user;
  process.on('exit', () => flushUser(user, pumpOf(link, 250)));
  // As if they had come through the link: what comes while one of them blocks stays behind the others.
  link.take(Buffer.concat(first.own));
}

/**
 * Reads the frames that came right behind the greeting, so that a first call need not wait until the I/O thread is up: those for
 * the user's side are handled here, the others are left to that thread, which reads all that follows. Modules go both ways: that thread
 * keeps them for children.
 */
function takeFirstFrames(config: ChildConfig): { own: Buffer[]; others: Buffer[] } {
  const own: Buffer[] = [];
  const others: Buffer[] = [];
  const take = (frame: Buffer): void => {
    const isOwn = dstOf(frame) === config.id && handleOf(frame) >= FIRST_MAILBOX;
    if (isOwn) own.push(frame);
    if (!isOwn || handleOf(frame) === LOAD) others.push(frame);
  };
  if (config.firstBytes) new FrameParser().push(readExactly(config.firstBytes), take);
  return { own, others };
}

/** The I/O thread: routing goes on whatever the user's thread does, and the process ends when the parent is gone. */
function runIo({ config, port, cells, sources, bundles, first }: ThreadData): void {
  const end = (graceMs: number, untilMs: number): void => {
    link.notify({ graceMs });
    setTimeout(die, untilMs);
  };
  let isFirst = true;
  const hop = new Hop(config, sources, core(), {
    deliver: (frame) => {
      if (!isFirst || handleOf(frame) !== LOAD) link.send(frame);
    },
    onOrphan: () => end(0, 500),
    onShutdown: (graceMs) => end(graceMs, graceMs + 200),
  });
  const hasParent = config.ancestors.length > 0;
  const transport = hasParent ? fdTransport(IN, OUT, sharedLock(cells)) : undefined;
  const link = new FrameLink(
    port,
    cells,
    (frame) => hop.router.route(frame, undefined),
    ({ rest }: { rest: Uint8Array }) => transport && transport.queue([rest]),
  );
  // What this thread says to the parent must leave before the user's thread hears of it: what that thread says then may not be earlier.
  link.shortcut = () => {
    if (hop.router.parent) hop.router.parent.flush();
    return false;
  };
  port.on('message', () => link.acknowledge(() => !hop.router.parent || hop.router.parent.isIdle));
  self.hop = hop;
  for (const bundle of bundles) hop.install(bundle);
  if (transport) hop.attachParent(transport).feed(Buffer.from(first));
  isFirst = false;
}

function greet(hop: Hop): void {
  (hop.router.parent as Stream).send(greeting(hop.config));
}

function greeting({ id, ancestors }: ChildConfig): Buffer {
  return jsonFrame(CONTROL, ancestors[0] as number, id, HELLO, 0, { v: VERSION, ...describe() });
}

/** Has the programs that this process started end with it. Of no use for a thread, which shares the process with others. */
function dieOnExit(): void {
  if (isMainThread) process.on('exit', die);
}

/** Ends this process and the programs it started (when it leads their group), whatever its main thread does. */
function die(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // not the leader of a group
  }
  process.kill(process.pid, 'SIGKILL');
}
