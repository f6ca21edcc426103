/** What a module graph is made with, and what it tells. */
import type { ModuleDef } from '../core/module-batch.ts';
import type { MinifyOptions } from './minify.ts';
import type { ModuleCache } from './module-cache.ts';

/** Options of a {@link ModuleGraph}. */
export interface ModuleGraphOptions {
  /** What a served module gets when it imports `mitos`: a CommonJS text. */
  apiModule?: { code: string };
  /** Modules of ours, by specifier: CommonJS texts that only the api module and each other may ask for. They may require `mitos:core`. */
  textModules?: Readonly<Record<string, { code: string }>>;
  /** Further main scripts, by path: never evaluated on a target. */
  entries?: readonly string[];
  /** Whether files that change while the program runs are sent anew. @default false */
  reload?: boolean;
  /** Whether modules are sent without comments and white space. @default dependencies only */
  minify?: boolean | MinifyOptions;
  /** Where is kept what was found out about modules. @default the user's cache directory */
  cache?: ModuleCache;
}

/** Said of every module when it is made ready to be sent. */
export interface ModuleEvent {
  id: number;
  url: string;
  kind: ModuleDef['kind'];
  /** Characters of its code. */
  size: number;
}
