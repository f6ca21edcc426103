/** What tests of methods share that become another user. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context, ContextPromise, Router } from 'mitos';
import type { Lab, LabUser } from './lab/index.js';

/** A context of that user, as root can have it: without a password. */
export function asUser(router: Router | Context, user: LabUser, env: Record<string, string> = {}): ContextPromise {
  return router.runuser({ username: user.name, name: user.name, env: { HOME: user.home, ...env } });
}

/** Who a context is. */
export function uid(): number {
  return (process.getuid as () => number)();
}

/** A variable of the environment there. */
export function variable(name: string): string | undefined {
  return process.env[name];
}

/** Gives back what it got. */
export function echo<T>(value: T): T {
  return value;
}

/** A program of the lab: a script for `sh`, with `$FOLDER` for a directory to write to. */
export function script(lab: Lab, name: string, text: string): { path: string; read(file: string): string } {
  const folder = join(lab.directory, `${name}-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder);
  chmodSync(folder, 0o1777);
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\nFOLDER=${folder}\n${text}\n`, { mode: 0o755 });
  return { path, read: (file) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '') };
}
