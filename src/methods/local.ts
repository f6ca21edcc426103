/** `local()`: a process of the same user on the same machine. */
import type { ChildConfig } from '../core/config.ts';
import type { Hop } from '../core/hop.ts';
import type { ChildLink } from '../parent/child-link.ts';
import { launch } from '../parent/child-process.ts';
import type { ConnectOrder, Method } from '../parent/connector.ts';
import { inheritedEnvironment } from '../parent/environment.ts';
import { nodeCommand } from '../parent/options.ts';

/** Starts a local process. It gets an allow-list of this environment, and `env`; Node is the one that runs here. */
export const local: Method = {
  start(order: ConnectOrder, config: ChildConfig, hop: Hop): ChildLink {
    const { options } = order;
    return launch(
      {
        prefix: [],
        node: nodeCommand(options.node) || [process.execPath],
        env: { ...inheritedEnvironment(process.env), ...options.env },
        passesDescriptors: true,
        isThreadless: config.isThreadless,
        preamble: hop.sources.packedCore,
      },
      config.limits.maxLogRecordBytes,
    );
  },
};
