/** Starts and ends the user's side of a context, on the thread where user code runs. */
import type { ChildConfig } from './config.ts';
import { errorToText } from './error-text.ts';
import { mitosError } from './errors.ts';
import { FLUSH } from './handles.ts';
import { captureConsole } from './log.ts';
import { UserSide } from './user-side.ts';

/** Makes the user's side of this thread, with its console and its late errors going to the master. */
export function createUser(config: ChildConfig, sendFrame: (frame: Buffer) => void, pump: () => boolean, core: object): UserSide {
  const user = new UserSide(config, sendFrame, pump, core);
  captureConsole((level, text) => user.log('console', level, text));
  const report = (what: string, error: unknown): void => {
    for (const line of `${what}: ${errorToText(error)}`.split('\n')) user.log('mitos', 'error', line);
  };
  process.on('uncaughtException', (error) => report('Uncaught exception', error));
  process.on('unhandledRejection', (error) => report('Unhandled rejection', error));
  return user;
}

/** Aborts what runs, gives it `graceMs` to end, and exits. */
export function endUser(user: UserSide, graceMs: number): void {
  user.dispatcher.abortAll(mitosError('ERR_MITOS_SHUTDOWN', 'The context is being shut down'));
  const until = Date.now() + graceMs;
  const look = (): void => {
    if (user.dispatcher.running && Date.now() < until) setTimeout(look, 5);
    else process.exit();
  };
  look();
}

/** Waits until the I/O thread has written what this thread said last. */
export function flushUser(user: UserSide, pump: () => boolean): void {
  try {
    user.endpoint.requestSync(user.config.id, FLUSH, null, pump);
  } catch {
    // the time is over: what is left is lost with the process
  }
}
