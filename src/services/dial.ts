/** Makes TCP connections from the context it is sent to: the far side of `dial`. */
import { Socket } from 'net';
import { connectCode } from '../core/connect-code.ts';
import type { DialFlows, DialOrder, DialOutcome } from '../core/dial-order.ts';
import { starting } from '../core/dispatcher.ts';
import { MitosError } from '../core/errors.ts';
import { copy } from './copy.ts';

/**
 * Connects and carries bytes until both directions have ended. Never rejects: what goes wrong is told in the outcome.
 *
 * @param signal Breaks the connection. When this is run by a call, the end of the call does that as well.
 */
export function connect({ host, port, first }: DialOrder, { input, output }: DialFlows, signal?: AbortSignal): Promise<DialOutcome> {
  const socket = new Socket({ allowHalfOpen: true });
  const iterator = input[Symbol.asyncIterator]();
  const outcome: DialOutcome = {};
  const onAbort = (): void => {
    const reason = invocation && invocation.reason;
    if (MitosError.is(reason)) outcome.failure = { code: reason.code, message: reason.message };
    socket.destroy();
  };
  const { invocation } = starting;
  if (invocation) invocation.onAbort = onAbort;
  if (signal) signal.addEventListener('abort', onAbort);
  return new Promise((resolve) => {
    let hasEnded = false;
    socket.on('connect', () => {
      if (first.length) socket.write(first);
      // What keeps the input from coming breaks the connection: its end would look like an orderly one.
      copy(iterator, socket).catch(onAbort);
    });
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      output.send(chunk).then(() => socket.resume(), onAbort);
    });
    socket.on('end', () => {
      hasEnded = true;
      output.close();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code, message } = error;
      outcome.failure = { code: connectCode(code) || 'ERR_MITOS_DISCONNECTED', message: message || String(code) };
    });
    socket.on('close', () => {
      if (signal) signal.removeEventListener('abort', onAbort);
      if (!hasEnded && !outcome.failure) outcome.failure = { code: 'ERR_MITOS_DISCONNECTED', message: 'the connection was broken' };
      if (iterator.return) Promise.resolve(iterator.return()).catch(() => {});
      resolve(outcome);
    });
    socket.setNoDelay(true);
    socket.connect(port, host);
  });
}
