/** What the command line tells of an error, for a person and for a program. */
import { MitosError } from '../index.ts';

/** An error as plain facts. */
export interface FailureFacts {
  code?: string;
  message: string;
  /** What to do. */
  hint?: string;
  /** How far the new context came. */
  stage?: string;
  /** What exactly is wrong, where a code stands for several things. */
  reason?: string;
  elapsedMs?: number;
  exitCode?: number | null;
  signal?: string | null;
  /** What was run, without the first stage. */
  argv?: readonly string[];
  /** The last lines that were printed. */
  stderr?: readonly string[];
}

const KEYS = ['code', 'reason', 'hint', 'stage', 'elapsedMs', 'exitCode', 'signal', 'argv', 'stderr'] as const;

/** What to do where the error itself does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  ERR_MITOS_AUTH: 'check the name of the user, and what it is allowed',
  ERR_MITOS_HOST_KEY: 'compare the fingerprint with that of the machine itself before you accept it',
  ERR_MITOS_DNS: 'check the spelling of the name, and the DNS of the machine that connects',
  ERR_MITOS_REFUSED: 'check host and port, that sshd runs there, and firewalls in between',
  ERR_MITOS_NO_RUNTIME: 'install Node 12.22 or later there, or name one',
  ERR_MITOS_CONNECT_TIMEOUT: 'if it only needs longer, set --timeout',
};

/** How an option is called on the command line. */
const HERE: Readonly<Record<string, string>> = {
  ERR_MITOS_AUTH: 'here: --ask-password (ssh), --ask-sudo (sudo, su, doas, run0)',
  ERR_MITOS_PASSWORD_REQUIRED: 'here: --ask-password (ssh), --ask-sudo (sudo, su, doas, run0)',
  'ERR_MITOS_HOST_KEY unknown': 'here: ?hostKeys=accept-new behind the step',
  ERR_MITOS_NO_RUNTIME: 'here: ?node=PATH behind the step',
};

/** The facts of an error. */
export function failureFacts(error: unknown): FailureFacts {
  const source = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const facts: Record<string, unknown> = { message: MitosError.is(error) ? shortMessage(error.message) : String(error) };
  for (const key of KEYS) if (source[key] !== undefined) facts[key] = source[key];
  return facts as unknown as FailureFacts;
}

/** What to do about it: in general, and on this command line. */
export function remediesOf({ hint, code = '', reason }: FailureFacts): string[] {
  return [hint ?? ADVICE[code], HERE[code] ?? HERE[`${code} ${reason}`]].filter((text): text is string => text !== undefined);
}

/** Throws an error that says that the program is being ended: that is nothing to tell of a target. */
export function passShutdown(error: unknown): void {
  if (MitosError.is(error) && error.code === 'ERR_MITOS_SHUTDOWN') throw error;
}

/** The last output is told apart. */
function shortMessage(message: string): string {
  return message.replace(/; last output: .*$/s, '');
}
