/** What a hop holds of one of its children, and what it tells it. */
import type { ChildConfig } from '../core/config.ts';
import type { ConnectOrder } from '../core/connect-order.ts';
import { type MitosError, mitosError } from '../core/errors.ts';
import type { Hop } from '../core/hop.ts';
import type { Stream } from '../core/stream.ts';
import type { ChildLink } from './child-link.ts';
import { type Ended, isShortage, type Progress } from './failure.ts';

/** A child. */
export interface Child {
  order: ConnectOrder;
  stream: Stream;
  link: ChildLink;
  progress: Progress;
  /** Set while the child is not up yet. */
  pending: { frame: Buffer; timer: unknown } | undefined;
  isGreeted?: boolean;
  /** Set when it has failed to come up and is made to end. */
  givenUp?: Ended;
  isSettled?: boolean;
  /** Why it is being ended from here. */
  reason: MitosError | undefined;
  /** How its link ended; says less than the exit status of its process. */
  lost: MitosError | undefined;
  gone: Promise<void>;
  onGone(): void;
}

/** A child that was started by the CONNECT message `frame`, and has not answered. */
export function newChild(frame: Buffer, order: ConnectOrder, stream: Stream, link: ChildLink, { clock }: Hop): Child {
  const { name, method } = order;
  let onGone = (): void => {};
  const gone = new Promise<void>((resolve) => (onGone = resolve));
  return {
    order,
    stream,
    link,
    progress: { name, method, stage: 'start', startedAt: clock.now(), now: () => clock.now(), node: undefined, lines: [] },
    pending: { frame, timer: undefined },
    reason: undefined,
    lost: undefined,
    gone,
    onGone,
  };
}

/** What a child is told of itself, by the context that starts it. */
export function configFor(order: ConnectOrder, isFar: boolean | undefined, own: ChildConfig): ChildConfig {
  const { threadless, keepAlive, env, cwd, remoteName, addons } = order.options;
  return {
    id: order.id,
    name: order.name,
    ancestors: [own.id, ...own.ancestors],
    ancestorNames: [own.name, ...own.ancestorNames],
    title: remoteName ?? own.title,
    isThreadless: threadless === true,
    isUnidirectional: own.isUnidirectional,
    isThin: isFar,
    limits: own.limits,
    keepAlive: { ...own.keepAlive, ...keepAlive },
    env,
    cwd,
    addons: addons ?? own.addons,
  };
}

/** Overwrites the secrets in options. */
export function wipe(options: object): void {
  for (const value of Object.values(options) as unknown[]) {
    if (Buffer.isBuffer(value)) value.fill(0);
    else if (typeof value === 'object' && value) wipe(value);
  }
}

/** Why a child could not even be started. */
export function startFailure(error: unknown, name: string): MitosError {
  const { code, message } = error as MitosError;
  if (typeof code === 'string' && code.startsWith('ERR_MITOS_')) return error as MitosError;
  return mitosError(isShortage(code) ? 'ERR_MITOS_RESOURCE' : 'ERR_MITOS_TRANSPORT_EXIT', `Cannot start "${name}": ${message}`, {
    cause: error,
  });
}
