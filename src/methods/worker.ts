/** `worker()`: a context on a thread of this process. Cheap, and isolated as far as threads are; it dies with the process. */
import { MessageChannel, Worker } from 'worker_threads';
import type { ChildConfig } from '../core/config.ts';
import type { ConnectOrder } from '../core/connect-order.ts';
import { type Hop, threadSource } from '../core/hop.ts';
import { LineSplitter } from '../core/line-splitter.ts';
import type { LogSource } from '../core/log.ts';
import { PortTransport } from '../core/port-transport.ts';
import type { ChildLink, ExitStatus } from '../parent/child-link.ts';
import type { Method } from '../parent/connector.ts';

/** Time for messages that a thread sent before its end. */
const DRAIN_MS = 100;

/** Starts a worker thread that runs the same core, over a port instead of pipes. */
export const worker: Method = {
  start(_order: ConnectOrder, config: ChildConfig, hop: Hop): ChildLink {
    const { port1, port2 } = new MessageChannel();
    const thread = new Worker(threadSource(hop.sources), {
      eval: true,
      workerData: { mitos: 'worker', config, port: port2, cells: undefined, sources: hop.sources, bundles: [], first: undefined },
      transferList: [port2],
      stdout: true,
      stderr: true,
      stdin: true,
      execArgv: [],
      env: { ...process.env, ...config.env },
    });
    const capture = (stream: NodeJS.ReadableStream, source: LogSource): void => {
      const lines = new LineSplitter(config.limits.maxLogRecordBytes, (line) => link.onOutput(source, line));
      stream.on('data', (chunk: Buffer) => lines.push(chunk));
      stream.on('end', () => lines.end());
    };
    let drained = (): void => {};
    const closed = new Promise<void>((resolve) => {
      drained = resolve;
      port1.on('close', drained);
    });
    const link: ChildLink = {
      transport: new PortTransport(port1),
      preamble: undefined,
      isBlind: true,
      argv: ['worker'],
      exited: new Promise<ExitStatus>((resolve) => {
        thread.on('error', (error: NodeJS.ErrnoException) => link.onOutput('stderr', `${error.code || ''} ${error.message}`));
        thread.on('exit', (exitCode) => {
          // What it said last may still be in the port.
          const timer = setTimeout(drained, DRAIN_MS);
          void closed.then(() => {
            clearTimeout(timer);
            resolve({ exitCode, signal: null });
          });
        });
      }),
      onOutput: () => {},
      onWord: () => {},
      noise: () => '',
      kill: () => {
        void thread.terminate();
      },
    };
    capture(thread.stdout, 'stdout');
    capture(thread.stderr, 'stderr');
    return link;
  },
};
