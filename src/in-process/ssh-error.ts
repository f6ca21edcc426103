/** Why a connection of ours did not come up, in the words of mitos. */
import { connectCode } from '../core/connect-code.ts';
import { type ErrorCode, MitosError } from '../core/errors.ts';
import type { ClientError } from './ssh2.ts';

/** A failure with its code; the parent layer makes the error of it that a program gets. */
export class SshError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Further facts; `transient` when another try may well succeed, as the server had too much to do. */
  readonly data: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; data?: Record<string, unknown> } = {}) {
    super(message);
    this.code = code;
    this.hint = options.hint;
    this.data = options.data;
  }
}

/** What the server says when it has been asked too often, in RFC 4253. */
const TOO_MANY_FAILURES = 2;

/** Reads an error of a client or of its socket; `where` is `host:port`. */
export function explainClientError(error: ClientError, where: string): SshError {
  const { level, code, message } = error;
  if (error instanceof SshError) return error;
  // The context that it goes through has said already what is wrong.
  if (MitosError.is(error)) return new SshError(error.code, `${message[0]?.toLowerCase()}${message.slice(1)}`);
  if (level === 'client-timeout') return new SshError('ERR_MITOS_CONNECT_TIMEOUT', `no answer from ${where} (${message})`);
  if (code === TOO_MANY_FAILURES && /authentication/i.test(message)) {
    return new SshError('ERR_MITOS_AUTH', `${where} ended it: ${message}`, {
      hint: 'fewer keys: name one with identityFile and set identitiesOnly',
    });
  }
  if (message.startsWith('Bad packet length')) {
    return new SshError('ERR_MITOS_TRANSPORT_EXIT', `${where} sends a packet that is larger than ssh2 takes (${message})`, {
      hint: "it may be its Banner: make it smaller, or leave transport at 'openssh'",
    });
  }
  const known = connectCode(code);
  if (known) return new SshError(known, `cannot reach ${where} (${message || code})`);
  if (code === 'ECONNRESET' || code === 'EPIPE' || /Connection lost before handshake/.test(message)) {
    return new SshError('ERR_MITOS_TRANSPORT_EXIT', `${where} hung up before the end of the ssh handshake`, {
      hint: 'it may have too many connections that are starting (MaxStartups), or it is not an ssh server',
      data: { transient: true },
    });
  }
  return new SshError('ERR_MITOS_TRANSPORT_EXIT', `the ssh connection to ${where} failed (${message})`);
}
