/** Things every script needs: the project's root, a directory walk, content keys and a lock. Node builtins only. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** An absolute path inside the project. */
export const at = (...parts) => join(root, ...parts);

/** All files below `dir` (relative to the project) whose name passes `filter`, sorted, as relative paths. */
export function filesBelow(dir, filter = () => true) {
  if (!existsSync(at(dir))) return [];
  const found = [];
  for (const entry of readdirSync(at(dir), { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') found.push(...filesBelow(path, filter));
    } else if (filter(entry.name)) found.push(path);
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

/** A hash of the contents of `files`: equal keys mean equal inputs. */
export function keyOf(files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(`\0${file}\0`).update(existsSync(at(file)) ? readFileSync(at(file)) : '');
  return hash.digest('hex');
}

/** The text of a file of the project, or undefined when it is absent. */
export function textOf(file) {
  return existsSync(at(file)) ? readFileSync(at(file), 'utf8') : undefined;
}

/** Writes a file of the project, creating folders; an unchanged file keeps its modification time. */
export function writeText(file, text) {
  if (textOf(file) === text) return;
  mkdirSync(dirname(at(file)), { recursive: true });
  writeFileSync(at(file), text);
}

/** Runs `work` while no other process of this working copy holds the lock `name`; a dead or hung owner's lock is taken over. */
export async function withLock(name, work) {
  const folder = at('.build', `${name}.lock`);
  mkdirSync(at('.build'), { recursive: true });
  const startedMs = Date.now();
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isOwnerAlive(folder) || Date.now() - startedMs > 180_000) rmSync(folder, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  writeFileSync(join(folder, 'pid'), String(process.pid));
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isOwnerAlive(folder) {
  try {
    const pidFile = join(folder, 'pid');
    if (!existsSync(pidFile)) return Date.now() - statSync(folder).mtimeMs < 5_000;
    process.kill(Number(readFileSync(pidFile, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
