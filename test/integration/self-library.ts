/** Functions of a module that is not the main script. */
import { basename } from 'node:path';

export function exportedDouble(n: number): number {
  return n * 2;
}

function unexported(): string {
  return `un${basename('/a/exported')}`;
}

/** A function that has no name outside of this module. */
export function viaUnexported(): () => string {
  return unexported;
}

/** A class with callable parts. */
export class Tools {
  static readonly #secret = 'probed';

  static probe(): string {
    return Tools.#secret;
  }

  instance(): string {
    return 'of an instance';
  }
}
