/** Facts about this process, for its greeting. */
import { hostname, userInfo } from 'os';
import type { ContextInfo } from './config.ts';

/** Describes this process. Never throws. */
export function describe(): ContextInfo {
  const uid = process.getuid ? process.getuid() : -1;
  return {
    pid: process.pid,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    user: attempt(() => userInfo().username, String(uid)),
    uid,
    hostname: hostname(),
    cwd: attempt(() => process.cwd(), ''),
  };
}

function attempt(get: () => string, otherwise: string): string {
  try {
    return get();
  } catch {
    return otherwise;
  }
}
