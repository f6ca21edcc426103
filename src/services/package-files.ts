/**
 * What this context knows of the files of the program's packages. A path inside such a package is asked of the master, once; what the master does
 * not have, or does not give, is looked up in the file system here. What this context has written itself is always looked up here.
 */
import { existsSync } from 'fs';
import { resolve } from 'path';
import { fileURLToPath } from 'url';
import { type ErrorCode, mitosError } from '../core/errors.ts';
import type { ResourceAnswer, ResourceHost, ResourceQuery } from '../core/resource.ts';

/** Bytes of content kept; what is older is asked for again. */
const MAX_KEPT_BYTES = 33554432;
/** Answers kept. */
const MAX_KEPT = 20000;

/** A path and what is to be known of it. */
export type Look = [path: string, want: 'stat' | 'read' | 'list'];

/** Whether there is such a file or directory in the package. */
export const isThere = ({ kind }: ResourceAnswer): boolean => kind === 'file' || kind === 'directory';

const MISSING: ResourceAnswer = { kind: 'missing' };

/** The files of all packages that this context knows. */
export class PackageFiles {
  readonly host: ResourceHost;
  readonly #roots: Map<string, number> = new Map();
  readonly #known: Map<string, ResourceAnswer> = new Map();
  readonly #asked: Map<string, Promise<ResourceAnswer>> = new Map();
  readonly #written: Set<string> = new Set();
  #bytes = 0;

  constructor(host: ResourceHost) {
    this.host = host;
  }

  /** Takes note of a package. Who was told before that something is not there may be told otherwise now. */
  add(id: number, path: string): void {
    this.#roots.set(path, id);
    this.#known.forEach((answer, key) => {
      if (!isThere(answer)) this.#known.delete(key);
    });
  }

  /** The path as it is known to the program, if it is inside a package. */
  inside(path: unknown): string | undefined {
    const text = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : Buffer.isBuffer(path) ? path.toString() : path;
    if (typeof text !== 'string' || !this.#roots.size || text.indexOf('\0') >= 0) return undefined;
    const full = resolve(text);
    return !this.query([full, 'stat']) || (this.#written.has(full) && existsSync(full)) ? undefined : full;
  }

  /** This context is about to write there. */
  write(path: unknown): void {
    const full = this.inside(path);
    if (full !== undefined) this.#written.add(full);
  }

  /** The question about a path; undefined if it belongs to no package. */
  query([full, want]: Look): ResourceQuery | undefined {
    for (let end = full.length; end > 0; end = full.lastIndexOf('/', end - 1)) {
      const root = this.#roots.get(full.slice(0, end));
      if (root === undefined) continue;
      const path = full.slice(end + 1);
      return /(^|\/)node_modules(\/|$)/.test(path) ? undefined : { root, path, want };
    }
    return undefined;
  }

  /** Blocks this thread until it is known. */
  lookSync(look: Look): ResourceAnswer {
    return this.#kept(look) || this.#keep(look[0], this.host.askSync(this.query(look) as ResourceQuery));
  }

  /** The same without blocking. Equal questions are asked once. */
  look(look: Look): Promise<ResourceAnswer> {
    const kept = this.#kept(look);
    if (kept) return Promise.resolve(kept);
    const key = look.join();
    let asked = this.#asked.get(key);
    if (!asked) {
      asked = this.host.ask(this.query(look) as ResourceQuery).then((answer) => this.#keep(look[0], answer));
      this.#asked.set(key, asked);
      const forget = (): void => void this.#asked.delete(key);
      asked.then(forget, forget);
    }
    return asked;
  }

  /** What is known already, also from the list of the directory. */
  #kept([full, want]: Look): ResourceAnswer | undefined {
    const answer = this.#known.get(full);
    if (answer && (!isThere(answer) || answer.content || want === 'stat' || answer.kind === (want === 'read' ? 'directory' : 'file')))
      return answer;
    const end = full.lastIndexOf('/');
    const above = this.query([full.slice(0, end) || '/', 'list']) && this.#known.get(full.slice(0, end));
    if (!above || answer) return undefined;
    if (above.kind === 'missing') return MISSING;
    return above.kind === 'directory' && above.content && !namesOf(above).some(([name]) => name === full.slice(end + 1))
      ? MISSING
      : undefined;
  }

  #keep(full: string, answer: ResourceAnswer): ResourceAnswer {
    const { code, message } = answer;
    if (answer.kind === 'refused' && code !== 'ERR_MITOS_MODULE_DENIED')
      throw mitosError(code as ErrorCode, `Cannot read ${full}, a file of the program: ${message as string}`);
    this.#drop(full);
    this.#known.set(full, answer);
    this.#bytes += sizeOf(answer);
    const keys = this.#known.keys();
    while (this.#bytes > MAX_KEPT_BYTES || this.#known.size > MAX_KEPT) this.#drop(keys.next().value as string);
    return answer;
  }

  #drop(full: string): void {
    const answer = this.#known.get(full);
    if (!answer) return;
    this.#bytes -= sizeOf(answer);
    this.#known.delete(full);
  }
}

const sizeOf = ({ content }: ResourceAnswer): number => (content ? content.length : 0);

/** The entries of a directory: name, and whether it is one. */
export function namesOf({ content }: ResourceAnswer): [name: string, isDirectory: boolean][] {
  return JSON.parse((content as Buffer).toString()) as [string, boolean][];
}
