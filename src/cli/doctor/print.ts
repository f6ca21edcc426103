/** Shows what the doctor found to a person: with signs and colours on a terminal, in plain ASCII elsewhere. */
import { escapeText } from '../../index.ts';
import { type FailureFacts, remediesOf } from '../failure.ts';
import type { Output, Piece, Style } from '../terminal.ts';
import type { Fact, FactState } from './facts.ts';
import type { DoctorListener, DoctorReport, StepReport } from './walk.ts';

const SIGNS: Readonly<Record<FactState, readonly [live: string, plain: string, style: Style]>> = {
  ok: ['✔', 'ok  ', 'green'],
  note: ['·', 'note', 'dim'],
  warning: ['!', 'WARN', 'yellow'],
  failed: ['✘', 'FAIL', 'red'],
};
const WIDTH = 13;
/** What a stage means for how far it came. */
const REACHED: Readonly<Record<string, string>> = {
  start: 'nothing was heard from the other side',
  asked: 'it asked for something',
  'asked-again': 'the password was asked for again',
  node: 'Node was found and started',
  none: 'no Node was found',
  old: 'the Node that was found is too old',
};
/** Lines of output that are shown of a failure. */
const SHOWN_LINES = 8;

/** Prints as the walk goes on. */
export class DoctorPrinter implements DoctorListener {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  onStep({ step, from, name, facts, failure }: StepReport, number: number): void {
    const reached = name === null ? '' : `, as ${escapeText(name)}`;
    this.#output.text('', ['bold', `${number}. ${escapeText(step)}`], ['dim', ` from ${escapeText(from)}${reached}`]);
    for (const one of facts) this.#fact(one);
    if (failure) this.#failure(failure);
    this.#output.line();
  }

  onReached(name: string, facts: readonly Fact[]): void {
    this.#output.text('', ['bold', `In ${escapeText(name)}`]);
    for (const one of facts) this.#fact(one);
    this.#output.line();
  }

  /** The last line. */
  end({ status, target, steps }: DoctorReport): void {
    const warnings = steps.flatMap(({ facts }) => facts).filter(({ state }) => state === 'warning').length;
    const more = warnings > 0 ? `, with ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}` : '';
    if (status === 'ok') this.#output.text('', this.#sign('ok'), ` ${escapeText(target)} was reached${more}`);
    else this.#output.text('', this.#sign('failed'), ` ${escapeText(target)} was not reached: step ${steps.length} failed`);
  }

  #sign(state: FactState): Piece {
    const [live, plain, style] = SIGNS[state];
    return [style, this.#output.isLive ? live : plain.trim()];
  }

  #line(state: FactState, what: string, text: string): void {
    const [live, plain, style] = SIGNS[state];
    const sign = this.#output.isLive ? live : plain;
    this.#output.text(this.#column(), '  ', [style, sign], ` ${what.padEnd(WIDTH)} ${escapeText(text)}`);
  }

  #fact({ state, what, text, hint }: Fact): void {
    this.#line(state, what, text);
    if (hint !== undefined && state !== 'ok') this.#more('', `-> ${hint}`);
  }

  #more(what: string, text: string): void {
    const column = this.#column();
    this.#output.text(column, `${what.padStart(column.length - WIDTH - 1 + what.length).padEnd(column.length)}${escapeText(text)}`);
  }

  /** Room in front of texts. */
  #column(): string {
    return ' '.repeat((this.#output.isLive ? 4 : 7) + WIDTH + 1);
  }

  /** What was tried, what was seen, and what to do. */
  #failure(failure: FailureFacts): void {
    const { code, message, argv, stage, elapsedMs, exitCode, signal, stderr = [] } = failure;
    this.#line('failed', 'connection', `${code === undefined ? '' : `${code}: `}${message}`);
    if (argv) this.#more('tried', argv.join(' '));
    const end = signal ? `ended by ${signal}` : typeof exitCode === 'number' ? `exit code ${exitCode}` : 'no exit status';
    if (elapsedMs !== undefined) this.#more('seen', `${end} after ${elapsedMs} ms; ${REACHED[stage ?? 'start'] ?? stage}`);
    for (const line of stderr.slice(-SHOWN_LINES)) this.#more('', `| ${line}`);
    for (const remedy of remediesOf(failure)) this.#more('do', remedy);
  }
}
