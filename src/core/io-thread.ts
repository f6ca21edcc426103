/** The thread that owns the streams of a threaded context, as the user's thread sees it. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'worker_threads';
import type { ChildConfig } from './config.ts';
import { type Sources, threadSource } from './hop.ts';
import type { FrameLink } from './port-transport.ts';

/** What a thread of a context is started with. */
export interface ThreadData {
  mitos: 'io' | 'worker';
  config: ChildConfig;
  port: MessagePort;
  /** Counted up by the I/O thread with everything it posts. */
  wake: Int32Array;
  sources: Sources;
  /** Bundles to install at once, for the I/O thread of a master. */
  bundles: string[];
}

/** A running I/O thread. */
export interface IoThread {
  worker: Worker;
  port: MessagePort;
  wake: Int32Array;
}

/** Starts the thread that owns the streams of a context. */
export function startIoThread(config: ChildConfig, sources: Sources, bundles: string[]): IoThread {
  const { port1, port2 } = new MessageChannel();
  const wake = new Int32Array(new SharedArrayBuffer(4));
  const data: ThreadData = { mitos: 'io', config, port: port2, wake, sources, bundles };
  const worker = new Worker(threadSource(sources), { eval: true, workerData: data, transferList: [port2], execArgv: [] });
  return { worker, port: port1, wake };
}

/** Blocks this thread until something came through the link; gives up after `limitMs` or when the context has to end. */
export function pumpOf(link: FrameLink, wake: Int32Array, limitMs: number): () => boolean {
  const until = Date.now() + limitMs;
  let isEnding = false;
  return () => {
    link.flush();
    const seen = Atomics.load(wake, 0);
    const received = receiveMessageOnPort(link.port) as { message: unknown } | undefined;
    if (received) {
      isEnding = isEnding || !(received.message instanceof Uint8Array);
      link.take(received.message);
    } else {
      const left = until - Date.now();
      if (left <= 0) return false;
      Atomics.wait(wake, 0, seen, Math.min(left, 1000));
    }
    return !isEnding;
  };
}
