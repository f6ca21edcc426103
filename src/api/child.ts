/** The module `mitos` as a function sees it that runs in a child. */

import { mitosError } from '../core/errors.ts';
import { self as core } from '../core/main.ts';
import type { UserSide } from '../core/user-side.ts';
import { ChildRuntime } from './child-runtime.ts';
import { RouterBase } from './router-base.ts';
import { runAs, setSelf } from './self.ts';

export { Receiver, Sender } from '../core/channel.ts';
export {
  CallError,
  ChannelError,
  ConnectError,
  MitosError,
  ModuleError,
  PolicyError,
  SerializationError,
} from '../core/errors.ts';
export { Secret } from '../core/secret.ts';
export { CallChain } from './chain.ts';
export { Context } from './context.ts';
export { ContextPromise } from './context-promise.ts';
export { group } from './group.ts';
export { select } from './select.ts';
export { self } from './self.ts';

/** There is one router in a child, and it is there already. */
export class Router {
  constructor() {
    throw mitosError('ERR_MITOS_POLICY', 'Cannot make a Router in a child: the tree has one root', { hint: 'use self().router' });
  }
}

/** Does nothing: the main program runs at the root only. */
export function main(): Promise<void> {
  return Promise.resolve();
}

const user = core.user as UserSide;
const runtime = new ChildRuntime(user);
setSelf({ router: new RouterBase(runtime, runtime.self), callerOf: (id) => runtime.contextOf(id) });
user.dispatcher.wrap = (invocation, fn) => runAs(invocation, fn);
