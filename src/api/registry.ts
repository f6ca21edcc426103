/** The contexts that this process knows, one object for each. */
import type { ContextInfo } from '../core/config.ts';
import { fromReason } from '../core/reason.ts';
import { holds } from '../core/route-table.ts';
import type { TreeNotice } from '../core/router.ts';
import type { ContextId } from '../core/wire.ts';
import { Context } from './context.ts';
import type { Runtime } from './runtime.ts';

/** What is told of a context when it comes up. */
interface Arrival {
  name: string;
  method: string;
  parent: ContextId;
  info: ContextInfo;
}

/** Contexts by id. */
export class ContextRegistry {
  /** Told when a context has come up or is gone. */
  onChange: (event: 'connect' | 'disconnect', context: Context) => void = () => {};
  readonly #runtime: Runtime;
  readonly #contexts: Map<ContextId, Context> = new Map();
  /** Names of contexts that are not gone. */
  readonly #names: Set<string> = new Set();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** All contexts that are known and not gone, this one first. */
  all(): Context[] {
    return [...this.#contexts.values()];
  }

  /** The context with this id, if it is known. */
  get(id: ContextId): Context | undefined {
    return this.#contexts.get(id);
  }

  /** The context with this id; made if need be. */
  obtain(id: ContextId, name: string, via: Context | null, method: string): Context {
    let context = this.#contexts.get(id);
    if (!context) {
      this.#contexts.set(id, (context = new Context(this.#runtime, id, name, via, method)));
      this.#names.add(name);
    }
    return context;
  }

  /** Forgets a context that did not come up. */
  drop(id: ContextId): void {
    const context = this.#contexts.get(id);
    if (context) this.#names.delete(context.name);
    this.#contexts.delete(id);
  }

  /** A name that is not taken: `base`, or `base-2` and so on. */
  uniqueName(base: string): string {
    let name = base;
    for (let count = 2; this.#names.has(name); count++) name = `${base}-${count}`;
    return name;
  }

  /** Takes a notice of the router. */
  onTree(notice: TreeNotice): void {
    if (notice.kind === 'arrived') this.#onArrived(notice.id, notice.about as Arrival);
    else if (notice.kind === 'gone') this.#onGone(notice);
  }

  #onArrived(id: ContextId, about: Arrival): void {
    if (!about || typeof about !== 'object') return;
    const via = this.#contexts.get(Number(about.parent)) || null;
    const context = this.obtain(id, textOf(about.name).slice(0, 256), via, textOf(about.method).slice(0, 32));
    if (context.markConnected(toInfo(about.info))) this.onChange('connect', context);
  }

  #onGone(notice: TreeNotice & { kind: 'gone' }): void {
    this.#runtime.live.onGone(notice, fromReason(notice.reason));
    for (const [id, context] of this.#contexts) {
      if (!holds(notice, id) && !isBehind(context, notice)) continue;
      this.drop(id);
      const wasUp = context.connected;
      context.markClosed(fromReason(notice.reason));
      if (wasUp) this.onChange('disconnect', context);
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What a context says of itself, cut to what is asked: it may come from a hostile one. */
export function toInfo(value: unknown): ContextInfo {
  const said = (value && typeof value === 'object' ? value : {}) as Record<string, unknown>;
  const text = (key: string, length = 256): string => (typeof said[key] === 'string' ? said[key].slice(0, length) : '');
  return {
    pid: Number(said['pid']),
    node: text('node'),
    platform: text('platform'),
    arch: text('arch'),
    user: text('user'),
    uid: Number(said['uid']),
    hostname: text('hostname'),
    cwd: text('cwd', 4096),
  };
}

/** Whether one of the contexts between here and `context` is gone. */
function isBehind(context: Context, notice: TreeNotice & { kind: 'gone' }): boolean {
  for (let at = context.via; at; at = at.via) if (holds(notice, at.id)) return true;
  return false;
}
