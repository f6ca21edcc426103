/** A child behind a first stage, whatever carries the bytes: a process, or a channel of an ssh connection. */
import { randomBytes } from 'crypto';
import { LineSplitter } from '../core/line-splitter.ts';
import type { LogSource } from '../core/log.ts';
import type { Transport } from '../core/transport.ts';
import type { ChildLink, ExitStatus } from './child-link.ts';
import { MarkerTransport } from './marker-transport.ts';

/** A conversation with the program that leads to the first stage: it sees what is printed before the marker. */
export interface Conversation {
  /** Takes what was printed; gives what of it is nobody's business here. */
  take(chunk: Buffer): Buffer;
  /** Sees what came on the protocol's side before the marker: there are programs that ask there. */
  hear?(chunk: Buffer): void;
  /** What of the last line has been kept back, as more may follow. */
  readonly held?: string;
  /** The marker has come, or the program has ended. */
  end(): void;
}

/** What a link is made of. */
export interface LinkParts {
  /** The protocol's side, with the noise in front of the marker. */
  inner: Transport;
  marker: string;
  preamble: Buffer;
  isBlind: boolean;
  /** As {@link ChildLink.tail}. */
  tail: string | undefined;
  /** What was run, without secrets; for error texts. */
  argv: readonly string[];
  exited: Promise<ExitStatus>;
  kill(): void;
}

/** A {@link ChildLink} whose maker feeds it with what the program prints. */
export interface StageLink extends ChildLink {
  /** A sink for what is printed on one side; call `end` when that side has ended. */
  printer(source: LogSource, maxLineBytes: number): LineSplitter;
  conversation: Conversation | undefined;
}

/** A new marker: nobody can guess it, and it passes through every shell. */
export function newMarker(): string {
  return randomBytes(16).toString('base64').slice(0, 22);
}

/** Joins the parts. */
export function createStageLink({ inner, ...parts }: LinkParts): StageLink {
  const { marker } = parts;
  const transport = new MarkerTransport(
    inner,
    marker,
    ({ word, text }) => {
      if (link.conversation) link.conversation.end();
      link.onWord(word, text);
    },
    (chunk) => link.conversation && link.conversation.hear && link.conversation.hear(chunk),
  );
  const printers: LineSplitter[] = [];
  const link: StageLink = {
    ...parts,
    transport,
    conversation: undefined,
    onOutput: () => {},
    onWord: () => {},
    noise: () => {
      const line = printers.map(({ rest }) => rest).join('') + ((link.conversation && link.conversation.held) || '');
      return `${transport.noise.toString('utf8')}\n${line}`;
    },
    // A shell names itself by the marker.
    printer: (source, maxLineBytes) => {
      const printer = new LineSplitter(maxLineBytes, (line) => link.onOutput(source, line.replace(marker, 'sh')));
      printers.push(printer);
      return printer;
    },
  };
  return link;
}
