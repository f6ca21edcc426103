/** Where reshaped texts come from. */
import type { Patched } from './patch.ts';
import { type Form, reshape, type Tool } from './reshape.ts';

/** Gives the text that tools make of a form; `name` says which tools these are. Throws what they throw. */
export type Reshaper = (form: Form, name: string, tools: readonly Tool[]) => Patched;

/** Runs the tools each time. */
export const reshapeAlways: Reshaper = (form, _name, tools) => reshape(form, tools);
