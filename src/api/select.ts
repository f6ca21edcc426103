/** Several sources as one. */

/** Something that gives items: an iterable gives many (a Receiver or a ReadableStream is one), a promise gives one. */
export type Source<T = unknown> = AsyncIterable<T> | PromiseLike<T>;

/** What a source gives. */
export type SourceValue<S> = S extends AsyncIterable<infer T> ? T : S extends PromiseLike<infer T> ? T : never;

/** One item, or the error that ended its source. */
export type Selected<K, V> = { source: K; value: V; error?: never } | { source: K; value?: never; error: unknown };

/** What {@link select} gives: the members of a record by name, those of a list as they are. */
export type Selection<S> =
  S extends Iterable<infer M>
    ? AsyncIterableIterator<M extends unknown ? Selected<M, SourceValue<M>> : never>
    : S extends object
      ? AsyncIterableIterator<SelectedOf<S>>
      : never;

type SelectedOf<S extends object> = { [K in keyof S]: Selected<K, SourceValue<S[K]>> }[keyof S];

interface Entry {
  name: unknown;
  /** Asks for the next item. */
  next(): PromiseLike<IteratorResult<unknown>>;
  close(): void;
  isEnded: boolean;
}

/**
 * Items of several sources, as they become ready.
 *
 * Every source is read one item ahead and waits its turn, so that a busy one does not hide the others. The error of a source comes as an item, `error`,
 * and ends that source only. The loop ends when all sources have; leaving it early closes those that have not, which is not waited for.
 *
 * @param sources A list, whose items name their source by itself, or a record, where they have its key.
 * @example
 * ```ts
 * for await (const { source, value, error } of select({ line: process.stdout, done: finished })) console.log(source, value, error);
 * ```
 */
export function select<const S extends Iterable<Source> | Readonly<Record<string, Source>>>(sources: S): Selection<S> {
  return new Merged(entriesOf(sources)) as AsyncIterableIterator<unknown> as Selection<S>;
}

function entriesOf(sources: unknown): Entry[] {
  if (typeof sources !== 'object' || sources === null) throw new TypeError('select() needs a list or a record of sources');
  if (Symbol.iterator in sources) return Array.from(sources as Iterable<unknown>, (source) => entryOf(source, source));
  return Object.keys(sources).map((key) => entryOf(key, (sources as Record<string, unknown>)[key]));
}

function entryOf(name: unknown, source: unknown): Entry {
  const { then, [Symbol.asyncIterator]: open } = (Object(source) === source ? source : {}) as {
    then?: unknown;
    [Symbol.asyncIterator]?: unknown;
  };
  if (typeof open === 'function') {
    let iterator: AsyncIterator<unknown> | undefined;
    const opened = (): AsyncIterator<unknown> => (iterator ??= (source as AsyncIterable<unknown>)[Symbol.asyncIterator]());
    const close = (): void => {
      // A source that nobody has begun to read is begun, because only its iterator can close it.
      const { return: end } = opened();
      if (end) Promise.resolve(end.call(iterator)).catch(() => {});
    };
    return { name, isEnded: false, next: () => opened().next(), close };
  }
  if (typeof then !== 'function') throw new TypeError('The sources of select() must be async iterables or promises');
  let isTaken = false;
  const next = async (): Promise<IteratorResult<unknown>> => {
    if (isTaken) return { done: true, value: undefined };
    isTaken = true;
    return { done: false, value: await (source as PromiseLike<unknown>) };
  };
  return { name, isEnded: false, next, close: () => {} };
}

class Merged implements AsyncIterableIterator<unknown> {
  readonly #entries: Entry[];
  /** Items that wait to be taken, at most one of each source. */
  readonly #ready: { entry: Entry; item: Selected<unknown, unknown> }[] = [];
  readonly #waiting: ((result: IteratorResult<unknown>) => void)[] = [];
  #open: number;
  #isBegun = false;
  #isClosed = false;

  constructor(entries: Entry[]) {
    this.#entries = entries;
    this.#open = entries.length;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (!this.#isBegun) {
      this.#isBegun = true;
      for (const entry of this.#entries) this.#pull(entry);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
  }

  return(): Promise<IteratorResult<unknown>> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#ready.length = 0;
      for (const entry of this.#entries) this.#close(entry);
      this.#settle();
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Gives out what is ready; asks a source for more once its item has gone. */
  #settle(): void {
    while (this.#waiting.length) {
      const first = this.#ready.shift();
      if (!first && !this.#isClosed && this.#open) return;
      const resolve = this.#waiting.shift() as (result: IteratorResult<unknown>) => void;
      resolve(first ? { done: false, value: first.item } : { done: true, value: undefined });
      if (first && !first.entry.isEnded) this.#pull(first.entry);
    }
  }

  #pull(entry: Entry): void {
    const { name } = entry;
    const onError = (error: unknown): void => {
      this.#end(entry);
      this.#add(entry, { source: name, error });
    };
    try {
      entry.next().then(({ done, value }) => {
        if (done) this.#end(entry);
        else this.#add(entry, { source: name, value });
        this.#settle();
      }, onError);
    } catch (error) {
      onError(error);
    }
  }

  #add(entry: Entry, item: Selected<unknown, unknown>): void {
    if (!this.#isClosed) this.#ready.push({ entry, item });
    this.#settle();
  }

  #end(entry: Entry): void {
    if (entry.isEnded) return;
    entry.isEnded = true;
    this.#open--;
  }

  #close(entry: Entry): void {
    if (entry.isEnded) return;
    this.#end(entry);
    try {
      entry.close();
    } catch {
      // it cannot be closed, and nobody listens any more
    }
  }
}
