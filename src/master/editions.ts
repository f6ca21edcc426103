/**
 * Modules for contexts with an older Node. An edition is another text of the same module, with an id of its own; a context has one instance of
 * the module, whichever text it came from, so references and tables of dependencies name modules by their plain ids everywhere. Only modules
 * whose syntax is too new have editions; the others are the same for all.
 */
import { ModuleError } from '../core/errors.ts';
import { type Dep, EDITION, type ModuleDef } from '../core/module-batch.ts';
import { lowering, NotLowered } from './lower.ts';
import { minify } from './minify.ts';
import { describeItem, type Item } from './module-item.ts';
import { Lines, type Patched } from './patch.ts';
import { headOf } from './reshape.ts';
import type { TextMaker } from './texts.ts';

/** Why there is no such edition of a module. */
type Refusal = Extract<Dep, object>;

const HINT = "Use a newer Node there, or pass runtime: 'push' to bring one along";

/** The edition that an id belongs to; undefined for the plain text. */
export function editionOf(id: number): number | undefined {
  return id < EDITION ? undefined : Math.floor(id / EDITION);
}

/** The editions of all modules of a program. */
export class Editions {
  readonly #itemOf: (id: number) => Item | undefined;
  readonly #texts: TextMaker;
  readonly #made = new Map<number, Item | Refusal>();
  readonly #closures = new WeakMap<readonly ModuleDef[], Map<number, ModuleDef[]>>();

  /** @param itemOf Gives the plain item of an id. */
  constructor(itemOf: (id: number) => Item | undefined, texts: TextMaker) {
    this.#itemOf = itemOf;
    this.#texts = texts;
  }

  /** The edition with this id, as far as it has been made. */
  item(id: number): Item | undefined {
    const made = this.#made.get(id);
    return made && 'code' in made ? undefined : made;
  }

  /** Lets go of all editions of some modules. */
  drop(ids: readonly number[]): void {
    const gone = new Set(ids);
    for (const id of this.#made.keys()) if (gone.has(id % EDITION)) this.#made.delete(id);
  }

  /**
   * Modules in an edition, in the same order; those that cannot be had in it are left out, and who imports them gets to know why.
   *
   * Throws `ERR_MITOS_MODULE_SYNTAX` if that is the last one, which is what was asked for.
   */
  closure(plain: readonly ModuleDef[], edition: number): ModuleDef[] {
    let there = this.#closures.get(plain);
    if (!there) this.#closures.set(plain, (there = new Map()));
    let closure = there.get(edition);
    if (!closure) there.set(edition, (closure = this.#collect(plain, edition)));
    return closure;
  }

  #collect(plain: readonly ModuleDef[], edition: number): ModuleDef[] {
    const refused = new Map<number, Refusal>();
    const out: ModuleDef[] = [];
    for (const def of plain) {
      const made = this.#edition(def, edition);
      if ('code' in made && 'message' in made) refused.set(def.id, made);
      else out.push(made);
    }
    const last = refused.get(plain.at(-1)?.id ?? 0);
    if (last) throw new ModuleError('ERR_MITOS_MODULE_SYNTAX', last.message, { hint: HINT });
    return refused.size ? out.map((def) => without(def, refused, edition)) : out;
  }

  #edition(def: ModuleDef, edition: number): ModuleDef | Refusal {
    if (!((def.level ?? 0) > edition)) return def;
    const id = edition * EDITION + def.id;
    let made = this.#made.get(id);
    if (!made) this.#made.set(id, (made = this.#make(this.#itemOf(def.id) as Item, def, id, edition)));
    return 'code' in made ? made : (made.def as ModuleDef);
  }

  #make(item: Item, def: ModuleDef, id: number, edition: number): Item | Refusal {
    const plain: Patched = item.plain ?? item.patched ?? { code: def.code, toOriginal: (offset) => offset };
    const tools = [lowering(edition), ...(item.plain ? [minify] : [])];
    try {
      const patched = this.#texts.shape(item, def, plain, `${edition}${item.plain ? ' min' : ''}`, tools);
      // What is learned of the module later (the names it exports) holds for all its texts.
      const own: ModuleDef = Object.assign(Object.create(def) as ModuleDef, { id, code: patched.code, level: edition });
      const { lines: _lines, closure: _closure, ...rest } = item;
      return { ...rest, id, patched, def: own };
    } catch (error) {
      return { code: 'ERR_MITOS_MODULE_SYNTAX', message: messageOf(error, item, def, plain, edition), hint: HINT };
    }
  }
}

/** The same module, who imports what cannot be had. */
function without(def: ModuleDef, refused: ReadonlyMap<number, Refusal>, edition: number): ModuleDef {
  const found = Object.entries(def.deps).filter(([, dep]) => typeof dep === 'number' && refused.has(dep));
  if (!found.length) return def;
  const deps = { ...def.deps };
  for (const [specifier, dep] of found) deps[specifier] = refused.get(dep as number) as Refusal;
  return Object.assign(Object.create(def) as ModuleDef, { id: edition * EDITION + (def.id % EDITION), deps });
}

function messageOf(error: unknown, item: Item, def: ModuleDef, plain: Patched, edition: number): string {
  if (!(error instanceof NotLowered))
    return `Cannot write ${describeItem(item)} for Node ${edition}: ${error instanceof Error ? error.message : String(error)}`;
  const head = headOf(def.kind, def.async === true);
  const offset = new Lines(head + plain.code).offset(error.line - 1, error.column) - head.length;
  const place = item.source?.describe(plain.toOriginal(Math.max(0, offset))) ?? describeItem(item);
  return `Cannot write ${place} for Node ${edition}: it uses ${error.syntax}, which Node ${error.since ?? process.versions.node} has`;
}
