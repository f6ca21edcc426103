import { SourceMapConsumer, SourceMapGenerator } from 'source-map';

export const about = {
  package: 'source-map',
  covers: 'WebAssembly from a file of its own, read when first used',
  asks: 'the file is read on demand',
  requests: 1,
};

export async function run(): Promise<unknown> {
  const map = new SourceMapGenerator({ file: 'out.js' });
  map.addMapping({ source: 'in.ts', original: { line: 3, column: 4 }, generated: { line: 1, column: 10 }, name: 'x' });
  const text = map.toString();
  return SourceMapConsumer.with(JSON.parse(text), null, (consumer) => ({
    text,
    found: { ...consumer.originalPositionFor({ line: 1, column: 12 }) },
  }));
}
