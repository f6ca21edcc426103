/** Options that every connection method takes. */
import type { StartOptions } from '../core/config.ts';

/** Options that every connection method takes. */
export interface ConnectOptions extends StartOptions {
  /** How the context is called here. Made from the method and its parent's name by default. */
  name?: string;
}
