/** What to print of anything that was thrown. Never throws. */
export function errorToText(error: unknown): string {
  try {
    return String((error as { stack?: unknown }).stack || error);
  } catch {
    return 'a value that cannot be shown was thrown';
  }
}
