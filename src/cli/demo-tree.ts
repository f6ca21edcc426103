/** The tree of the demo as it grows: lines that change in place on a terminal, a line for each event elsewhere. */
import type { Context, Router } from '../index.ts';
import { formatMs, type Output, type Piece } from './terminal.ts';

const WIDTH = 26;
const ROWS: readonly { name: string; indent: string; what: string }[] = [
  { name: 'master', indent: '', what: 'this program' },
  { name: 'child', indent: '├─ ', what: 'process' },
  { name: 'grandchild', indent: '│  └─ ', what: 'process' },
  { name: 'great-grandchild', indent: '│     └─ ', what: 'process' },
  { name: 'worker', indent: '└─ ', what: 'thread' },
];

/** Shows which contexts are up. */
export class DemoTree {
  readonly #output: Output;
  readonly #since: () => number;
  readonly #lines: Map<string, number> = new Map();
  readonly #router: Router;
  /** The number that the next line has when nothing was printed since the last event. */
  #next = -1;
  readonly #onConnect: (context: Context) => void = (context) => this.#show(context);

  constructor(output: Output, router: Router, since: () => number) {
    this.#output = output;
    this.#since = since;
    this.#router = router;
    for (const { name } of ROWS)
      this.#lines.set(name, output.line(...this.#row(name, name === 'master' ? ['dim', `  pid ${process.pid}`] : this.#waiting())));
    router.on('connect', this.#onConnect);
  }

  /** Stops following the tree. */
  end(): void {
    this.#router.off('connect', this.#onConnect);
  }

  #waiting(): Piece {
    return this.#output.isLive ? ['yellow', '  starting'] : '';
  }

  #show({ id, name }: Context): void {
    const line = this.#lines.get(name);
    const pid = this.#router.tree().find((row) => row.id === id)?.pid;
    const state = `up after ${formatMs(this.#since())}`;
    if (line === undefined) return;
    if (this.#output.isLive) this.#output.replace(line, ...this.#row(name, ['green', `  ${state}`]), ['dim', `, pid ${pid}`]);
    else this.#tell(`${name} is ${state}, pid ${pid}`);
  }

  /** Prints an event where lines are final, apart from what is no event. */
  #tell(text: string): void {
    if (this.#output.count !== this.#next) this.#output.line();
    this.#next = this.#output.line(text) + 1;
  }

  #row(name: string, state: Piece): Piece[] {
    const row = ROWS.find((one) => one.name === name);
    if (!row) return [];
    return [['dim', row.indent], row.name.padEnd(WIDTH - row.indent.length), ['dim', row.what.padEnd(14)], state];
  }
}
