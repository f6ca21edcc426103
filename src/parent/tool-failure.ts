/**
 * Reads failures of programs that lead into containers, jails and namespaces: from their own words (these programs are not
 * translated), else from their exit status.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { Explain } from './failure.ts';

/** A failure: its code, what it means, what to do. */
export type ToolFailure = readonly [code: ErrorCode, message: string, hint?: string];

const NEEDS = 'mitos needs a POSIX shell and Node there';
const NO_SHELL: ToolFailure = ['ERR_MITOS_NO_RUNTIME', 'there is no sh in it', NEEDS];
const NO_USER: ToolFailure = ['ERR_MITOS_AUTH', 'no such user there', 'check the option username'];

/** The first match counts: later patterns also match what earlier ones are about. */
const WORDS: readonly (readonly [RegExp, ToolFailure])[] = [
  [/executable file \S+ not found|exec: "sh"|Failed to exec "|execvp\(\): |Command not found|failed to run command/, NO_SHELL],
  [/find user|unknown user|invalid user|user \S+ does not exist|no such user/i, NO_USER],
  [
    /permission denied|not permitted|needed permissions|lack access|\((Forbidden|Unauthorized)\)/i,
    ['ERR_MITOS_AUTH', 'not allowed', 'become a user who may first, such as with sudo()'],
  ],
  [
    /Cannot connect to|Unable to connect|was refused|containerd not running|containerd socket|daemon doesn't|unix\.socket/,
    ['ERR_MITOS_TRANSPORT_EXIT', 'its server does not answer', 'check that it runs, and the address in its configuration or environment'],
  ],
  [
    /no such (image|manifest)|find image|pull access|manifest unknown|initializing source|image not known|short-name/i,
    ['ERR_MITOS_NO_CONTAINER', 'no such image', 'check its name, or pull it first'],
  ],
  [
    /no (such )?(container|object|machine)|container not known|NotFound|(instance|container|jail) .*not found|^Error: not found|doesn't exist|not valid for pod|Host is down/im,
    ['ERR_MITOS_NO_CONTAINER', 'no such container'],
  ],
  [/not running|state improper|is paused|stopped container|completed pod/i, ['ERR_MITOS_NO_CONTAINER', 'the container does not run']],
  [/Failed to get init pid/, ['ERR_MITOS_NO_CONTAINER', 'no such container, or it does not run']],
];

/** What all of them mean by an exit status. */
const STATUSES: Readonly<Record<number, ToolFailure>> = {
  126: ['ERR_MITOS_NO_RUNTIME', 'its sh cannot be run'],
  // Some programs lose the last words of a command that ends at once, those of the first stage too.
  127: ['ERR_MITOS_NO_RUNTIME', 'there is no sh in it, or Node cannot be run', NEEDS],
  // These two are systemd's.
  203: NO_SHELL,
  217: NO_USER,
};

/**
 * Makes the `explain` of a method.
 *
 * @param list The command that lists what there is, for hints.
 * @param statuses Exit statuses that mean something.
 */
export function toolFailure(list: string, statuses?: Readonly<Record<number, ToolFailure>>): Explain {
  return ({ stage, lines }, { error, exitCode }) => {
    const { code, path } = (error || {}) as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return {
        code: 'ERR_MITOS_TRANSPORT_EXIT',
        message: `no program "${path}" here`,
        hint: 'install it, or name it with the option path',
      };
    }
    // Once the first stage has spoken, the program has done its part.
    if (stage !== 'start' || exitCode === null) return undefined;
    const text = lines.join('\n');
    const known = WORDS.find(([pattern]) => pattern.test(text));
    const failure = known ? known[1] : { ...STATUSES, ...statuses }[exitCode];
    if (!failure) return undefined;
    const [meaning, message, hint] = failure;
    return { code: meaning, message, hint: hint || `see ${list}` };
  };
}
