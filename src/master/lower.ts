/**
 * Newer syntax in the words of an older Node. oxc does it in this process and keeps all names; what classes have got since Node 12, `using` and
 * regular expressions are left to esbuild, which is right about them, knows what it cannot do, and gives functions that it has to rename their
 * names back.
 */
import { esbuild } from './esbuild.ts';
import { onNeed } from './on-need.ts';
import type { Tool } from './reshape.ts';
import { parse, type Syntax } from './syntax.ts';

const oxc = onNeed<typeof import('oxc-transform')>('oxc-transform');

/** What no tool can write for an older Node. */
export class NotLowered extends Error {
  /** The syntax, in words. */
  readonly syntax: string;
  /** The version of Node that has it; undefined when only newer is known. */
  readonly since: string | undefined;
  /** Where, in the text that the tool was given. */
  readonly line: number;
  readonly column: number;

  constructor(syntax: string, since: string | undefined, line: number, column: number) {
    super(syntax);
    this.syntax = syntax;
    this.since = since;
    this.line = line;
    this.column = column;
  }
}

/** True for texts that need esbuild: a private name in a class, a static block, `using`, a regular expression with newer flags. */
function needsEsbuild(text: string): boolean {
  return /(?<![\w"'`#])#[A-Za-z_$]|\bstatic\s*\{|\busing\s+[\w$]|\/[gimsuy]*[dv][dgimsuvy]*(?![\w$/'"-])/.test(text);
}

/** The tool that lowers to an edition. It throws {@link NotLowered}. */
export function lowering(edition: number): Tool {
  const target = edition === 12 ? 'node12.22' : `node${edition}.0`;
  return (text, withMap) => {
    if (edition < 24) refusePatterns(text);
    if (!needsEsbuild(text)) {
      const { code, map, errors } = oxc().transformSync('module.cjs', text, {
        lang: 'js',
        sourceType: 'script',
        target,
        sourcemap: withMap,
      });
      if (!errors.some((error) => error.severity === 'Error')) return { code, map };
    }
    return withEsbuild(text, target, withMap);
  };
}

function withEsbuild(text: string, target: string, withMap: boolean): { code: string; map?: unknown } {
  try {
    return esbuild().transformSync(text, {
      target,
      charset: 'utf8',
      legalComments: 'none',
      keepNames: true,
      logLevel: 'silent',
      logOverride: { 'unsupported-regexp': 'error' },
      ...(withMap ? { sourcemap: 'external', sourcesContent: false } : {}),
    });
  } catch (error) {
    const [first] = (error as { errors?: { text: string; location: { line: number; column: number } | null }[] }).errors ?? [];
    if (!first) throw error;
    const flag = /^The regular expression flag "(\w)"/.exec(first.text)?.[1];
    const syntax = flag === undefined ? first.text : `the flag "${flag}" of a regular expression`;
    throw new NotLowered(
      syntax,
      flag === 'v' ? '20' : flag === 'd' ? '16' : undefined,
      first.location?.line ?? 1,
      first.location?.column ?? 0,
    );
  }
}

const MODIFIERS = /\(\?[ims]*-?[ims]+:/;
const TWICE = /\(\?<([\w$]+)>.*\(\?<\1>/;

/** What is written inside of regular expressions, no tool looks at. */
function refusePatterns(text: string): void {
  if (!MODIFIERS.test(text) && !/\(\?<([\w$]+)>[^\n]*\(\?<\1>/.test(text)) return;
  const stack: Syntax[] = [parse('module.cjs', text, 'js', 'commonjs').program];
  for (let node = stack.pop(); node; node = stack.pop()) {
    const pattern = (node['regex'] as { pattern?: string } | undefined)?.pattern ?? '';
    const syntax = MODIFIERS.test(pattern)
      ? 'modifiers in a regular expression'
      : TWICE.test(pattern)
        ? 'two groups of one name in a regular expression'
        : '';
    if (syntax) {
      const before = text.slice(0, node.start).split('\n');
      throw new NotLowered(syntax, '24', before.length, (before.at(-1) as string).length);
    }
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) stack.push(...(value as Syntax[]).filter((one) => typeof one?.type === 'string'));
      else if (value !== node.parent && typeof (value as Syntax | null)?.type === 'string') stack.push(value as Syntax);
    }
  }
}
