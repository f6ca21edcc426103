import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';

export const about = {
  package: 'pino',
  covers: 'a worker made from a file beside the module (thread-stream), SharedArrayBuffer',
  asks: 'the file of a worker is asked for when it is started',
  requests: 2,
};

export async function run(): Promise<unknown> {
  const alive = setInterval(() => {}, 1000); // The worker alone does not keep a process
  const folder = mkdtempSync(join(tmpdir(), 'mitos-corpus-'));
  const destination = join(folder, 'log');
  try {
    const transport = pino.transport({ target: 'pino/file', options: { destination } });
    const log = pino({ base: null, timestamp: false }, transport);
    await once(transport, 'ready');
    log.info('from a worker');
    transport.end();
    await once(transport, 'close');
    return JSON.parse(readFileSync(destination, 'utf8'));
  } finally {
    clearInterval(alive);
    rmSync(folder, { recursive: true });
  }
}
