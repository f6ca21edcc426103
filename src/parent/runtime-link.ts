/** A child whose target may have no Node: it is held until one has been provided, and then gets what was written for it meanwhile. */
import type { ChildLink, ExitStatus } from './child-link.ts';
import { ReplayTransport, standIn } from './replay-link.ts';

/**
 * Provides a target with a Node, through a link whose first stage waits for that. `ready` goes on: with what the first stage says about Node, and
 * with what came behind it.
 */
export type Provide = (link: ChildLink, ready: (node: string, rest: Buffer) => void) => void;

/**
 * Wraps a link. When its first stage says `none`, `provide` is called and the owner hears nothing of it; when the Node there is too old, the child is
 * started once more by `again`, which does not look for one.
 */
export function withRuntime(first: ChildLink, again: () => ChildLink, provide: Provide): ChildLink {
  if (!first.tail) return first;
  const transport = new ReplayTransport();
  let current = first;
  let isKilled = false;
  /** What the current link still says of its end is of no interest. */
  let isLeft = false;
  let settle: (status: ExitStatus) => void = () => {};
  const use = (inner: ChildLink['transport']): void => {
    transport.use(inner);
    inner.onClose = (reason) => current.transport === inner && !isLeft && transport.onClose(reason);
    inner.onData = (chunk) => {
      // It has answered: nothing has to be written again.
      transport.written = undefined;
      inner.onData = (more) => transport.onData(more);
      transport.onData(chunk);
    };
  };
  const adopt = (link: ChildLink): void => {
    current = link;
    isLeft = false;
    link.onOutput = (source, line) => outer.onOutput(source, line);
    link.onWord = (word, text) => {
      if (word === 'none') {
        transport.leave();
        provide(link, (node, rest) => {
          use(link.transport);
          outer.onWord('ok', node);
          if (rest.length) link.transport.onData(rest);
        });
      } else if (word === 'old' && transport.written) {
        isLeft = true;
        transport.leave();
        link.kill();
      } else outer.onWord(word, text);
    };
    void link.exited.then((status) => {
      if (isLeft && !isKilled) return restart(status);
      settle(status);
      isLeft = true;
      if (transport.written) transport.onClose(undefined);
    });
  };
  const restart = (status: ExitStatus): void => {
    try {
      adopt(again());
    } catch (error) {
      settle({ ...status, error: error as Error });
    }
  };
  const exited = new Promise<ExitStatus>((resolve) => (settle = resolve));
  const outer = standIn(
    transport,
    () => current,
    exited,
    () => {
      isKilled = true;
      current.kill();
    },
  );
  adopt(first);
  use(first.transport);
  return outer;
}
