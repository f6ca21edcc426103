/** Names of contexts that were given none. */
import type { Context } from './context.ts';
import type { ConnectOptions } from './options.ts';

/** Methods whose user is told when the program does not name one. */
const AS_ROOT = /^(sudo|su|doas|run0|runuser)$/;

/**
 * Tells how one gets there: `web1.sudo.root`. A machine is called by its name alone where that is the first step; another step
 * by its method and what it leads to.
 */
export function contextName(parent: Context, method: string, options: ConnectOptions): string {
  const { hostname, container, image, pod, pid, root, username } = options as Record<string, string | number | undefined>;
  const end = hostname ?? container ?? pod ?? image ?? pid ?? root ?? (AS_ROOT.test(method) ? (username ?? 'root') : undefined);
  if (!parent.via) return method === 'ssh' ? String(end) : end === undefined ? method : `${method}.${end}`;
  return `${parent.name}.${method}${end === undefined ? '' : `.${end}`}`;
}
