/** Reads failures out of the words of OpenSSH's client, which speaks English only, and only ends with 255 itself. */
import type { ErrorCode } from '../core/errors.ts';
import type { ExitStatus } from './child-link.ts';
import type { Failure, Progress } from './failure.ts';

/** How ssh ends when it is itself that fails. */
const OWN_FAILURE = 255;

type Rule = readonly [pattern: RegExp, code: string, message: string, hint?: string, data?: Record<string, unknown>];

/** A server that hangs up before one has logged in, mostly because too many are about to. */
const BUSY = /^(ssh|kex)_exchange_identification: |^Connection (closed|reset) by \S+ port \d+\s*$/;

const KEYS = 'name the key with identityFile, give its passphrase, or load it into the agent that is reached here';

/** What ssh says; the first that fits. */
const OWN_WORDS: readonly Rule[] = [
  [
    /REVOKED HOST KEY|was revoked|revoked by file/,
    'HOST_KEY',
    'its host key is revoked',
    'do not connect; ask whoever runs it',
    { reason: 'revoked' },
  ],
  [
    /IDENTIFICATION HAS CHANGED|Host key for .* has changed/,
    'HOST_KEY',
    'its host key is not the one that is known',
    'somebody may be listening in; if it has a new key, remove the old one with: ssh-keygen -R HOST',
    { reason: 'changed' },
  ],
  [
    /host key is known|Host key verification failed/,
    'HOST_KEY',
    'its host key is not known',
    "connect once with ssh, or set hostKeys: 'accept-new'",
    { reason: 'unknown' },
  ],
  [/Could not resolve hostname/, 'DNS', 'its name cannot be resolved', 'check hostname; an alias needs a line in the ssh configuration'],
  [/(Connection|Operation) timed out|^Connection .* timed out/m, 'CONNECT_TIMEOUT', 'it does not answer'],
  [
    /^ssh: connect to |stdio forwarding failed|open failed: connect/m,
    'REFUSED',
    'it cannot be reached',
    'check hostname and port, and that sshd runs there',
  ],
  [/Too many authentication failures/, 'AUTH', 'it was offered too many keys', 'name one with identityFile, and set identitiesOnly'],
  [/Permission denied \([^)]*(password|keyboard)/, 'PASSWORD_REQUIRED', 'it wants a password', `give the option password, or ${KEYS}`],
  [/Permission denied|No more authentication methods/, 'AUTH', 'it accepts none of the keys', KEYS],
  [
    /onfiguration|^Bad owner|^(command-line|\/\S+):? line \d+|^unknown option|Can't open user config|nsupported option/m,
    'TRANSPORT_EXIT',
    'ssh does not accept its configuration',
  ],
  [/administratively prohibited|open refused/, 'TRANSPORT_EXIT', 'the server opens no session', 'see MaxSessions in its configuration'],
  [/no matching|Unable to negotiate/, 'TRANSPORT_EXIT', 'the two sides have no algorithm in common'],
  [
    /^$/,
    'TRANSPORT_EXIT',
    'ssh ended without a word',
    'the server hung up, or opens no session (MaxSessions); debugLevel: 1 has ssh say more',
  ],
];

/** What a server or a shell says. */
const REMOTE_WORDS: readonly Rule[] = [
  [/password has expired|[Pp]assword change required/, 'AUTH', 'the password has expired', 'log in by hand and change it'],
  [/not available/, 'AUTH', 'the account has no login shell'],
];

const OTHER_COMMAND: Rule = [
  /^/,
  'TRANSPORT_EXIT',
  'it ran something else than it was asked for',
  'a forced command, a login shell that runs no commands, or start files may be in the way; try: ssh HOST true',
];

/** Whether ssh said nothing but that the server hung up before the login. */
export function isBusy({ exitCode }: ExitStatus, lines: readonly string[]): boolean {
  const words = wordsIn(lines);
  return exitCode === OWN_FAILURE && words.length > 0 && words.every((line) => BUSY.test(line));
}

/** What was printed, without what ssh tells when it is debugged. */
function wordsIn(lines: readonly string[]): string[] {
  return lines.filter((line) => line.trim() && !/^debug\d: /.test(line));
}

/** What ssh did not get. */
export function explainSsh(progress: Progress, status: ExitStatus): Failure | undefined {
  const { stage, node: question, lines } = progress;
  const { error, exitCode } = status;
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return failure('TRANSPORT_EXIT', 'there is no ssh here', 'install the OpenSSH client, or say where it is with sshPath');
  }
  if (stage === 'asked') {
    const hint = 'only a password or a passphrase can be given, each once; for a jump host in a step of its own: router.ssh(…).ssh(…)';
    return failure('AUTH', `it asks ${JSON.stringify(question)}`, hint);
  }
  if (stage === 'asked-again' && (question as string).startsWith('Enter passphrase')) {
    return failure('PASSWORD_WRONG', 'the passphrase does not open the key');
  }
  if (stage !== 'start' || error || exitCode === null) return undefined;
  if (isBusy(status, lines)) {
    const hint = 'too many may be logging in at once (MaxStartups); set retries, or it is no ssh server';
    return failure('TRANSPORT_EXIT', 'it hung up before the login', hint, { transient: true });
  }
  const text = wordsIn(lines).join('\n');
  const rules = exitCode === OWN_FAILURE ? OWN_WORDS : [...REMOTE_WORDS, OTHER_COMMAND];
  const rule = rules.find(([pattern]) => pattern.test(text));
  return rule && failure(rule[1], rule[2], rule[3], rule[4]);
}

function failure(code: string, message: string, hint?: string, data?: Record<string, unknown>): Failure {
  return { code: `ERR_MITOS_${code}` as ErrorCode, message, hint, data };
}
