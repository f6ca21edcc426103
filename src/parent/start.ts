/** What connection methods that run a program have in common. */
import type { ChildConfig } from '../core/config.ts';
import type { ConnectOrder } from '../core/connect-order.ts';
import type { Hop } from '../core/hop.ts';
import type { ChildLink } from './child-link.ts';
import { type LaunchPlan, launch } from './child-process.ts';
import { inheritedEnvironment } from './environment.ts';

/** The option `node` as a command: a path, or an argument list. */
export function nodeCommand(node: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof node === 'string' ? [node] : node;
}

/**
 * Starts the program of `plan`, which runs the first stage. It gets an allow-list of this environment; by default its arguments
 * are an argument list, and it asks nothing.
 */
export function startProcess(
  order: ConnectOrder,
  config: ChildConfig,
  hop: Hop,
  plan: Partial<LaunchPlan> & Pick<LaunchPlan, 'prefix'>,
): ChildLink {
  const { search } = order;
  return launch(
    {
      node: nodeCommand(order.options.node),
      search,
      env: inheritedEnvironment(process.env),
      isThreadless: config.isThreadless,
      preamble: hop.sources.packedCore,
      ...plan,
      ...(search && search.mode === 'push' ? { node: undefined } : {}),
    },
    config.limits.maxLogRecordBytes,
  );
}
