/** What a context asks the master about files that belong to the program's own packages, and the answer: types only. */
import type { ModuleAnswer, ModuleQuery } from './importer.ts';

/** A file of a package that something was served from: the number that the master gave to that package, and a path below it. */
export interface ResourceQuery {
  root: number;
  /** Names joined by `/`; empty for the package itself. */
  path: string;
  /** `read` and `list` give what `stat` does, too. `addon`: a native addon that fits `facts`. */
  want: 'stat' | 'read' | 'list' | 'addon';
  facts?: AddonFacts;
}

/** What a native addon has to fit. */
export interface AddonFacts {
  platform: string;
  arch: string;
  /** Version of glibc; `musl`, or empty where neither is known. */
  libc: string;
}

/** The head of an answer. The data behind it: the content of a file, or `[name, isDirectory][]` of a directory as JSON. */
export interface ResourceHead {
  /** `missing`: the program does not have it either. `refused`: it has, or may have, and does not give it. */
  kind: 'file' | 'directory' | 'missing' | 'refused';
  size?: number;
  mode?: number;
  mtimeMs?: number;
  /** Where links lead, as a path below the same package, if that is elsewhere. */
  real?: string;
  /** The data is there; `brotli` if it is compressed. */
  data?: 'plain' | 'brotli';
  /** Of the content, in hex. */
  sha256?: string;
  /** Why it is refused. */
  code?: string;
  message?: string;
}

/** An answer as it is read. */
export interface ResourceAnswer extends ResourceHead {
  content?: Buffer;
}

/** Who answers: the master, or the thread that started this one. */
export interface ResourceHost {
  /** Asks for a file. */
  ask(query: ResourceQuery): Promise<ResourceAnswer>;
  /** The same; blocks this thread until the answer is there. */
  askSync(query: ResourceQuery): ResourceAnswer;
  /** Asks for a module: what `GET_MODULE` gives, with all that it needs statically. */
  module(query: ModuleQuery): Promise<ModuleAnswer>;
  /** The same; blocks this thread. */
  moduleSync(query: ModuleQuery): ModuleAnswer;
  /** The URL of a module that is here. */
  urlOf(id: number): string | undefined;
  /** The text of the module that reads files. */
  readonly text: string;
  /** Whether native addons are loaded. */
  readonly hasAddons: boolean;
}
