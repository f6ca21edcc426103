/** When a server that hangs up before the login is tried again; the same for both ways to speak ssh. */

/** How often, unless the option `retries` says otherwise. */
export const RETRIES = 4;

/** The first pause: from this to three times as long, so that those that were refused together part. They double. */
const PAUSE_MS = 100;

/** The pause after so many tries, in milliseconds. */
export function pauseAfter(tries: number): number {
  return PAUSE_MS * (1 + 2 * Math.random()) * 2 ** Math.min(tries - 1, 6);
}
