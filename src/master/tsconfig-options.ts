/** The compiler options of the nearest tsconfig.json, as far as they change what a TypeScript file means when it runs. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { child, children, nameOf, parse, type Syntax } from './syntax.ts';

/** Options that change emitted code. */
export interface TsOptions {
  experimentalDecorators?: boolean;
  emitDecoratorMetadata?: boolean;
  useDefineForClassFields?: boolean;
  verbatimModuleSyntax?: boolean;
  target?: string;
  jsx?: string;
  jsxFactory?: string;
  jsxFragmentFactory?: string;
  jsxImportSource?: string;
}

const cache = new Map<string, TsOptions>();

/** Reads JSON with comments and trailing commas. */
function valueOf(node: Syntax | undefined): unknown {
  switch (node?.type) {
    case 'ObjectExpression': {
      const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
      for (const one of children(node, 'properties'))
        if (one.type === 'Property') out[nameOf(child(one, 'key'))] = valueOf(child(one, 'value'));
      return out;
    }
    case 'ArrayExpression':
      return children(node, 'elements').map(valueOf);
    case 'Literal':
      return node['value'];
    case 'ParenthesizedExpression':
      return valueOf(child(node, 'expression'));
    default:
      return undefined;
  }
}

function readConfig(file: string, depth: number): TsOptions {
  if (depth > 16) return {};
  let config: { extends?: string | string[]; compilerOptions?: TsOptions } | undefined;
  try {
    const { program } = parse('tsconfig.js', `(${readFileSync(file, 'utf8').replace(/^\uFEFF/, '')})`, 'js', 'commonjs');
    config = valueOf(child(children(program, 'body')[0] as Syntax, 'expression')) as typeof config;
  } catch {
    return {};
  }
  const bases = config?.extends === undefined ? [] : [config.extends].flat();
  const inherited = bases.map((base) => {
    const path = baseFile(base, file);
    return path ? readConfig(path, depth + 1) : {};
  });
  return Object.assign({}, ...inherited, config?.compilerOptions) as TsOptions;
}

function baseFile(base: string, from: string): string | undefined {
  if (/^\.{0,2}\//.test(base) || base.startsWith('.')) {
    const path = resolve(dirname(from), base);
    return [path, `${path}.json`, join(path, 'tsconfig.json')].find((one) => existsSync(one) && one.endsWith('.json'));
  }
  for (const candidate of [base, `${base}.json`, `${base}/tsconfig.json`]) {
    try {
      return createRequire(from).resolve(candidate);
    } catch {
      // The next spelling.
    }
  }
  return undefined;
}

/** The options that hold for `file`; empty without a tsconfig.json above it. */
export function tsOptionsFor(file: string): TsOptions {
  const directory = dirname(file);
  const there = cache.get(directory);
  if (there) return there;
  let options: TsOptions = {};
  for (let at = directory; ; at = dirname(at)) {
    const candidate = join(at, 'tsconfig.json');
    if (existsSync(candidate)) {
      options = readConfig(candidate, 0);
      break;
    }
    if (at === dirname(at)) break;
  }
  cache.set(directory, options);
  return options;
}
