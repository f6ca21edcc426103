/** Texts of files as they are sent: what stands on the disk, or what the program has loaded. */
import { ModuleError } from '../core/errors.ts';
import { isUnchanged, type Reading, readSettled, type Stamp, stampOf } from './disk.ts';
import { type Loaded, loadedText } from './loaded-text.ts';

/** Clocks of file systems and of this process may differ by so much. */
const SLACK_MS = 2000;
/** Clocks of file systems are that coarse. */
const GRAIN_MS = 20;

/** When this process started. */
export const STARTED_AT: number = performance.timeOrigin - SLACK_MS;

/** The moment of looking at a disk: what was changed before it has a lower stamp. */
export const looking = (): number => Date.now() - GRAIN_MS;

/** A file as it is sent. */
export interface Version extends Partial<Reading> {
  readonly text: string;
  /** Since when the file has had this text, at the latest. */
  readonly since: number;
  /** When it was last seen to have it; undefined for what is known to be old. */
  seenAt: number | undefined;
  /** It has been part of a call: without `reload` it stays what it is. */
  isSettled: boolean;
  /** It is what the program itself has loaded. */
  isLoaded: boolean;
}

/** A file that cannot be read any more has changed, too. */
export function isSame(path: string, version: Reading): boolean {
  try {
    return isUnchanged(path, version);
  } catch {
    return false;
  }
}

export function readVersion(path: string): Version {
  const reading = readSettled(path);
  return { ...reading, since: Math.min(reading.stamp.ctimeMs, Date.now()), seenAt: looking(), isSettled: false, isLoaded: false };
}

/** The text that the program has loaded; of what it has not loaded, the text that is there now. */
export function oldest(path: string, loaded: string | undefined): Version {
  if (loaded !== undefined) {
    const stamp = stampOf(path);
    if (!stamp || stamp.ctimeMs <= STARTED_AT) return old(loaded, stamp);
  }
  let now: Version | undefined;
  try {
    now = readVersion(path);
  } catch (error) {
    if (loaded === undefined) throw error;
    // Not to be read: the program has it all the same.
    return old(loaded);
  }
  if (now.since <= STARTED_AT) return now;
  const known: Loaded = loaded === undefined ? loadedText(path, now.text) : { state: 'known', text: loaded };
  if (known.state === 'lost') {
    throw new ModuleError('ERR_MITOS_MODULE_CHANGED', `Cannot send ${path}: it has been changed on disk since the program loaded it`, {
      hint: 'restart the program, or make its router with { reload: true }',
    });
  }
  if (known.state === 'not loaded') return now;
  return known.text === now.text ? { ...now, isLoaded: true } : old(known.text);
}

/** What the program has loaded. A stamp says that it is what stands on the disk, too. */
function old(text: string, stamp?: Stamp): Version {
  return { text, ...(stamp && { stamp, isSure: true }), since: STARTED_AT, seenAt: stamp && looking(), isSettled: true, isLoaded: true };
}
