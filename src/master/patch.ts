/**
 * Text made of pieces of another text. Keeps, for each character of the result, where in the original it comes from; so positions are exact
 * without a source map.
 */

interface Edit {
  start: number;
  end: number;
  text: string;
}

/** A text and the way back to the text it was made of. */
export interface Patched {
  code: string;
  /** The offset in the original that the character at `offset` stands for. */
  toOriginal(offset: number): number;
}

/** Collects edits of a text, then cuts pieces out of the edited text. */
export class Patch {
  readonly #text: string;
  readonly #edits: Edit[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** Replaces the characters from `start` to `end`; with `start === end`, inserts. Edits must not overlap. */
  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }

  /** The edited text of some ranges, with other text around and between them. A string stands for itself, and maps to what follows it. */
  build(parts: readonly (string | readonly [start: number, end: number])[]): Patched {
    const edits = this.#edits.slice().sort((a, b) => a.start - b.start || a.end - b.end);
    const out: string[] = [];
    const at: number[] = [];
    const from: number[] = [];
    const verbatim: boolean[] = [];
    let length = 0;
    const push = (text: string, original: number, same: boolean): void => {
      if (!text) return;
      at.push(length);
      from.push(original);
      verbatim.push(same);
      out.push(text);
      length += text.length;
    };
    let last = 0;
    for (const [index, part] of parts.entries()) {
      if (typeof part === 'string') {
        const next = parts[index + 1];
        push(part, typeof next === 'object' ? next[0] : last, false);
        continue;
      }
      let position = part[0];
      for (const edit of edits) {
        if (edit.start < part[0] || edit.end > part[1] || edit.start < position) continue;
        push(this.#text.slice(position, edit.start), position, true);
        push(edit.text, edit.start, false);
        position = edit.end;
      }
      push(this.#text.slice(position, part[1]), position, true);
      last = part[1];
    }
    return {
      code: out.join(''),
      toOriginal(offset) {
        let low = 0;
        let high = at.length - 1;
        while (low < high) {
          const middle = (low + high + 1) >> 1;
          if ((at[middle] as number) <= offset) low = middle;
          else high = middle - 1;
        }
        return at.length ? (from[low] as number) + (verbatim[low] ? offset - (at[low] as number) : 0) : 0;
      },
    };
  }
}

/** Lines of a text: offsets to positions and back. Lines and columns count from 0. */
export class Lines {
  readonly #starts: number[] = [0];
  readonly #length: number;

  constructor(text: string) {
    this.#length = text.length;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  /** The offset of a position. */
  offset(line: number, column: number): number {
    return Math.min((this.#starts[line] ?? this.#length) + column, this.#length);
  }

  /** The position of an offset. */
  position(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low, column: offset - (this.#starts[low] as number) };
  }
}
