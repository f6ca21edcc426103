/** Which version of Node a text needs, told from the text alone: quickly, and never too low. */

/** The first major version of Node, of the even ones, that is sure to understand a syntax; and where it may be in a text. */
const LEVELS: readonly [level: number, where: RegExp][] = [
  // `using`; modifiers and duplicate names of groups in regular expressions.
  [24, /\busing\s+[\w$]|\(\?[ims]*-?[ims]+:|\(\?<([\w$]+)>[^\n]*\(\?<\1>/],
  // The flag `v` of regular expressions.
  [20, /\/[dgimsuy]*v[dgimsuvy]*(?![\w$/'"-])/],
  // Private methods, `#x in y`, static blocks. Before these, private fields.
  [18, /#[\w$]|\bstatic\s*\{/],
  // `??=`, `||=`, `&&=`, the flag `d` of regular expressions.
  [16, /(?:\?\?|\|\||&&)=|\/[gimsuvy]*d[dgimsuvy]*(?![\w$/'"-])/],
  // `?.` and `??`.
  [14, /\?\.(?!\d)|\?\?/],
];

/** The master's own Node understands what it runs, whatever a text looks like. */
const OWN = Number.parseInt(process.versions.node, 10);

/** The first version of Node that is sure to understand `code`; 0 if 12.22 does. What only looks like newer syntax counts as such. */
export function levelOf(code: string): number {
  return Math.min(LEVELS.find(([, where]) => where.test(code))?.[0] ?? 0, OWN);
}

/** Versions that modules are lowered to; what is older than the first gets that. */
const EDITIONS: readonly number[] = [22, 20, 18, 16, 14, 12];

/** The edition for a version of Node such as `12.22.12`; undefined for those that need none. */
export function editionFor(node: string): number | undefined {
  const major = Number.parseInt(node, 10);
  if (!(major < 24)) return undefined;
  return EDITIONS.find((edition) => edition <= major) ?? 12;
}
