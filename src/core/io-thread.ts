/** The thread that owns the streams of a threaded context, as the user's thread sees it. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'worker_threads';
import type { ChildConfig } from './config.ts';
import { OUT } from './descriptors.ts';
import { writeNow } from './fd-transport.ts';
import { type Sources, threadSource } from './hop.ts';
import { CELLS, type FrameLink, sharedLock } from './port-transport.ts';
import { dstOf, shorten } from './wire.ts';

/** What a thread of a context is started with. */
export interface ThreadData {
  mitos: 'io' | 'worker';
  config: ChildConfig;
  port: MessagePort;
  /** What the two threads share. */
  cells: Int32Array;
  sources: Sources;
  /** Bundles to install at once, for the I/O thread of a master. */
  bundles: string[];
  /** Frames from the parent that the user's thread has read already, and which are not for it. */
  first: Uint8Array;
}

/** A running I/O thread. */
export interface IoThread {
  worker: Worker;
  port: MessagePort;
  cells: Int32Array;
}

/** Starts the thread that owns the streams of a context. */
export function startIoThread(config: ChildConfig, sources: Sources, bundles: string[], first: Uint8Array): IoThread {
  const { port1, port2 } = new MessageChannel();
  const cells = new Int32Array(new SharedArrayBuffer(4 * CELLS));
  const data: ThreadData = { mitos: 'io', config, port: port2, cells, sources, bundles, first };
  const worker = new Worker(threadSource(sources), { eval: true, workerData: data, transferList: [port2], execArgv: [] });
  return { worker, port: port1, cells };
}

/** Most bytes that the user's thread writes by itself; more is for the I/O thread. */
const SHORTCUT_BYTES = 65536;

/**
 * Lets the user's thread write frames for its ancestors to the descriptor itself, which saves waking the I/O thread. Only
 * when the link is idle and nobody else writes, so order is kept; what does not fit goes to the I/O thread, lock and all.
 */
export function addShortcut(link: FrameLink, cells: Int32Array, { ancestors, isThin }: ChildConfig): void {
  const lock = sharedLock(cells);
  link.shortcut = (frames) => {
    let size = 0;
    for (const frame of frames) {
      size += frame.length;
      if (!ancestors.includes(dstOf(frame))) return false;
    }
    if (size > SHORTCUT_BYTES || !link.isIdle || !lock.tryAcquire()) return false;
    const bytes = isThin ? frames.map(shorten) : frames;
    const rest = writeNow(OUT, bytes.length > 1 ? [Buffer.concat(bytes)] : bytes);
    if (rest.length) link.notify({ rest: Buffer.concat(rest as Uint8Array[]) });
    else lock.release();
    return true;
  };
}

/** Blocks this thread until something came through the link; gives up after `limitMs` or when the context has to end. */
export function pumpOf(link: FrameLink, limitMs: number): () => boolean {
  const until = Date.now() + limitMs;
  let isEnding = false;
  return () => {
    link.flush();
    const seen = link.wakeCount;
    const received = receiveMessageOnPort(link.port) as { message: unknown } | undefined;
    if (received) {
      isEnding = isEnding || !(received.message instanceof Uint8Array);
      link.take(received.message);
    } else {
      const left = until - Date.now();
      if (left <= 0) return false;
      link.wait(seen, Math.min(left, 1000));
    }
    return !isEnding;
  };
}
