/** Quoting of arguments for shells: POSIX ones, and csh and fish, which read single quotes the same way. */

/** `text` as one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

/** A command line that gives these arguments. */
export function shellWords(argv: readonly string[]): string {
  return argv.map(shellWord).join(' ');
}
