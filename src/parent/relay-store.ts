/** The modules that a hop keeps for those behind it: as they came, so that most are passed on without being read. In memory only, and bounded. */
import { type ModuleDef, unpackModules } from '../core/module-batch.ts';
import { type Batch, packBatches } from '../core/module-pack.ts';

/** Batches that were packed again, kept for the next who needs the same. */
const MAX_PACKED = 32;

/** Modules by id. Ids are immutable: the same id is the same content. */
export class RelayStore {
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #batches: Set<Batch> = new Set();
  readonly #index: Map<number, Batch> = new Map();
  readonly #packed: Map<string, readonly Batch[]> = new Map();
  #bytes = 0;

  /** @param maxBytes Most compressed bytes; beyond that the oldest go. The newest always stays. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a batch. It is not read before it has to be. */
  add(ids: readonly number[], data: Buffer): void {
    const batch = { ids, data };
    this.#batches.add(batch);
    this.#bytes += data.length;
    for (const id of ids) this.#index.set(id, batch);
    for (const oldest of this.#batches) {
      if (this.#bytes <= this.#maxBytes || oldest === batch) break;
      this.#drop(oldest);
    }
  }

  /**
   * The content of modules, in the order in which it came. Batches of which everything is wanted are given as they came, the others are packed
   * again. `missing` gets the ids of what is not here, or not undamaged.
   */
  find(ids: readonly number[], missing: number[]): readonly Batch[] {
    const wanted = new Set(ids);
    const found = new Set<Batch>();
    for (const id of ids) {
      const batch = this.#index.get(id);
      if (batch) found.add(batch);
      else missing.push(id);
    }
    const whole: Batch[] = [];
    const split: Batch[] = [];
    for (const batch of this.#batches) {
      if (found.has(batch)) (batch.ids.every((id) => wanted.has(id) && this.#index.get(id) === batch) ? whole : split).push(batch);
    }
    return split.length ? whole.concat(this.#pack(split, wanted, missing)) : whole;
  }

  /** A module, if it is here and not damaged. */
  read(id: number): ModuleDef | undefined {
    const batch = this.#index.get(id);
    return batch && this.#read(batch).find((def) => def.id === id);
  }

  #pack(batches: readonly Batch[], wanted: ReadonlySet<number>, missing: number[]): readonly Batch[] {
    const ids: number[] = [];
    for (const batch of batches) for (const id of batch.ids) if (wanted.has(id) && this.#index.get(id) === batch) ids.push(id);
    const key = ids.join();
    const needed = new Set(ids);
    const known = this.#packed.get(key);
    if (known) return known;
    const defs: ModuleDef[] = [];
    for (const batch of batches) {
      const read = this.#read(batch);
      for (const def of read) if (needed.has(def.id)) defs.push(def);
      if (!read.length) for (const id of batch.ids) if (needed.has(id)) missing.push(id);
    }
    const packed = packBatches(defs);
    if (this.#packed.size >= MAX_PACKED) this.#packed.clear();
    if (defs.length === ids.length) this.#packed.set(key, packed);
    return packed;
  }

  /** The modules of a batch; none, and it is forgotten, when it is damaged. */
  #read(batch: Batch): readonly ModuleDef[] {
    try {
      return unpackModules(batch.data, Infinity);
    } catch {
      this.#drop(batch);
      return [];
    }
  }

  #drop(batch: Batch): void {
    this.#batches.delete(batch);
    this.#bytes -= batch.data.length;
    for (const id of batch.ids) if (this.#index.get(id) === batch) this.#index.delete(id);
  }
}
