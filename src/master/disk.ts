/** Files as they stand on the disk: their texts, and what tells whether they have been changed since. */
import { lstatSync } from 'node:fs';
import { ModuleError } from '../core/errors.ts';
import { readSource } from './source.ts';

/** What the system tells of a file: another content has another stamp, but for what is written in the very moment of looking. */
export interface Stamp {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly isFile: boolean;
}

/** A text and the stamp of the file it was read from. */
export interface Reading {
  readonly text: string;
  readonly stamp: Stamp;
  /** Whether an equal stamp proves an equal text: the file had not been changed just before it was read. */
  readonly isSure: boolean;
}

/** The clocks of file systems may be that coarse, and whoever writes a file may take that long. */
const SETTLE_MS = 20;
/** A file that was emptied so lately is about to be filled. */
const EMPTY_MS = 500;
/** Attempts to read a file that keeps changing. */
const ATTEMPTS = 60;

/** The stamp of a file; undefined if there is none. */
export function stampOf(path: string): Stamp | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && { ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs, isFile: stat.isFile() };
}

/** Whether two stamps are of one content. */
export function isSameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a === b || (!!a && !!b && a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs);
}

/**
 * Reads a file as a whole: waits a moment if it was changed just now, and reads again while it changes. Throws what `readSource` throws, and
 * `ERR_MITOS_MODULE_CHANGED` for a file that does not come to rest.
 */
export function readSettled(path: string): Reading {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = stampOf(path);
    const age = before ? Date.now() - before.ctimeMs : SETTLE_MS;
    // A clock that goes before ours would never let it settle.
    if (age >= 0 && age < (before?.size === 0 ? EMPTY_MS : SETTLE_MS) && attempt < ATTEMPTS / 2) {
      pause(age < SETTLE_MS ? SETTLE_MS - age : SETTLE_MS);
      continue;
    }
    const text = readSource(path, before?.isFile);
    const stamp = stampOf(path);
    if (stamp && isSameStamp(before, stamp)) return { text, stamp, isSure: age >= SETTLE_MS };
  }
  throw new ModuleError('ERR_MITOS_MODULE_CHANGED', `Cannot read ${path}: it keeps changing`, {
    hint: 'call again when it has been written',
  });
}

/** Whether a file still has the text that was read. */
export function isUnchanged(path: string, { text, stamp, isSure }: Reading): boolean {
  if (!isSameStamp(stampOf(path), stamp)) return false;
  return isSure || readSettled(path).text === text;
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.ceil(ms));
}
