/**
 * Whether a value can stand on a command line as the name of a host, a user, a container or the like: it can be taken neither for an option
 * nor for several words.
 */
export function isName(value: unknown): value is string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return typeof value === 'string' && /^[^-\s\0-\x1f\x7f][^\s\0-\x1f\x7f]*$/.test(value);
}
