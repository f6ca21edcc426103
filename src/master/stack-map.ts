/** Stack traces of children, in the user's own files, lines and columns. */
import { debugMap } from './debug-map.ts';
import { type Item, wrapperLength } from './module-item.ts';
import { Lines } from './patch.ts';
import type { Place, Source } from './source.ts';

const MAX_STACK = 65536;

/** The offset in the source's code of a place in shipped code. Line and column count from 0, as V8 gives them. */
export function originalOffset(item: Item, line: number, column: number): number {
  const def = item.def as NonNullable<Item['def']>;
  item.lines ??= new Lines(def.code);
  const offset = item.lines.offset(line, line === 0 ? Math.max(0, column - wrapperLength(def)) : column);
  return item.patched ? item.patched.toOriginal(offset) : offset;
}

/** Replaces each `mitos:12/name.ts:3:5` by the place it stands for. Text that names no known module stays as it is. */
export function mapStackText(stack: string, itemOf: (id: number) => Item | undefined): string {
  return stack
    .slice(0, MAX_STACK)
    .replace(/mitos:(\d{1,10})\/[\w.-]*:(\d{1,9}):(\d{1,9})/g, (all, id: string, line: string, column: string) => {
      const item = itemOf(Number(id));
      if (!item?.source) return all;
      try {
        const place = placeIn(item.source, originalOffset(item, Number(line) - 1, Number(column) - 1));
        return `${place.file}:${place.line}:${place.column}`;
      } catch {
        return all;
      }
    });
}

/** A source map of shipped code for debuggers, as JSON; undefined for what is no file of the user's. */
export function sourceMapOf(item: Item): string | undefined {
  const { source, def } = item;
  if (!source || !def) return undefined;
  return debugMap({
    code: def.code,
    prefix: wrapperLength(def),
    placeOf: (line, column) => placeIn(source, originalOffset(item, line, column)),
  });
}

function placeIn(source: Source, offset: number): Place {
  return source.placeOf(Math.min(offset, source.code.length));
}
