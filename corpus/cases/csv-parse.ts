import { parse as parseStream } from 'csv-parse';
import { parse } from 'csv-parse/sync';

export const about = { package: 'csv-parse', covers: 'subpaths of one package, streams' };

export async function run(): Promise<unknown> {
  const text = 'a,b\n1,"x ""y"" z"\n2,\n';
  const streamed: unknown[] = [];
  for await (const row of parseStream(text, { columns: true })) streamed.push(row);
  return { rows: parse(text, { columns: true, cast: true }), streamed };
}
