import { Writable } from 'node:stream';
import pino from 'pino';

export const about = { package: 'pino', covers: 'logging; packages with symbols and code made at run time' };

export function run(): unknown {
  const lines: string[] = [];
  const to = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) });
  const log = pino({ base: null, timestamp: false, redact: ['secret'], level: 'debug' }, to);
  log.child({ module: 'a' }).info({ secret: 1, n: 2 }, 'hello %s', 'x');
  log.error(new TypeError('bad'));
  return lines.map((line) => {
    const { err, ...rest } = JSON.parse(line);
    return { ...rest, err: err && { type: err.type, message: err.message } };
  });
}
