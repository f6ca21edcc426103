const OWN_FRAME = /\n\s+at [^\n]*\bmitos:(?:[a-z]+|\d+\/mitos_\w+):\d[^\n]*/g;

/** A stack without the frames of the library; unless there are no others and it is not sure that they say nothing. */
export function withoutOwnFrames(stack: string, isSure?: boolean): string {
  const left = stack.replace(OWN_FRAME, '');
  return isSure || /\n\s+at /.test(left) ? left : stack;
}

/** What to print of anything that was thrown. Never throws. */
export function errorToText(error: unknown): string {
  try {
    return withoutOwnFrames(String((error as { stack?: unknown }).stack || error));
  } catch {
    return 'a value that cannot be shown was thrown';
  }
}
