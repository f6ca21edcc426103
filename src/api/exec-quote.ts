/** Shell commands from templates, and text of others that is fit to be shown. */

/** Quotes a word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

/** The shell command of a template: what is put in is quoted, a list becomes as many words. Throws a TypeError for what is not text. */
export function shellCommand(pieces: TemplateStringsArray, values: readonly unknown[]): string {
  if (!Array.isArray(pieces) || pieces.some((piece) => typeof piece !== 'string')) {
    throw new TypeError('$ is used as the tag of a template: $`command ${argument}`');
  }
  return pieces.reduce((command, piece, index) => `${command}${wordsOf(values[index - 1])}${piece}`);
}

function wordsOf(value: unknown): string {
  return Array.isArray(value) ? value.map((word) => quote(textOf(word))).join(' ') : quote(textOf(value));
}

function textOf(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  throw new TypeError(
    `Cannot put ${value === null ? 'null' : `a value of type ${typeof value}`} into a shell command: only strings, numbers and lists of them`,
  );
}

/** Text in quotes, with everything escaped that a terminal could take for more than text. */
export function printable(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
