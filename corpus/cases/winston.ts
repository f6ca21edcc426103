import { Writable } from 'node:stream';
import winston from 'winston';

export const about = {
  package: 'winston',
  covers: 'logging; transports and formats behind getters with require',
  asks: 'formats and transports are required by getters on first use',
  requests: 5,
};

export async function run(): Promise<unknown> {
  const lines: string[] = [];
  const stream = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) });
  const { combine, errors, json, label } = winston.format;
  const log = winston.createLogger({
    level: 'debug',
    format: combine(errors({ stack: false }), label({ label: 'x' }), json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  log.info('hello', { n: 1 });
  log.warn('two');
  await new Promise((resolve) => log.on('finish', resolve).end());
  return lines;
}
