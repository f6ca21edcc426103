/** What the command line prints, on a terminal and elsewhere. */

/** Styles that a terminal shows. */
export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red';

const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
};

/** What is needed of an output stream. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** A piece of a line. */
export type Piece = string | readonly [style: Style, text: string];

/**
 * Lines of text. On a terminal, lines that were printed can be replaced as long as they are in sight, and styles show unless `NO_COLOR` is set;
 * elsewhere every line is plain and final. Every line goes out as one write that ends without a style, so an interruption leaves the terminal as it was.
 */
export class Output {
  /** Whether printed lines can be replaced. */
  readonly isLive: boolean;
  readonly #stream: OutputStream;
  readonly #isStyled: boolean;
  #count = 0;

  constructor(stream: OutputStream, env: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream;
    this.isLive = stream.isTTY === true && env['TERM'] !== 'dumb';
    this.#isStyled = this.isLive && !env['NO_COLOR'];
  }

  /** Lines printed so far. */
  get count(): number {
    return this.#count;
  }

  /** Prints a line. @returns its number, for {@link replace} */
  line(...pieces: Piece[]): number {
    this.#stream.write(`${this.#format(pieces)}\n`);
    return this.#count++;
  }

  /** Prints text of any length: on a terminal in as many lines as it takes, with `indent` in front of all but the first; elsewhere in one. */
  text(indent: string, ...pieces: Piece[]): void {
    const width = this.isLive ? Math.max(40, (this.#stream.columns || 80) - 1) : Infinity;
    let line: Piece[] = [];
    let left = width;
    const next = (): void => {
      this.line(...line);
      line = [indent];
      left = width - indent.length;
    };
    for (const piece of pieces) {
      const [style, raw] = typeof piece === 'string' ? [undefined, piece] : piece;
      let run = '';
      const flush = (): void => {
        if (run) line.push(style ? [style, run] : run);
        run = '';
      };
      for (let word of raw.match(/ *[^ ]+| +/g) ?? []) {
        if (word.length > left && (word.length <= width - indent.length || left < width / 2)) {
          flush();
          next();
          word = word.trimStart();
        }
        while (word.length > left) {
          run += word.slice(0, left);
          word = word.slice(left);
          flush();
          next();
        }
        run += word;
        left -= word.length;
      }
      flush();
    }
    this.line(...line);
  }

  /** Puts other text where a line was printed. Does nothing where lines are final, or when the line is out of sight. */
  replace(line: number, ...pieces: Piece[]): void {
    const up = this.#count - line;
    if (!this.isLive || up >= (this.#stream.rows ?? 24)) return;
    this.#stream.write(`\x1b[${up}A\r\x1b[2K${this.#format(pieces)}\x1b[${up}B\r`);
  }

  /** Columns of a terminal, which a line must not exceed; elsewhere there is no limit. */
  #format(pieces: readonly Piece[]): string {
    let left = this.isLive ? (this.#stream.columns || 80) - 1 : Infinity;
    let text = '';
    for (const piece of pieces) {
      const [style, raw] = typeof piece === 'string' ? [undefined, piece] : piece;
      const shown = printable(raw).slice(0, left);
      left -= shown.length;
      text += style && this.#isStyled ? `\x1b[${CODES[style][0]}m${shown}\x1b[${CODES[style][1]}m` : shown;
    }
    return text.trimEnd();
  }
}

/** Text in which nothing can steer a terminal: names of processes and hosts are chosen by others. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/g, '?');
}

/** Bytes in the unit that suits: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as a person reads them: `0.21 ms`, `84 ms`, `1.3 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`;
}

/** How far something is that has a size: a bar, and the bytes in words. */
export function progressBar(done: number, total: number, width: number): string {
  return `${bar(done / total, width)} ${formatBytes(done)} of ${formatBytes(total)}`;
}

/** A bar that is filled up to `share` (0 to 1). */
export function bar(share: number, width: number): string {
  const filled = Math.min(width, Math.max(0, Math.round(share * width)));
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
