/** Finds a function of the program in the text that its file has now: by its name, or by its own text where it has no name that lasts. */
import type { FunctionLocation } from '../api/locate.ts';
import { bindingPath } from './binding-path.ts';
import { functionAt } from './function-match.ts';
import { Source } from './source.ts';
import { child, nameOf, type Syntax } from './syntax.ts';

/** The function of `source` that is what `fn`, which V8 loaded at `place` of an older text, has become. Undefined if it is gone. */
export function findAgain(source: Source, fn: (...args: never[]) => unknown, place: FunctionLocation): Syntax | undefined {
  const { functions } = source.tree.scopes;
  const before = oldSource(source, place.source());
  const was = before && functionAt(before, before.lines.offset(place.line, place.column));
  const path = (before && was && bindingPath(before, was)) ?? (isNamedByLoader(was) ? [fn.name] : undefined);
  if (path) {
    const name = path.join('.');
    return functions.find((one) => bindingPath(source, one)?.join('.') === name);
  }
  if (!before || !was) return undefined;
  const alike = (where: Source): Syntax[] => where.tree.scopes.functions.filter((one) => textOf(where, one) === textOf(before, was));
  const [now, then] = [alike(source), alike(before)];
  return now.length === then.length ? now[then.indexOf(was)] : now.length === 1 && then.length === 1 ? now[0] : undefined;
}

/** The text that V8 loaded, which is JavaScript whatever the file is. */
function oldSource({ path }: Source, loaded: string): Source | undefined {
  const source = new Source(path.replace(/\.([cm]?)[jt]sx?$/, '.$1js'), loaded, () => false);
  try {
    return source.tree && source;
  } catch {
    return undefined;
  }
}

/** tsx writes `const name = __name(() => …, "name")`. */
function isNamedByLoader(node: Syntax | undefined): boolean {
  const call = node?.parent;
  const callee = call?.type === 'CallExpression' ? child(call, 'callee') : undefined;
  return nameOf(callee) === '__name' && call?.parent?.parent?.parent?.type === 'Program';
}

function textOf(source: Source, node: Syntax): string {
  return source.code.slice(node.start, node.end);
}
