/** `local()`: a process of the same user on the same machine. */
import type { Method } from '../parent/connector.ts';
import { inheritedEnvironment } from '../parent/environment.ts';
import { nodeCommand, startProcess } from '../parent/start.ts';

/** Starts a local process. It gets an allow-list of this environment, and `env`; Node is the one that runs here. */
export const local: Method = {
  start: (order, config, hop) =>
    startProcess(order, config, hop, {
      prefix: [],
      node: nodeCommand(order.options.node) || [process.execPath],
      env: { ...inheritedEnvironment(process.env), ...order.options.env },
      passesDescriptors: true,
    }),
};
