/** Reading of options that several connection methods share. */

/** The option `node` as a command: a path, or an argument list. */
export function nodeCommand(node: string | readonly string[] | undefined): readonly string[] | undefined {
  return node === undefined ? undefined : typeof node === 'string' ? [node] : node;
}
