const OWN_FRAME = /\n\s+at [^\n]*\bmitos:(?:[a-z]+|\d+\/mitos_\w+):\d[^\n]*/g;

/** A stack without the frames of the library; as it is when there are no others. */
export function withoutOwnFrames(stack: string): string {
  const left = stack.replace(OWN_FRAME, '');
  return /\n\s+at /.test(left) ? left : stack;
}

/** What to print of anything that was thrown. Never throws. */
export function errorToText(error: unknown): string {
  try {
    return withoutOwnFrames(String((error as { stack?: unknown }).stack || error));
  } catch {
    return 'a value that cannot be shown was thrown';
  }
}
