/**
 * One of several programs makes something, the others wait for it. The lock is a directory that only one can make, and the place to work in as
 * well: whatever a program that crashed leaves behind lies in it. Its time of change is renewed while the work goes on.
 *
 * Two may still work at once, if one was stopped for so long that the other thought it dead: what is made has to appear by one `rename`.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atEnd } from './at-end.ts';

/** How names of such directories begin. */
export const MAKING = '.making-';
/** A lock that was not renewed for so long is nobody's. */
const STALE_MS = 30_000;
const RENEW_MS = 5_000;
const LOOK_MS = 50;

/** What to make. */
export interface ExclusiveWork<T> {
  /** Where the lock is. */
  directory: string;
  /** Name of what is made. */
  name: string;
  signal: AbortSignal;
  /** Gives it if it is there; asked first, and again after each wait. */
  find(): Promise<T | undefined>;
  /** Gives up when another program is making it, instead of waiting. @default false */
  isImpatient?: boolean;
  /** Makes it. `workspace` is empty, private and gone afterwards. */
  make(workspace: string): Promise<T>;
}

/** Finds something, or makes it while no other program does. `undefined` only for the impatient. */
export async function findOrMake<T>(work: ExclusiveWork<T> & { isImpatient?: false }): Promise<T>;
export async function findOrMake<T>(work: ExclusiveWork<T>): Promise<T | undefined>;
export async function findOrMake<T>(work: ExclusiveWork<T>): Promise<T | undefined> {
  const lock = join(work.directory, MAKING + work.name);
  for (;;) {
    const found = await work.find();
    if (found !== undefined) return found;
    work.signal.throwIfAborted();
    if (await isMade(lock)) return makeIn(lock, work);
    if (await isAbandoned(lock)) await discard(lock);
    else if (work.isImpatient) return undefined;
    else await delay(LOOK_MS, undefined, { signal: work.signal }).catch(() => work.signal.throwIfAborted());
  }
}

async function makeIn<T>(lock: string, work: ExclusiveWork<T>): Promise<T> {
  const forget = atEnd(() => rmSync(lock, { recursive: true, force: true }));
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => undefined);
  }, RENEW_MS).unref();
  try {
    await writeFile(join(lock, 'owner'), `${hostname()} ${process.pid}`);
    const workspace = join(lock, 'work');
    await mkdir(workspace, { mode: 0o700 });
    // It may have been made between the look and the lock.
    return (await work.find()) ?? (await work.make(workspace));
  } finally {
    clearInterval(renewal);
    await rm(lock, { recursive: true, force: true }).catch(() => undefined);
    forget();
  }
}

/** Takes the lock. @returns false when someone has it */
async function isMade(lock: string): Promise<boolean> {
  try {
    await mkdir(lock, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether nobody works in such a directory any more. */
export async function isAbandoned(lock: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(lock);
    if (Date.now() - mtimeMs > STALE_MS) return true;
    const [host, pid] = (await readFile(join(lock, 'owner'), 'utf8')).split(' ');
    return host === hostname() && pid !== undefined && !isAlive(Number(pid));
  } catch {
    return false; // gone, or just being made
  }
}

/** Removes a directory as a whole: to others it is there, or gone. */
export async function discard(directory: string): Promise<void> {
  const aside = join(dirname(directory), `${MAKING}removed-${randomBytes(6).toString('hex')}`);
  await rename(directory, aside).then(
    () => rm(aside, { recursive: true, force: true }),
    () => undefined,
  );
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
