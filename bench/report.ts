/** What the benchmark says: one row for each figure, with the floor or peer it was measured beside and the target it has to meet. */
import { cpus, loadavg } from 'node:os';

/** A bound for a figure, for its ratio to what was measured beside it, or for what it is beyond that. */
export interface Target {
  of: 'value' | 'ratio' | 'difference';
  atMost?: number;
  atLeast?: number;
}

/** One figure. */
export interface Row {
  what: string;
  unit: string;
  /** Medians are taken of these; one element for what does not vary. */
  values: readonly number[];
  /** The floor or the peer. `values` is empty when it is not installed. */
  beside?: Beside;
  /** Further peers, told of but not compared with. */
  also?: readonly Beside[];
  target?: Target;
}

/** What was measured beside something. */
export interface Beside {
  what: string;
  values: readonly number[];
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** A row with everything worked out, as `--json` gives it. */
export function assess({ what, unit, values, beside, also, target }: Row) {
  const value = median(values);
  const besideValue = beside ? median(beside.values) : undefined;
  const ratio = beside && ratioOf(values, beside.values);
  const measured = target?.of === 'ratio' ? ratio : target?.of === 'difference' ? value - (besideValue ?? NaN) : value;
  const isMet =
    !target || measured === undefined || Number.isNaN(measured)
      ? undefined
      : measured <= (target.atMost ?? Infinity) && measured >= (target.atLeast ?? -Infinity);
  const range = [Math.min(...values), Math.max(...values)];
  const others = also?.map((peer) => ({ what: peer.what, value: median(peer.values) }));
  return { what, unit, value, range, samples: values.length, beside: beside?.what, besideValue, also: others, ratio, target, isMet };
}

/** Turn by turn where both were measured in the same turns: what slows down one turn slows down both. */
function ratioOf(values: readonly number[], beside: readonly number[]): number {
  if (values.length !== beside.length) return median(values) / median(beside);
  return median(values.map((value, turn) => value / (beside[turn] ?? NaN)));
}

/** Prints rows as a table. */
export function printTable(rows: readonly Row[]): void {
  const cells = rows
    .map(assess)
    .map((row) => [
      row.what,
      `${short(row.value)}${row.samples > 1 ? ` (${short(row.range[0])}-${short(row.range[1])})` : ''} ${row.unit}`.trim(),
      row.beside === undefined ? '' : [{ what: row.beside, value: row.besideValue ?? NaN }, ...(row.also ?? [])].map(besideText).join(', '),
      row.ratio === undefined || Number.isNaN(row.ratio) ? '' : `${row.ratio.toFixed(2)} x`,
      targetText(row.target),
      row.isMet === undefined ? '' : row.isMet ? 'pass' : 'MISS',
    ]);
  const table = [['figure', 'median (min-max)', 'beside', 'ratio', 'target', ''], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length))); // all lines have six cells
  for (const line of table)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** How busy the machine is. */
export function load(): string {
  return `load ${loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')} on ${cpus().length} processors, Node ${process.versions.node}`;
}

function besideText({ what, value }: { what: string; value: number }): string {
  return `${what}: ${Number.isNaN(value) ? 'not installed' : short(value)}`;
}

function targetText(target: Target | undefined): string {
  if (!target) return '';
  if (target.of === 'difference') return `<= +${short(target.atMost)}`;
  const unit = target.of === 'ratio' ? ' x' : '';
  return target.atMost === undefined ? `>= ${short(target.atLeast)}${unit}` : `<= ${short(target.atMost)}${unit}`;
}

function short(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
