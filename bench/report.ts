/** What the benchmark says: one row for each figure, with the floor or peer it was measured beside and the target it has to meet. */
import { cpus, loadavg } from 'node:os';

/** A bound for a figure, or for its ratio to what was measured beside it. */
export interface Target {
  of: 'value' | 'ratio';
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
  beside?: { what: string; values: readonly number[] };
  target?: Target;
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** A row with everything worked out, as `--json` gives it. */
export function assess({ what, unit, values, beside, target }: Row) {
  const value = median(values);
  const besideValue = beside ? median(beside.values) : undefined;
  const ratio = beside && ratioOf(values, beside.values);
  const measured = target?.of === 'ratio' ? ratio : value;
  const isMet =
    !target || measured === undefined ? undefined : measured <= (target.atMost ?? Infinity) && measured >= (target.atLeast ?? -Infinity);
  const range = [Math.min(...values), Math.max(...values)];
  return { what, unit, value, range, samples: values.length, beside: beside?.what, besideValue, ratio, target, isMet };
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
      row.beside === undefined
        ? ''
        : Number.isNaN(row.besideValue)
          ? `${row.beside}: not installed`
          : `${row.beside}: ${short(row.besideValue)}`,
      row.ratio === undefined || Number.isNaN(row.ratio) ? '' : `${row.ratio.toFixed(2)} x`,
      targetText(row.target),
      row.isMet === undefined || Number.isNaN(row.ratio) ? '' : row.isMet ? 'pass' : 'MISS',
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

function targetText(target: Target | undefined): string {
  if (!target) return '';
  const unit = target.of === 'ratio' ? ' x' : '';
  return target.atMost === undefined ? `>= ${short(target.atLeast)}${unit}` : `<= ${short(target.atMost)}${unit}`;
}

function short(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
