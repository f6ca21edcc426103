/** What is told of modules that travel: where they go, why, and what they cost. */
import type { ModuleDef } from '../core/module-batch.ts';
import type { Batch } from '../core/module-pack.ts';
import type { ContextId } from '../core/wire.ts';

/**
 * Why a module is sent: `called`: the called function is in it; `imported`: one that is sent too, or was sent before, needs it; `asked`: a context
 * asked for it, by a specifier that nobody could predict; `library`: a part of mitos that was needed.
 */
export type ModuleReason = 'called' | 'imported' | 'asked' | 'library';

/** One module on its way to one context. */
export interface SentModule {
  /** Its number in this program; the parts of a main script have one each. */
  id: number;
  /** What `import.meta.url` says in it. */
  url: string;
  /** The context that gets it. */
  to: ContextId;
  /** Characters of its code. */
  bytes: number;
  /** Its file, if it is the user's own and not installed. */
  file?: string;
  /** Why it is sent. */
  why: ModuleReason;
  /** URLs of who imports it, of who imports that, and so on to the called or asked module; for that itself, of who asked. */
  importers: readonly string[];
  /** What was asked for, where a context asked. */
  specifier?: string;
  /** Its share of the compressed bytes on the first link: the shares of a batch add up to what was written. 0 if the hop there has it already. */
  sent: number;
  /** The number of the batch it travels in; none if nothing has to travel. */
  batch?: number;
  /** Whether the context had to ask and to wait. */
  roundTrip: boolean;
  /** Milliseconds spent on reading, transforming and scanning it. Of one module, the first to be sent has it. */
  ms: number;
}

/** What made modules travel. */
export interface Occasion {
  /** The module that is called or asked for. */
  root: number;
  kind: 'called' | 'asked';
  specifier?: string | undefined;
  /** URLs of the module that asked and of its importers. */
  askers?: readonly string[] | undefined;
}

/** Modules that one occasion lets one context have. */
export interface Trip extends Occasion {
  to: ContextId;
  /** All that the root needs. */
  closure: readonly ModuleDef[];
  /** Those that the context lacks. */
  missing: ReadonlySet<number>;
  /** What is written for that. */
  batches: readonly Batch[];
}

/** Milliseconds of making modules ready, by what was made; what was made meanwhile for others counts for these. */
export class Preparation {
  readonly #times = new WeakMap<object, number>();
  #inner = 0;

  /** Makes something. Its time, and that of what it was made of before, can be taken once. */
  make<T extends object>(act: () => T, of?: object): T {
    const before = this.#inner;
    this.#inner = 0;
    const startedAt = performance.now();
    try {
      const made = act();
      this.#times.set(made, performance.now() - startedAt - this.#inner + (of ? this.take(of) : 0));
      return made;
    } finally {
      this.#inner = before + performance.now() - startedAt;
    }
  }

  /** The time of something, once; 0 after that. */
  take(made: object): number {
    const ms = this.#times.get(made) ?? 0;
    this.#times.delete(made);
    return ms;
  }
}

/** Tells of each module of a trip. */
export class Travel {
  #batches = 0;
  readonly #fileOf: (id: number) => string | undefined;
  readonly #msOf: (def: ModuleDef) => number;

  /** @param fileOf The file of a module of the user's own. @param msOf The time it took to make a module ready, once. */
  constructor(fileOf: (id: number) => string | undefined, msOf: (def: ModuleDef) => number) {
    this.#fileOf = fileOf;
    this.#msOf = msOf;
  }

  /** The modules of a trip, in the order in which they travel. */
  modules({ to, closure, missing, batches, root, kind, specifier, askers = [] }: Trip): SentModule[] {
    const shares = new Map<number, { sent: number; batch: number }>();
    const defs = new Map(closure.map((def) => [def.id, def]));
    for (const batch of batches) {
      const number = ++this.#batches;
      for (const [id, sent] of sharesOf(batch, defs)) shares.set(id, { sent, batch: number });
    }
    const chains = importersIn(closure, root);
    return closure
      .filter(({ id }) => missing.has(id))
      .map((def): SentModule => {
        const { id, url, code } = def;
        const isRoot = id === root;
        const isOurs = url.startsWith('mitos:');
        const file = this.#fileOf(id);
        return {
          id,
          url,
          to,
          bytes: code.length,
          ...(file !== undefined && { file }),
          why: isOurs ? 'library' : isRoot ? kind : 'imported',
          importers: isRoot ? askers : [...(chains.get(id) ?? []), ...askers],
          ...(isRoot && specifier !== undefined && { specifier }),
          sent: 0,
          ...shares.get(id),
          roundTrip: kind === 'asked',
          ms: Math.round(this.#msOf(def) * 1000) / 1000,
        };
      });
  }
}

/** The bytes of a batch, shared by how much code each module brings; they add up. */
function sharesOf({ ids, data }: Batch, defs: ReadonlyMap<number, ModuleDef>): [id: number, bytes: number][] {
  // What the table says of a module is some 50 bytes.
  const weights = ids.map((id) => (defs.get(id)?.code.length ?? 0) + 50);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let seen = 0;
  let given = 0;
  return ids.map((id, at) => {
    seen += weights[at] as number;
    const upTo = Math.round((seen / total) * data.length);
    const bytes = upTo - given;
    given = upTo;
    return [id, bytes];
  });
}

/** Who imports each module of a closure, on a shortest way back to the root: URLs, each file once. */
function importersIn(closure: readonly ModuleDef[], root: number): Map<number, string[]> {
  const defs = new Map(closure.map((def) => [def.id, def]));
  const chains = new Map<number, string[]>([[root, []]]);
  // A map can be added to while it is walked.
  for (const [id, chain] of chains) {
    const def = defs.get(id);
    for (const dep of Object.values(def?.deps ?? {})) {
      if (typeof dep !== 'number' || chains.has(dep) || !def) continue;
      chains.set(dep, chain[0] === def.url ? chain : [def.url, ...chain]);
    }
  }
  return chains;
}
