/** What a context gets for a native addon: a module that loads it from RAM, or refuses. */
import { relative, sep } from 'node:path';
import type { ResourceRoot } from './resource-rules.ts';
import { FILES } from './resources.ts';

/** Its text. `message` is said where addons are refused. */
export function addonText(root: ResourceRoot, path: string, message: string): string {
  const below = relative(root.path, path).split(sep).join('/');
  return `require("${FILES}").addon(module,${root.id},${JSON.stringify(below)},${JSON.stringify(message)})`;
}

/** What is said where addons are refused. */
export function addonRefusal(path: string, importers: string): string {
  return `Cannot send native addon ${path}, imported by ${importers}: it is built for this machine; load it only where it is installed, or use a package without native code`;
}
