/** Options of the connection methods. */
import type { StartOptions } from '../core/config.ts';

/** Options that every connection method takes. */
export interface ConnectOptions extends StartOptions {
  /** How the context is called here. Made from the method and its parent's name by default. */
  name?: string;
}

/** Options of `local()`. */
export interface LocalOptions extends ConnectOptions {}

/** Options of `worker()`. It runs in this process: `node`, `threadless` and `cwd` have no meaning for it. */
export interface WorkerOptions extends Omit<ConnectOptions, 'node' | 'threadless' | 'cwd'> {}

/** Refuses options that make no sense. */
export function checkConnectOptions(options: ConnectOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('The options of a connection must be an object');
  const { name, node, connectTimeoutMs, threadless, env, cwd } = options;
  if (name !== undefined && (typeof name !== 'string' || !name || /[\0-\x1f\x7f]/.test(name))) {
    throw new TypeError(`name must be a string without control characters, not ${JSON.stringify(name)}`);
  }
  const isCommand = (value: unknown): boolean => typeof value === 'string' && value !== '' && !value.includes('\0');
  if (node !== undefined && !(isCommand(node) || (Array.isArray(node) && node.length > 0 && node.every(isCommand)))) {
    throw new TypeError('node must be a path or a list of arguments');
  }
  if (connectTimeoutMs !== undefined && !(typeof connectTimeoutMs === 'number' && connectTimeoutMs > 0)) {
    throw new RangeError(`connectTimeoutMs must be a number of milliseconds above 0, not ${String(connectTimeoutMs)}`);
  }
  if (threadless !== undefined && typeof threadless !== 'boolean') throw new TypeError('threadless must be true or false');
  if (cwd !== undefined && typeof cwd !== 'string') throw new TypeError('cwd must be a path');
  if (env !== undefined && (typeof env !== 'object' || env === null || Object.values(env).some((value) => typeof value !== 'string'))) {
    throw new TypeError('env must be an object of strings');
  }
}
