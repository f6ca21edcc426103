/** Prints what contexts say, so that nothing they choose reaches the terminal but text. */
import type { LogRecord } from '../api/context.ts';
import type { LogLevel } from '../core/log.ts';

/** From the most talkative to the quietest; `silent` prints nothing. */
export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** Where records go. */
export type Logger = (record: LogRecord) => void;

/** The level to print from: the option, else `MITOS_LOG_LEVEL`, else `info`. Throws a RangeError for one that does not exist. */
export function readLogLevel(option: string | undefined): LogLevel | 'silent' {
  const level = option ?? process.env['MITOS_LOG_LEVEL'] ?? 'info';
  if (LOG_LEVELS.includes(level)) return level as LogLevel;
  const from = option === undefined ? 'MITOS_LOG_LEVEL' : 'logLevel';
  throw new RangeError(`${from} must be one of ${LOG_LEVELS.join(', ')}, not ${JSON.stringify(level)}`);
}

/** Whether a record is loud enough. */
export function isLoud(record: LogRecord, level: LogLevel | 'silent'): boolean {
  return LOG_LEVELS.indexOf(record.level) >= LOG_LEVELS.indexOf(level);
}

/** Prints records to stderr: `[name] text`. */
export const printRecord: Logger = (record) => {
  process.stderr.write(`[${escapeText(record.context.name)}] ${escapeText(record.text)}\n`);
};

/** Text in which everything that could steer a terminal (C0, C1, DEL, line and direction marks) is spelled out. */
export function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to go
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]/g, (char) => {
    const code = char.codePointAt(0) as number;
    if (char === '\n') return '\\n';
    if (char === '\r') return '\\r';
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
