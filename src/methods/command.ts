/** `command()`: any program that ends in running a command on the far side. */
import type { Method } from '../parent/connector.ts';
import { Dialogue, type Prompt } from '../parent/dialogue.ts';
import { startProcess } from '../parent/start.ts';

/** The options, as they arrive. */
interface Options {
  argv: readonly string[];
  asWord?: boolean;
  prompts?: readonly { expect: string; send: Buffer }[];
  terminal?: boolean;
}

/** Runs the program. Where it may ask, nothing is written to it before the first stage has answered. */
export const command: Method = {
  start: (order, config, hop) => {
    const { argv, asWord, prompts, terminal } = order.options as unknown as Options;
    return startProcess(order, config, hop, {
      prefix: argv,
      asWord,
      terminal,
      isTyped: prompts !== undefined,
      converse:
        prompts &&
        ((talk) =>
          new Dialogue(
            prompts.map((prompt): Prompt => ({ ...prompt, isLast: true })),
            talk,
          )),
    });
  },
};
