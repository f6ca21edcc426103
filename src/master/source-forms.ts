/** What sources are turned into before anything is sent of them; made once for each. */
import { cjsForm, esmForm, type Form } from './module-form.ts';
import type { Patched } from './patch.ts';
import { Slices } from './slices.ts';
import type { Source } from './source.ts';

/** Forms and slices by source. */
export class SourceForms {
  readonly #slices = new WeakMap<Source, Slices>();
  readonly #forms = new WeakMap<Source, Form>();

  /** A main script, cut into parts. */
  slices(source: Source): Slices {
    let slices = this.#slices.get(source);
    if (!slices) this.#slices.set(source, (slices = new Slices(source)));
    return slices;
  }

  /** A file as an importer runs it. Made anew once functions have to be reached that it does not export. */
  form(source: Source): Form {
    let form = this.#forms.get(source);
    if (!form || form.hasHook !== source.hasHook)
      this.#forms.set(source, (form = source.kind === 'esm' ? esmForm(source) : cjsForm(source)));
    return form;
  }

  /** The form of a file that is made only where it is looked at: what it was shaped into may be known from an earlier run. */
  lazyForm(source: Source): Patched {
    const form = (): Patched => this.form(source).patched;
    return {
      get code() {
        return form().code;
      },
      toOriginal: (offset) => form().toOriginal(offset),
    };
  }
}
