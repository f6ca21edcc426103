/** Source maps of shipped modules, for debuggers. */
import { pathToFileURL } from 'node:url';
import type { SourceMapSegment } from '@jridgewell/sourcemap-codec';
import { onNeed } from './on-need.ts';
import { type Place, readSource } from './source.ts';

const codec = onNeed<typeof import('@jridgewell/sourcemap-codec')>('@jridgewell/sourcemap-codec');

/** Text of a module as shipped, and where its places come from. */
export interface ShippedText {
  /** The code, without what the importer writes before it. */
  code: string;
  /** Characters that the importer writes before the code on its first line. */
  prefix: number;
  /** The place in the user's own file; line and column of the script count from 0. */
  placeOf(line: number, column: number): Place | undefined;
}

/** Most characters for which every word is mapped; of longer texts every line. */
const MAX_EXACT = 1_000_000;

/** A source map (JSON), exact at every word. */
export function debugMap({ code, prefix, placeOf }: ShippedText): string {
  const sources: string[] = [];
  const lines = code.split('\n').map((text, line) => {
    const segments: SourceMapSegment[] = [];
    const starts = code.length > MAX_EXACT ? [0] : [...text.matchAll(/[\w$]+|[^\w$\s]/g)].map((match) => match.index);
    for (const start of starts) {
      const column = start + (line === 0 ? prefix : 0);
      const place = placeOf(line, column);
      if (!place) continue;
      let source = sources.indexOf(place.file);
      if (source < 0) source = sources.push(place.file) - 1;
      const last = segments.at(-1);
      if (last && last.length > 1 && last[1] === source && last[2] === place.line - 1 && last[3] === place.column - 1) continue;
      segments.push([column, source, place.line - 1, place.column - 1]);
    }
    return segments;
  });
  const sourcesContent = sources.map((path) => {
    try {
      return readSource(path);
    } catch {
      return null;
    }
  });
  return JSON.stringify({
    version: 3,
    sources: sources.map((path) => pathToFileURL(path).href),
    sourcesContent,
    names: [],
    mappings: codec().encode(lines),
  });
}
