/** `--explain`: which modules went where, why, and what that cost. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { escapeText, type SentModule } from '../index.ts';
import { formatBytes, formatMs, Output } from './terminal.ts';

/** Importers that are named in a row. */
const SHOWN = 3;

/** Prints a table of modules to stderr; or, as JSON, an object a line to stdout. */
export function explain(modules: readonly SentModule[], names: ReadonlyMap<number, string>, isJson: boolean, requests: number): void {
  if (isJson) {
    for (const { to, ...module } of modules)
      process.stdout.write(`${JSON.stringify({ module: { ...module, to: names.get(to) ?? String(to) } })}\n`);
    process.stdout.write(`${JSON.stringify({ modules: totals(modules, requests) })}\n`);
    return;
  }
  const output = new Output(process.stderr, process.env);
  const rows = [...merge(modules)].sort((a, b) => b.sent - a.sent || b.bytes - a.bytes);
  const table = [['module', 'why', 'to', 'size', 'sent', 'made ready'], ...rows.map((row) => cells(row))];
  const widths = table[0]?.map((_, at) => Math.min(60, Math.max(...table.map((line) => (line[at] as string).length)))) ?? [];
  output.line('');
  for (const [at, line] of table.entries()) {
    const text = line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number)))
      .join('  ');
    output.line(at ? escapeText(text) : ['dim', text]);
  }
  const { count, bytes, sent, batches, contexts } = totals(modules, requests);
  const trips = requests === 1 ? '1 round trip' : `${requests} round trips`;
  output.line('');
  output.line(
    `${count} modules, ${formatBytes(bytes)}, sent as ${formatBytes(sent)} in ${batches} ${batches === 1 ? 'batch' : 'batches'} to ${contexts} ${contexts === 1 ? 'context' : 'contexts'}; ${trips} for modules that nobody could predict`,
  );
}

/** A module, for all contexts that got it. */
interface Row extends SentModule {
  contexts: number;
}

function merge(modules: readonly SentModule[]): Iterable<Row> {
  const rows = new Map<number, Row>();
  for (const module of modules) {
    const row = rows.get(module.id);
    if (!row) rows.set(module.id, { ...module, contexts: 1 });
    else {
      row.contexts++;
      row.sent += module.sent;
      row.ms += module.ms;
      row.roundTrip ||= module.roundTrip;
    }
  }
  return rows.values();
}

function cells({ url, why, importers, specifier, contexts, bytes, sent, ms, roundTrip }: Row): string[] {
  const chain = importers.slice(0, SHOWN).map(shorten).join(' <- ') + (importers.length > SHOWN ? ' <- …' : '');
  const reason = {
    called: 'called',
    library: 'part of mitos',
    imported: `<- ${chain}`,
    asked: `asked for${specifier === undefined ? '' : ` as ${JSON.stringify(specifier)}`}${chain && ` by ${chain}`}`,
  }[why];
  return [
    shorten(url),
    roundTrip && why !== 'asked' ? `${reason} (asked for)` : reason,
    String(contexts),
    formatBytes(bytes),
    formatBytes(sent),
    formatMs(ms),
  ];
}

function totals(
  modules: readonly SentModule[],
  roundTrips: number,
): { count: number; bytes: number; sent: number; batches: number; contexts: number; roundTrips: number } {
  const sizes = new Map(modules.map(({ id, bytes }) => [id, bytes]));
  return {
    count: sizes.size,
    bytes: [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0),
    sent: modules.reduce((sum, { sent }) => sum + sent, 0),
    batches: new Set(modules.flatMap(({ batch }) => batch ?? [])).size,
    contexts: new Set(modules.map(({ to }) => to)).size,
    roundTrips,
  };
}

/** A file as it is seen from here, or as its package calls it. */
function shorten(url: string): string {
  if (!url.startsWith('file:')) return url;
  const path = fileURLToPath(url);
  const inPackage = /.*[/\\]node_modules[/\\](?!\.)(.*)$/s.exec(path)?.[1];
  const near = relative(process.cwd(), path);
  return inPackage ?? (near.startsWith('..') ? path : near);
}
