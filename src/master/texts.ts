/** The texts of modules as they are sent: minified or not, with the lowest version of Node that understands them. Made before, they are not made again. */
import type { ModuleDef } from '../core/module-batch.ts';
import { type MinifyOptions, minify, minifyOptions } from './minify.ts';
import type { ModuleCache, Notes } from './module-cache.ts';
import type { Item } from './module-item.ts';
import type { Patched } from './patch.ts';
import { type Form, reshape, type Tool, through } from './reshape.ts';
import { levelOf } from './syntax-level.ts';

/** Makes texts of forms. */
export class TextMaker {
  readonly #cache: ModuleCache;
  readonly #minify: Required<MinifyOptions>;

  constructor(cache: ModuleCache, option: boolean | MinifyOptions | undefined) {
    this.#cache = cache;
    this.#minify = minifyOptions(option);
  }

  /** Gives a definition the code as it is sent. */
  finish(item: Item, def: ModuleDef, form: Patched): void {
    const name = this.#minify[item.source?.isOwn ? 'own' : 'dependencies'] ? 'min' : '';
    if (name) {
      try {
        item.patched = this.shape(item, def, form, name, [minify]);
        item.plain = form;
      } catch {
        // What cannot be minified is sent as it is.
      }
    }
    const { code } = item.patched as Patched;
    def.code = code;
    const level = item.plain ? this.#level(item, form, name, code) : levelOf(code);
    if (level) def.level = level;
  }

  /** The text that tools make of the form of an item. `name` says which tools these are. Throws what they throw. */
  shape(item: Item, def: ModuleDef, plain: Patched, name: string, tools: readonly Tool[]): Patched {
    const notes = this.#notes(item, plain);
    const key = textName(item, name);
    const known = notes.get(key);
    const form: Form = {
      kind: def.kind,
      isAsync: def.async === true,
      get code() {
        return plain.code;
      },
    };
    const made = reshape(form, tools, typeof known === 'string' ? known : undefined);
    if (typeof known !== 'string') notes.set(key, made.code);
    return through(made, plain);
  }

  #level(item: Item, plain: Patched, name: string, code: string): number {
    const notes = this.#notes(item, plain);
    const key = `level of ${textName(item, name)}`;
    let level = notes.get(key);
    if (typeof level !== 'number') notes.set(key, (level = levelOf(code)));
    return level as number;
  }

  /** Where texts of an item are noted: with the file where that is all they depend on, else by what they are made of. */
  #notes({ source, form }: Item, plain: Patched): Notes {
    return source && form === 'file' && !source.isOwn ? source.notes : this.#cache.open(plain.code, form);
  }
}

function textName({ source }: Item, name: string): string {
  return `text ${name}${source?.hasHook ? ', hooked' : ''}`;
}
