/** Random numbers that can be replayed: everything a test decides by chance comes from one seed. */

/** A seeded source of random values. */
export interface Random {
  /** The seed this source started from. */
  readonly seed: number;
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, n), each equally likely; `n` is at most 2^32. */
  int(n: number): number;
  /** True with probability `p`. @default 0.5 */
  bool(p?: number): boolean;
  /** One of `items`. Throws a `RangeError` when there is none. */
  pick<T>(items: readonly T[]): T;
  /** A new array with the same items in random order. */
  shuffle<T>(items: readonly T[]): T[];
  /** `length` random bytes. */
  bytes(length: number): Buffer;
  /**
   * A source of its own. With a label it depends on the seed and the label only, so that more or fewer draws elsewhere do not change it;
   * without a label it takes one draw.
   */
  fork(label?: string | number): Random;
}

const TWO_32 = 2 ** 32;

/** Spreads nearby numbers over all 32 bits (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** FNV-1a over the UTF-16 code units of `text`. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** xoshiro128**, by Blackman and Vigna. */
class Xoshiro128 implements Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.seed = seed;
    // A Weyl sequence through a bijective mixer: four different words, so never the all-zero state.
    this.#a = mix(seed + 0x9e3779b9);
    this.#b = mix(seed + 2 * 0x9e3779b9);
    this.#c = mix(seed + 3 * 0x9e3779b9);
    this.#d = mix(seed + 4 * 0x9e3779b9);
  }

  #uint32(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  next(): number {
    return this.#uint32() / TWO_32;
  }

  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32)
      throw new RangeError(`Cannot draw from ${n} numbers: pass a whole number from 1 to 2^32`);
    const limit = TWO_32 - (TWO_32 % n); // above it the last, incomplete run of n would make small results likelier
    let value = this.#uint32();
    while (value >= limit) value = this.#uint32();
    return value % n;
  }

  bool(p = 0.5): boolean {
    return this.next() < p;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('Cannot pick from an empty array');
    return items[this.int(items.length)] as T;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const moved = result[i] as T;
      result[i] = result[j] as T;
      result[j] = moved;
    }
    return result;
  }

  bytes(length: number): Buffer {
    const result = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i += 4) {
      let word = this.#uint32();
      for (let j = i; j < i + 4 && j < length; j++, word >>>= 8) result[j] = word & 0xff;
    }
    return result;
  }

  fork(label?: string | number): Random {
    return new Xoshiro128(label === undefined ? this.#uint32() : mix(this.seed ^ hash(String(label))));
  }
}

/**
 * A deterministic random source (xoshiro128**).
 *
 * @param seed A whole number from 0 to 2^32 - 1; the same seed gives the same values on every machine and Node version.
 */
export function createRandom(seed: number): Random {
  return new Xoshiro128(checkSeed(seed, seed));
}

/** The seed that `MITOS_SEED` names, or a fresh one. Throws a `RangeError` when the variable holds anything but a seed. */
export function seedFromEnv(): number {
  const text = process.env['MITOS_SEED'];
  if (text === undefined || text === '') return Math.floor(Math.random() * TWO_32);
  return checkSeed(Number(text), `"${text}" of MITOS_SEED`);
}

function checkSeed(seed: number, shown: string | number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed >= TWO_32) {
    throw new RangeError(`Cannot use the seed ${shown}: pass a whole number from 0 to 4294967295`);
  }
  return seed;
}
