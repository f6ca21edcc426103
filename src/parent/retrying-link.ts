/** A child whose start is tried again: on a terminal if the program insists on one, or later if the other side is busy. */
import type { Clock } from '../core/clock.ts';
import type { LogSource } from '../core/log.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { ReplayTransport, standIn } from './replay-link.ts';

const HOLD_MS = 2 ** 30;

/** An attempt that has failed. */
export interface Attempt {
  /** 1 for the first. */
  number: number;
  status: ExitStatus;
  /** What it printed, the last lines. */
  lines: readonly string[];
}

/**
 * Starts a child by `start`, which is given the number of the attempt; when it ends before the first stage has said a word,
 * `delayOf` says after how many milliseconds it is tried again, or (undefined) that it has failed.
 */
export function retrying(start: (attempt: number) => ChildLink, delayOf: (failed: Attempt) => number | undefined, clock: Clock): ChildLink {
  const transport = new ReplayTransport();
  let number = 1;
  let current = start(1);
  let timer: unknown;
  // The clock's timers let the process end, an attempt that is still to come does not.
  let hold: NodeJS.Timeout | undefined;
  let isKilled = false;
  let settle: (status: ExitStatus) => void = () => {};
  const adopt = (link: ChildLink): void => {
    current = link;
    const lines: string[] = [];
    link.onOutput = (source: LogSource, line) => {
      lines.push(line);
      if (lines.length > 100) lines.shift();
      outer.onOutput(source, line);
    };
    link.onWord = (word, text) => {
      transport.written = undefined;
      outer.onWord(word, text);
    };
    transport.use(link.transport);
    void link.exited.then((status) => {
      const delay = transport.written && !isKilled ? delayOf({ number, status, lines }) : undefined;
      if (delay === undefined) {
        settle(status);
        if (transport.written) transport.onClose(undefined);
      } else {
        hold = setInterval(() => {}, HOLD_MS);
        timer = clock.setTimeout(() => again(status), delay);
      }
    });
  };
  const again = (status: ExitStatus): void => {
    clearInterval(hold);
    try {
      adopt(start(++number));
    } catch (error) {
      settle({ ...status, error: error as Error });
    }
  };
  const exited = new Promise<ExitStatus>((resolve) => (settle = resolve));
  const outer = standIn(
    transport,
    () => current,
    exited,
    () => {
      isKilled = true;
      clock.clearTimeout(timer);
      clearInterval(hold);
      current.kill();
      // Between two attempts there is nobody to end.
      void current.exited.then(settle);
    },
  );
  adopt(current);
  return outer;
}
