/** Items of the module graph: everything that has a module id. */
import { EDITION, type ModuleDef } from '../core/module-batch.ts';
import type { Lines, Patched } from './patch.ts';
import type { Source } from './source.ts';
import type { Syntax } from './syntax.ts';

/** One module as the master knows it. */
export interface Item {
  readonly id: number;
  /** `file`: a whole file. `facade`: the exports of a main script. `group`, `slice`: parts of a main script. `inline`: a function evaluated in the scope of `parent`. `text`: ours. */
  readonly form: 'file' | 'facade' | 'group' | 'slice' | 'inline' | 'text';
  readonly source?: Source;
  /** What made this item known first. */
  readonly importer?: Item;
  readonly group?: number;
  readonly fn?: Syntax;
  readonly parent?: Item;
  readonly text?: { url: string; code: string };
  /** An ES module imports this CommonJS one: its names are sent. */
  wantsNames: boolean;
  def?: ModuleDef;
  /** The code as it is sent. */
  patched?: Patched;
  /** Where that was minified: what it was made of. */
  plain?: Patched;
  lines?: Lines;
  closure?: readonly ModuleDef[];
}

/** Whether its text was made by tools: positions in it lead back to the nearest word only. */
export function isReshaped(item: Item): boolean {
  return item.plain !== undefined || item.id >= EDITION;
}

/** Names an item in messages: its file, as short as it is clear. */
export function describeItem(item: Item): string {
  const path = item.source?.path ?? item.text?.url ?? '';
  const base = `${process.cwd()}/`;
  return path.startsWith(base) ? path.slice(base.length) : path;
}

/** `a.ts <- main.ts`: who asked for an item, back to where it began. */
export function importChain(item: Item): string {
  const names: string[] = [];
  for (let at: Item | undefined = item; at && names.length < 20; at = at.importer ?? at.parent) {
    const name = describeItem(at);
    if (names[names.length - 1] !== name) names.push(name);
  }
  return names.join(' <- ');
}

/** The characters that the importer writes before the code of a module: they shift the columns of its first line. */
export function wrapperLength(def: ModuleDef): number {
  if (def.kind === 'inline') return 0;
  if (def.kind === 'esm') return (def.async ? '(async function*($mitos){' : '(function*($mitos){').length;
  return '(function(exports,require,module,__filename,__dirname,$mitos){'.length;
}
